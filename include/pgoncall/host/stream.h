/*
 * Running a command where a transport leads, and handing on what it prints piece by piece for as
 * long as it lives (log following).
 *
 * No callback comes from inside a start, stop, pause or resume. A stream may be stopped, paused and
 * resumed from inside any callback, its own included. When the transport closes or breaks, the end
 * is reported with its error.
 */
#ifndef PGONCALL_HOST_STREAM_H
#define PGONCALL_HOST_STREAM_H

#include <stddef.h>

#include <pgoncall/base/err.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/transport.h>

enum host_source { HOST_STDOUT, HOST_STDERR };

struct host_stream_events {
	void (*on_data)(void *arg, enum host_source source, const char *bytes, size_t len);
	/* Once, after the last on_data; the handle is freed after it. */
	void (*on_end)(void *arg, int status, const struct err *err);
	void *arg;
};

struct host_stream;

/* stdin_bytes (copied) may be NULL: /dev/null. */
struct host_stream *host_stream_start(struct loop *loop, struct transport *transport,
	const char *command, const void *stdin_bytes, size_t stdin_len,
	const struct host_stream_events *events);
/* A command that would go on for ever: it is ended there when the stream is stopped here, or the link
 * is lost (an SSH server leaves what it started alone, and a log that is quiet never finds out that
 * nobody reads). Its stdin is /dev/null. The far side's shell must be POSIX's. */
struct host_stream *host_stream_start_tied(struct loop *loop, struct transport *transport,
	const char *command, const struct host_stream_events *events);
/* No callback any more; the far end sees its output closed. NULL is allowed. */
void host_stream_stop(struct host_stream *stream);
/* While paused nothing is read, on_end waits as well, and the far end is slowed by flow control. */
void host_stream_pause(struct host_stream *stream);
void host_stream_resume(struct host_stream *stream);

#endif
