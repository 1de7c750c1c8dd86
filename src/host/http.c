/*
 * One request in a worker; the only <curl/curl.h>. The struct is the worker's until it is done, and
 * frees itself then.
 */
#include <pgoncall/host/http.h>

#include <stdlib.h>

#include <curl/curl.h>

#include <pgoncall/base/mem.h>

#include "library.h"

/* Its header has macros of these names that check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* The one built against, where the Makefile found its name. */
#ifndef LIBCURL_SONAME
#define LIBCURL_SONAME "libcurl.so.4"
#endif

#define HTTP_CALLS(X)                                                                              \
	X(curl_easy_cleanup)                                                                       \
	X(curl_easy_getinfo)                                                                       \
	X(curl_easy_init)                                                                          \
	X(curl_easy_perform)                                                                       \
	X(curl_easy_setopt)                                                                        \
	X(curl_easy_strerror)                                                                      \
	X(curl_global_init)

struct http_calls {
	HTTP_CALLS(LIBRARY_FIELD)
};

static const char *const http_names[] = { HTTP_CALLS(LIBRARY_NAME) };

#define HTTP_REDIRECTS 5L
#define HTTP_BODY_MAX  (1u << 20) /* more than that is no answer of a health check */

struct host_http {
	struct http_calls lib;
	char *url;
	long timeout_ms;
	host_http_cb cb; /* NULL: cancelled */
	void *arg;
	size_t body;
	long status;
	double seconds;
	struct err err;
};

static size_t http_on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct host_http *http = arg;

	(void)bytes;
	http->body += size * n;
	return http->body > HTTP_BODY_MAX ? 0 : size * n;
}

static void http_set_up(struct host_http *http, CURL *curl, char *why)
{
	const struct http_calls *lib = &http->lib;

	lib->curl_easy_setopt(curl, CURLOPT_URL, http->url);
	lib->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	lib->curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, http->timeout_ms);
	lib->curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	lib->curl_easy_setopt(curl, CURLOPT_MAXREDIRS, HTTP_REDIRECTS);
	lib->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	lib->curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	lib->curl_easy_setopt(curl, CURLOPT_USERAGENT, "pgoncall");
	lib->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, http_on_body);
	lib->curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
	lib->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
}

static void http_work(void *arg)
{
	struct host_http *http = arg;
	const struct http_calls *lib = &http->lib;
	char why[CURL_ERROR_SIZE] = "";
	CURLcode code;
	CURL *curl;

	if (http->err.code != ERR_OK)
		return;
	curl = lib->curl_easy_init();
	if (!curl) {
		err_set(&http->err, ERR_SYSTEM, "libcurl cannot be used");
		return;
	}
	http_set_up(http, curl, why);
	code = lib->curl_easy_perform(curl);
	lib->curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http->status);
	lib->curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &http->seconds);
	/* An answer that is longer than is read here has been given all the same. */
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && http->status))
		err_set(&http->err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_CONNECT,
			"%s", *why ? why : lib->curl_easy_strerror(code));
	lib->curl_easy_cleanup(curl);
}

static void http_done(void *arg)
{
	struct host_http *http = arg;

	if (http->cb)
		http->cb(http->arg, http->status, http->seconds, &http->err);
	free(http->url);
	free(http);
}

struct host_http *host_http_get(
	struct loop *loop, const char *url, int64_t timeout_ms, host_http_cb cb, void *arg)
{
	struct host_http *http = mem_calloc(1, sizeof(*http));

	if (library_load(LIBCURL_SONAME, http_names, sizeof(http_names) / sizeof(http_names[0]),
		    &http->lib, &http->err) == 0)
		/* Counts; the first call sets up what all threads use. */
		http->lib.curl_global_init(CURL_GLOBAL_DEFAULT);
	http->url = mem_strdup(url);
	http->timeout_ms = (long)timeout_ms;
	http->cb = cb;
	http->arg = arg;
	loop_work(loop, http_work, http_done, http);
	return http;
}

void host_http_cancel(struct host_http *http)
{
	if (http)
		http->cb = NULL;
}
