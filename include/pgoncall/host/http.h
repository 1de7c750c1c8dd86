/*
 * Asking a URL from this machine, by libcurl in a worker: whether it answers, with which status, and
 * how fast. What it answers is thrown away.
 */
#ifndef PGONCALL_HOST_HTTP_H
#define PGONCALL_HOST_HTTP_H

#include <stdint.h>

#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>

struct host_http;

/* err->code is ERR_OK with the final status (redirects are followed), else why there was none. The
 * handle is freed after the callback. */
typedef void (*host_http_cb)(void *arg, long status, double seconds, const struct err *err);

/* http and https only. The callback comes from the loop. */
struct host_http *host_http_get(
	struct loop *loop, const char *url, int64_t timeout_ms, host_http_cb cb, void *arg);
/* The callback is not called any more; the worker ends by itself. NULL is allowed. */
void host_http_cancel(struct host_http *http);

#endif
