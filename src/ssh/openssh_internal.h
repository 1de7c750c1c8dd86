/*
 * What the parts of the transport over the system's ssh share: the transport itself (master and
 * life), its streams (one client process each), and the reading of what ssh prints.
 */
#ifndef PGONCALL_SSH_OPENSSH_INTERNAL_H
#define PGONCALL_SSH_OPENSSH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/ssh/openssh_transport.h>

struct loop_child;
struct loop_poll;
struct loop_timer;
struct openssh_asker;
struct openssh_stream;
struct resolving;

/* A socket in our directory that the master forwards to one on the far side. */
struct openssh_forward {
	struct openssh *ssh;
	struct openssh_forward *next;
	char *path;               /* on the far side */
	char local[128];          /* in our directory */
	char log[128];            /* of the client that asks for it */
	struct loop_child *child; /* that client, while it runs */
	bool ready;
};

/* --- what ssh prints (openssh_log.c) --------------------------------------------------------- */

#define OPENSSH_LINES 32

/* The master's stderr at LogLevel DEBUG1: progress in debug lines, complaints in all others. */
struct openssh_log {
	struct buf line;            /* not complete yet */
	char *lines[OPENSSH_LINES]; /* the last complaints, sanitised, oldest first */
	size_t n;
	unsigned long total; /* complaints ever, also those that were dropped */
	bool interactive;    /* keyboard-interactive has begun: the server may wait for somebody */
	int refusals;        /* attempts that the server turned down or wants more after */
	bool partial;        /* one of them was a partial success; the reader clears it */
	char *open_failure;  /* why a channel could not be opened, the last time; or NULL */
	char *host_key;      /* "SHA256:…" of the first key shown, or NULL */
	char *detail[TRANSPORT_STEP_COUNT]; /* of the steps that were passed; NULL: nothing said */
	int passed;                         /* number of steps passed */
};

void openssh_log_fini(struct openssh_log *log);
void openssh_log_feed(struct openssh_log *log, const char *bytes, size_t len);
/* Sets err to why ssh ended, with this status: on the way to `destination`, or after it was up. */
void openssh_log_explain(const struct openssh_log *log, const char *destination, int status,
	bool was_up, struct err *err);

/* --- the transport (openssh_transport.c) ------------------------------------------------------ */

enum openssh_state { OPENSSH_CONNECTING, OPENSSH_UP, OPENSSH_DOWN, OPENSSH_CLOSED };

struct openssh {
	struct transport base;
	struct loop *loop;
	struct transport_events events;
	enum openssh_state state;
	int busy; /* callbacks that may close it are running: it is freed after them */
	char *destination;
	char *config_file;
	int timeout_s;               /* of the options; 0: as configured */
	struct resolving *resolving; /* while ssh's configuration is read */
	char dir[96]; /* ours; "" when there is none. Holds the socket and the clients' logs */
	char socket[112];
	struct loop_child *master; /* NULL: not running */
	int leash;                 /* the master is ended when this is closed; -1: none */
	int log_fd;                /* the master's stderr, or -1 */
	struct loop_poll *log_poll;
	struct openssh_log log;
	struct loop_timer *watch; /* while connecting */
	int64_t timeout;          /* ns without progress */
	int64_t progress_at;      /* clock_monotonic */
	struct err failure;       /* of starting, reported by watch */
	int told;                 /* steps reported */
	void (*ask)(void *arg, struct transport *transport, const struct ssh_question *question);
	int ask_fd; /* where askpass connects to; -1: nothing is asked */
	char ask_path[112];
	struct loop_poll *ask_poll;
	struct openssh_asker *askers;   /* oldest first */
	char *asked;                    /* the last question, or NULL */
	unsigned long asked_total;      /* log.total when it was asked */
	int asked_refusals;             /* log.refusals then */
	bool asked_prompt;              /* it was one of the server's own */
	bool patient;                   /* somebody was asked: the server may take its time */
	struct openssh_stream *streams; /* oldest first */
	struct loop_timer *guard; /* looks for callers that went away, while there are streams */
	size_t session_limit;     /* commands at a time, as learnt from refusals */
	struct openssh_forward *forwards;
	unsigned long log_number;
};

/* Reads what the master has said until now. */
void openssh_read_log(struct openssh *ssh);
/* Around callbacks. leave frees when it was closed meanwhile; ssh must not be used after it. */
void openssh_enter(struct openssh *ssh);
void openssh_leave(struct openssh *ssh);

/* --- questions (openssh_ask.c) ---------------------------------------------------------------- */

/* Listens; the directory must be there. */
int openssh_ask_start(struct openssh *ssh, struct err *err);
/* Every question lapses. */
void openssh_ask_stop(struct openssh *ssh);
/* Some process waits for an answer. */
bool openssh_is_asking(const struct openssh *ssh);
/* Puts the next question to the owner unless one is open. */
void openssh_show_next(struct openssh *ssh);

/* --- streams (openssh_stream.c) --------------------------------------------------------------- */

void openssh_dial(struct transport *base, const char *host, int port, int fd_take,
	transport_done_cb done, void *arg);
void openssh_exec(struct transport *base, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg);
/* Ends all of them with this error. The state says already that no more are to be begun. */
void openssh_streams_end(struct openssh *ssh, const struct err *err);
/* The forward has come to be (ready), or has not (why; it is freed after this): for the streams that
 * wait for it. */
void openssh_streams_forwarded(
	struct openssh *ssh, const struct openssh_forward *forward, const struct err *why);

/* --- sockets on the far side (openssh_socket.c) ----------------------------------------------- */

/* The forward to a path, asked for where there is none yet. NULL: there can be none. */
struct openssh_forward *openssh_forward_to(struct openssh *ssh, const char *path, struct err *err);
/* A connection to its local end, which is ready: a descriptor, or -1. */
int openssh_forward_connect(const struct openssh_forward *forward, struct err *err);
void openssh_forwards_free(struct openssh *ssh);

#endif
