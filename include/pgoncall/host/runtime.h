/*
 * Command lines for what keeps the containers: docker, podman, or nothing (`runtime = none`, where
 * "containers" are directories and log files of the host itself). Pure: this builds text for a
 * remote POSIX shell and reads what comes back; it runs nothing.
 *
 * Every function appends to `out` and returns 0, or returns -1 with a sentence and leaves `out` as
 * it was. Names that could be taken for an option are refused.
 */
#ifndef PGONCALL_HOST_RUNTIME_H
#define PGONCALL_HOST_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/err.h>
#include <pgoncall/base/str.h>

enum host_runtime_kind {
	HOST_RUNTIME_DOCKER,
	HOST_RUNTIME_PODMAN,
	HOST_RUNTIME_NONE,
	HOST_RUNTIME_COUNT
};

/* A value; owns nothing. `command` is the operator's runtime_command, NULL or "" for the default:
 * it is split at white space and quoted word by word. */
struct host_runtime {
	enum host_runtime_kind kind;
	const char *command;
};

/* "docker", "podman", "none"; 0 or -1. */
int host_runtime_parse(const char *name, enum host_runtime_kind *kind);
const char *host_runtime_name(enum host_runtime_kind kind);
/* The operator's command as it stands, or the runtime's name. */
const char *host_runtime_words(const struct host_runtime *runtime);

/* What runs inside a container. With runtime none `container` is the application's directory. */
struct host_exec {
	const char *container;
	const struct strlist *argv; /* at least one word */
	const struct strlist *env;  /* "NAME=value" each; NULL: none */
	bool with_stdin;            /* adds -i */
};
int host_runtime_exec(const struct host_runtime *runtime, const struct host_exec *exec,
	struct buf *out, struct err *err);

/* The files of a directory as a tar stream on stdout, in one round trip. A relative directory
 * counts from the container's working directory (none: from the application's directory). */
int host_runtime_files(const struct host_runtime *runtime, const char *container,
	const char *directory, struct buf *out, struct err *err);
/* The same directory as a path on the host itself, for the caller to free; NULL: it is none, or its
 * command alone can tell. */
char *host_runtime_folder(
	const struct host_runtime *runtime, const char *container, const char *directory);

enum host_since { HOST_SINCE_ALL, HOST_SINCE_AGO, HOST_SINCE_AT };

/* Where a log is, by its name: "file:/path" and "journal:unit" are the host's with any runtime. */
enum host_log_kind { HOST_LOG_CONTAINER, HOST_LOG_FILE, HOST_LOG_JOURNAL };
enum host_log_kind host_runtime_log_kind(const char *name);

struct host_logs {
	const char *container; /* or "file:/path" or "journal:unit" */
	bool follow;
	bool timestamps;       /* RFC 3339 before each line; a file has none; the journal's entries
				* come as JSON (journalctl --output=json) */
	bool identify;         /* a container's log begins with a line of its own: see below */
	enum host_since since; /* a file ignores it */
	int64_t since_ns;      /* AGO: a span by the host's clock; AT: a wall moment */
	long tail;             /* last lines to begin with; negative: all */
};
/* With `identify` the first line of stdout is "@ID STARTED_AT", so that a container that was replaced
 * or started again under its name is told from the one before; missing when there is none. A
 * file's begins with "@+0100", the host's zone. */
int host_runtime_logs(const struct host_runtime *runtime, const struct host_logs *logs,
	struct buf *out, struct err *err);

/* Prints "ID NAME" of each of the containers that is there. Refused with runtime none. */
int host_runtime_names(const struct host_runtime *runtime, const struct strlist *containers,
	struct buf *out, struct err *err);

/* Prints one JSON object about a container, for host_container_parse (host/container). It holds no
 * environment and so no secrets. Refused with runtime none. */
int host_runtime_inspect(const struct host_runtime *runtime, const char *container, struct buf *out,
	struct err *err);

#endif
