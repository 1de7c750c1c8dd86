/*
 * A target that is being reached: the links to it, kept up, and the models made from what comes over
 * them. Owns the two SSH sessions (one for the database tunnel and commands, one for log streams),
 * the tunnel, the connection that watches and the one kept for acting, and the current snapshot,
 * revision graph and log rings. Knows no screen and no policy: whether a write may be sent is not
 * decided here.
 */
#ifndef PGONCALL_APP_TARGET_H
#define PGONCALL_APP_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/app/config.h>
#include <pgoncall/base/err.h>
#include <pgoncall/db/conn.h>
#include <pgoncall/db/snapshot.h>
#include <pgoncall/logs/match.h>
#include <pgoncall/logs/store.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/legacy.h>
#include <pgoncall/migrations/sources.h>

struct host_runtime;
struct target;
struct transport;

/* What is wanted of it; a batch command asks for no more than it prints. */
enum target_want {
	TARGET_DATABASE = 1 << 0,
	TARGET_ACTING = 1 << 1,
	TARGET_MIGRATIONS = 1 << 2,
	TARGET_LOGS = 1 << 3,
	TARGET_TEXTS = 1 << 4, /* with the revisions: the files themselves are kept */
	TARGET_SIDES = 1 << 5, /* with the revisions: the checkout with its log, legacy SQL */
	TARGET_BRIEF = 1 << 6, /* of the database the version rows, no sessions (db/watch.h) */
};

/* The lines of the connection checklist, in order. */
enum target_step {
	TARGET_STEP_CONFIG,    /* ssh's configuration resolved */
	TARGET_STEP_CONNECT,   /* the host answers */
	TARGET_STEP_HOSTKEY,
	TARGET_STEP_AUTH,
	TARGET_STEP_ADDRESS,   /* the database container's address */
	TARGET_STEP_DATABASE,
	TARGET_STEP_VERSION,   /* the version table was read */
	TARGET_STEP_COUNT
};

enum target_step_state { TARGET_STEP_WAITING, TARGET_STEP_RUNNING, TARGET_STEP_DONE,
	TARGET_STEP_FAILED, TARGET_STEP_SKIPPED };

struct target_progress {
	enum target_step_state state;
	char detail[768];        /* what was found, or why it failed */
};

enum target_state {
	TARGET_CONNECTING, /* no picture yet */
	TARGET_UP,
	TARGET_LOST,       /* there was a picture; connecting again */
};

/* One followed log; its index is that of its source in the store. */
struct target_log {
	char *name;       /* as configured, or TARGET_DEPLOY_LOG */
	char state[160];  /* "following", "ended (exit 0), again in 3 s" */
	bool following;
	uint64_t lines;   /* that came */
	/* A file: when it had been written to last, as reading began; 0: not known. */
	int64_t changed_ns;
	/* What the last line with a time says, which of a file may lie ahead; 0: none had one. */
	int64_t said_ns;
	int64_t live_ns; /* what comes after that was written as it came; 0: nothing does */
};

/* The name of the log of the local command `deploy_log`. */
#define TARGET_DEPLOY_LOG "deploy"

/* How logs are read, where it is not the console's way. */
struct target_log_options {
	bool once;             /* to their end; nothing is followed or begun again */
	bool all;              /* from the beginning, else the last lines */
	long tail;             /* how many those are; 0: as many as the console shows */
	int64_t since_ago_ns;  /* 0: no matter how old */
	const struct strlist *names; /* in place of the configured ones; borrowed for the opening */
};

/* A question that must be answered before connecting goes on: a host key, a passphrase, a password,
 * whatever the server asks. Valid during the call; prompt and detail are sanitised. */
struct target_question {
	const char *title;  /* "Unknown host key" */
	const char *prompt;
	const char *detail; /* may be "" */
	bool echo;          /* the answer may be seen while it is typed */
	bool notice;        /* nothing to answer; NULL gives it up */
};

/* All callbacks are optional and come from the loop. None may call target_close, but for those of
 * batch commands, which stop the loop first. */
struct target_events {
	/* state, the checklist, retry_at or the transport changed */
	void (*on_state)(void *arg);
	/* Something failed; retrying says whether it is tried again by itself. */
	void (*on_error)(void *arg, const struct err *why, bool retrying);
	/* A new snapshot; the one before is freed after this returns. */
	void (*on_snapshot)(void *arg, const struct db_snapshot *snapshot);
	/* The graph was read or marked anew, or could not be read: target_migrations_error. */
	void (*on_migrations)(void *arg);
	/* The order of the log store, or the state of a log, changed. */
	void (*on_logs)(void *arg);
	/* A line that means something (see logs/match.h); text is sanitised. */
	void (*on_log_match)(void *arg, size_t source, const struct log_line *line,
		const struct log_match *match);
	/* Takes each line in place of the store. */
	void (*on_log_line)(void *arg, size_t source, struct log_line *line_take);
	/* A log that is read once came to its end; err->code is ERR_OK where that is all. */
	void (*on_log_end)(void *arg, size_t source, const struct err *err);
	/* To be answered with target_answer, when the operator did; a NULL question takes the open one
	 * back. No callback: what would be asked is refused. */
	void (*on_ask)(void *arg, const struct target_question *question);
	void *arg;
};

struct target_options {
	const struct config_section *section; /* borrowed for the target's life */
	unsigned wants;                       /* bits of enum target_want */
	int64_t refresh_ns;                   /* between snapshots; 0: one, then on request */
	bool retry;                           /* connect again after a failure */
	struct target_log_options logs;
};

struct target *target_open(
	struct loop *loop, const struct target_options *options, const struct target_events *events);
/* Ends everything that is open and frees. NULL is allowed. */
void target_close(struct target *target);

/* Asks for a snapshot and reads the revision files again; when not connected, connects now. */
void target_refresh(struct target *target);
/* Gives the links up as lost, for that reason, and connects again. */
void target_drop(struct target *target, const struct err *why);
/* No snapshots are asked for while paused. */
void target_pause(struct target *target, bool paused);
void target_set_refresh(struct target *target, int64_t refresh_ns);

/* Answers the open question; NULL declines it. Nothing happens when it lapsed meanwhile. */
void target_answer(struct target *target, const char *answer);

enum target_state target_get_state(const struct target *target);
/* Monotonic: since when it is in this state, and when the next attempt is made (0: none is planned). */
int64_t target_state_since(const struct target *target);
int64_t target_retry_at(const struct target *target);
/* Whether the host is reached (this machine always is); the database behind it may not be. */
bool target_host_is_up(const struct target *target);
const struct target_progress *target_progress(const struct target *target);
const char *target_step_name(enum target_step step);

const struct config_section *target_section(const struct target *target);
/* NULL before the first. Borrowed until the next on_snapshot returns. */
const struct db_snapshot *target_snapshot(const struct target *target);
/* Of all sources; NULL before one was read. */
const struct migration_graph *target_graph(const struct target *target);
const struct migration_sources *target_sources(const struct target *target);
/* The legacy SQL files; NULL where none are configured or known yet. */
const struct legacy_list *target_legacy(const struct target *target);
/* Why they are not known; or NULL. */
const char *target_legacy_error(const struct target *target);

/* The revision that runs now. */
struct target_running {
	const char *id; /* NULL: none */
	bool down;      /* it is taken back */
	bool sure;      /* a log says so; else it is the one that comes next, and a migration runs */
	bool blocked;   /* its session waits for a lock */
};
struct target_running target_running(const struct target *target);
/* NAME or SCHEMA.NAME, not quoted: as configured, else as the catalogue says; NULL: not looked for yet. */
const char *target_version_table(const struct target *target);
/* Which other tables could be the version table; NULL where that is clear. */
const char *target_version_note(const struct target *target);
/* Why the revision files could not be read, or NULL. */
const char *target_migrations_error(const struct target *target);
/* Whether reading them came to an end, either way. */
bool target_migrations_settled(const struct target *target);
const struct target_log *target_logs(const struct target *target, size_t *n);
/* When a line that just came was written: one without a time belongs to the one before it that has one.
 * Where none had, it was by the time when its file was written to last, or now; *known is false then. */
int64_t target_log_line_time(
	const struct target_log *log, const struct log_line *line, bool *known);
struct log_store *target_log_store(const struct target *target);
/* The log of that name, followed from now on where it was not; its index, or -1. */
int target_logs_follow(struct target *target, const char *name, struct err *err);
/* A source is read no further, or again: its lines wait at their origin. */
void target_logs_hold(struct target *target, size_t source, bool hold);

/* For commands and acts; NULL while there is none. */
struct transport *target_transport(const struct target *target);
struct db_conn *target_watch_conn(const struct target *target);
/* NULL, or not yet up. */
struct db_conn *target_acting_conn(const struct target *target);
/* Gives it up, with what it is doing and what waits behind that; another one is opened at once. */
void target_acting_renew(struct target *target);
/* A connection of its own for a runbook's statements, so that a long one holds up neither the picture
 * nor an act. Opened when it is first asked for; queries may be given at once. After one that found no
 * free slot on the server it is, once, the one for acting. NULL while the database is not reached. */
struct db_conn *target_steps_conn(struct target *target);
/* Gives it up, with what it is doing; the next one is new. */
void target_steps_close(struct target *target);
/* Changes when a connection that target_steps_conn gives is gone: whoever kept one, and was asking
 * nothing, is not told otherwise. */
uint64_t target_steps_id(const struct target *target);
const struct host_runtime *target_runtime(const struct target *target);
/* Changes with every reconnect of a connection, the steps' own among them. */
uint64_t target_connection_id(const struct target *target);
/* Round trip in ms, negative when none was measured. */
double target_rtt_ms(const struct target *target);
/* "SHA256:…" or "". */
const char *target_host_key(const struct target *target);

#endif
