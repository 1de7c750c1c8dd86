/*
 * What the files target*.c share: the struct, and the functions that go across them.
 */
#ifndef PGONCALL_APP_TARGET_INTERNAL_H
#define PGONCALL_APP_TARGET_INTERNAL_H

#include <pgoncall/app/target.h>
#include <pgoncall/db/catalogue.h>
#include <pgoncall/db/watch.h>
#include <pgoncall/host/run.h>
#include <pgoncall/host/container.h>
#include <pgoncall/host/runtime.h>
#include <pgoncall/host/stream.h>
#include <pgoncall/host/tar.h>
#include <pgoncall/logs/resume.h>
#include <pgoncall/logs/split.h>
#include <pgoncall/logs/stamp.h>
#include <pgoncall/migrations/compiled.h>
#include <pgoncall/ssh/transport.h>

struct ssh_thread;
struct ssh_tunnel;

struct ssh_question;
struct revision_files;

enum target_asker { TARGET_ASKER_NONE, TARGET_ASKER_SSH, TARGET_ASKER_DATABASE };

/* The question that is open, and secrets that were answered: the second SSH session, and every
 * reconnect, needs the same ones and must not ask again. */
struct target_asking {
	enum target_asker asker;
	struct transport *transport; /* that asked */
	char *prompt;                /* remembered with the answer when it is a secret; else NULL */
	struct target_secret *secrets;
	size_t n, cap;
	char *db_password;
};

struct target_secret {
	char *prompt, *answer;
	struct transport *tried; /* it was given to this one already, which asks again: it is wrong */
};

/* What a log source is, which decides how its lines are read and what it takes to go on. */
enum target_source_kind { SOURCE_CONTAINER, SOURCE_FILE, SOURCE_JOURNAL, SOURCE_DEPLOY };

/* A log source and the stream that feeds it. */
struct target_source {
	struct target *target;
	size_t index;                      /* in target->sources, target->logs and the store */
	enum target_source_kind kind;
	struct host_stream *stream;        /* NULL while none runs */
	struct loop_timer *again;          /* starts it anew */
	struct log_splitter splitters[2];  /* stdout, stderr */
	int attempts;                      /* ended without a line, in a row */
	bool begun;                        /* it ran before */
	bool gap;                          /* a line about it is due when it runs again */
	bool told_end;                     /* its end stands in the log, and no line came since */
	uint64_t last_words;               /* hash of what the command itself said last */
	struct buf words;                  /* it said in this run, for the sentence at its end */
	bool held;
	int64_t lost_at;                   /* wall: when it was cut; 0: it ended by itself */

	/* Containers. */
	bool expect_identity;              /* the next line of stdout is "@ID STARTED_AT", or a
					    * file's "@+0100" */
	char *identity;                    /* of the last time; NULL: not known */
	struct log_resume resume;

	struct log_zone zone;              /* of files and of the deploy's log */
	bool told_zone;                    /* that it is another than the host's */
	int64_t stamp_ns, stamp_at; /* of the last line with a time of its own, and when it came */

	/* Files: the first lines of a stream begun again wait until it is known which are new. */
	struct log_tail tail;
	struct loop_timer *catch_up;       /* while it runs lines are kept in `caught` */
	struct target_caught *caught;
	size_t n_caught, cap_caught;

	/* The deploy's log comes whole each time: lines and hash of the last run and of this one. */
	uint64_t deploy_lines, deploy_hash, deploy_before, deploy_hash_before;
	bool anew;                         /* it is another log: to be read from its first line */
};

struct target_caught {
	char *text;
	size_t len, cut;
	enum log_stream stream;
};

/* Where the server listens, as the configuration, a service and the container say. Strings are owned;
 * NULL when not known. */
struct target_place {
	char *name;                /* for libpq: real name or address, or socket directory */
	struct strlist addresses;  /* as seen from the host: to be tried in this order */
	size_t at;                 /* the one in use */
	int port;
	bool known;
};

/* The reading of one source of revisions: its directories one after another. */
struct target_read {
	struct target *target;
	size_t source;                   /* in revisions.sources */
	struct host_run *run;            /* of settings, or Alembic; NULL: none */
	struct host_stream *stream;      /* of files; NULL: none */
	struct loop_timer *timer;        /* it takes too long */
	struct target_here_read *here;   /* a worker that reads a folder of this machine; NULL: none */
	struct host_tar_feed feed;
	struct buf complaint;            /* what it printed on stderr */
	char what[256];                  /* it is, in sentences */
	bool in_folders;                 /* there are files in folders below that were left out */
	bool hold;                       /* the archive is to be held to its end */
	struct strlist dirs;             /* as configured */
	size_t next_dir;
	bool recursive;                  /* files of folders below count, too */
	enum migration_sourceless sourceless;
	struct migration_compiled compiled;
	bool asked_settings;             /* whether they do was asked */
	bool settled;                    /* an answer came, either way, since the target was opened */
	struct migration_revision *found; /* while it is read */
	size_t n, cap;
	struct migration_problems problems;
};

/* The legacy SQL files and what their table records. */
struct target_legacy {
	struct host_run *run;
	bool asking;           /* the database */
	bool have_files, have_rows;
	bool settled;
	struct strlist files;
	struct target_book {
		char *table, *column;  /* "" where there is none */
		struct strlist values;
	} books[DB_BOOK_COLUMNS_MAX]; /* the columns that may name files */
	size_t n_books;
	char *error;
	struct legacy_list list;
};

struct target_revisions {
	struct migration_sources sources;
	struct target_read reads[MIGRATION_SOURCES_MAX];
	struct transport *here;          /* this machine, for the checkout; NULL: none is read */
	bool here_up;
	struct host_run *log_run;        /* git log */
	char *error;                     /* why none could be read */
	int64_t read_at;                 /* monotonic; 0: never */
	struct target_legacy legacy;
	/* What the logs said last that began. */
	char *began;                     /* the revision; NULL: nothing */
	bool began_down;
	bool runs;                       /* the last snapshot shows a migration's session */
	bool blocked;                    /* which waits for a lock */
};

/* A transport with what is needed to keep it up. */
struct target_link {
	struct target *target;
	struct transport *transport; /* NULL while down */
	bool up;
	bool interactive;            /* somebody had to do something that cannot be repeated */
	bool declined;               /* the last question was not answered: it is not asked again */
	bool shared;                 /* transport is the main link's, which is interactive */
	struct loop_timer *again;
	int attempts;                /* since it was last up */
};

struct target {
	struct loop *loop;
	const struct config_section *section;
	struct target_events events;
	unsigned wants;
	bool retry;
	bool paused;
	bool local;                        /* ssh = none */
	int64_t refresh_ns;
	struct host_runtime runtime;

	struct ssh_thread *thread;         /* NULL when local */
	struct target_link main;           /* tunnel and commands */
	struct target_link logs_link;      /* log streams */

	enum target_state state;
	int64_t since;
	int64_t retry_at;
	struct target_progress progress[TARGET_STEP_COUNT];
	bool version_noted;                /* the last step was set since the connection came up */

	struct target_asking asking;

	/* The database. */
	struct target_place place;
	struct host_run *address_run;
	struct ssh_tunnel *tunnel;
	struct db_conn *watch_conn;
	struct db_conn *acting_conn;
	struct db_conn *steps_conn;        /* NULL until a runbook wants it */
	bool slots_full;                   /* it found no free slot */
	struct db_watch *watch;
	struct db_snapshot *snapshot;
	struct loop_timer *db_again;
	struct loop_timer *db_verdict;     /* the connection broke; why is not known yet */
	int db_looks;
	struct err db_why;
	enum db_fault db_fault;
	bool db_bridged;                   /* the way around forwarding to sockets is taken */
	struct loop_timer *acting_again;
	int db_attempts;
	uint64_t connection_id;
	uint64_t steps_id;                 /* see target_steps_id */

	/* The revisions. */
	struct target_revisions revisions;
	char *version_table;               /* as configured, or as found; NULL: not looked for yet */
	char *version_note;                /* which other tables might be it; NULL: none */

	/* The logs. */
	struct target_log_options log_options;
	struct log_store *store;
	struct target_source *sources;     /* LOG_SOURCES_MAX of them, as of logs */
	struct target_log *logs;
	size_t n_sources;
	struct loop_timer *logs_watch;     /* looks whether containers have their names still */
	struct host_run *logs_watch_run;
	struct loop_timer *settle;         /* runs while lines wait for their place */
	struct transport *here;            /* for deploy_log; NULL: not needed yet */
};

/* target.c */
void target_set_step(struct target *target, enum target_step step, enum target_step_state state,
	const char *detail);
void target_changed(struct target *target);
/* Marks the step that runs as failed and tells the owner. */
void target_fail(struct target *target, const struct err *why, bool retrying);
void target_set_state(struct target *target, enum target_state state);
/* 0.5 s, doubling to 15 s. */
int64_t target_backoff_ms(int attempts);

/* Opens the link for log streams where it is wanted and the main one is up. */
void target_logs_connect(struct target *target);

/* target_ask.c */
void target_on_ssh_question(
	void *arg, struct transport *transport, const struct ssh_question *question);
/* The server wants a password: asks for it. False where nobody can be asked. */
bool target_ask_password(struct target *target, bool wrong, const struct err *why);
/* The transport is gone, and its question with it. */
void target_ask_lapse(struct target *target, struct transport *transport);
void target_ask_fini(struct target *target);

/* target_place.c */
/* Finds out; db_connect or db_fail of target_db.c is called back: never from inside for a container. */
void target_place_find(struct target *target);
void target_place_forget(struct target *target);

/* target_db.c */
void target_db_connect(struct target *target);
void target_db_fail(struct target *target, const struct err *why, bool worth_trying);
void target_db_start(struct target *target);
void target_db_stop(struct target *target);
/* Connected, or on the way. */
bool target_db_is_busy(const struct target *target);
void target_db_apply_interval(struct target *target);

/* target_migrations.c */
void target_migrations_init(struct target *target);
void target_migrations_fini(struct target *target);
void target_migrations_start(struct target *target);
/* Nothing comes over the link any more; what was read stays. */
void target_migrations_stop(struct target *target);
/* The version rows of a new snapshot. */
void target_migrations_mark(struct target *target);
void target_migrations_tell(struct target *target);
/* Reads a source anew, and goes on with it. */
void target_read_start(struct target_read *read);
/* What a log line says about a migration that runs. */
void target_migrations_note(struct target *target, const struct log_match *match);

/* What a worker brought of the source's folder, or why not. Takes the revisions out of *files. */
void target_read_take(
	struct target_read *read, struct revision_files *files, const struct err *why);

/* target_here.c */
/* False: the next directory is no folder of this machine. Ends in target_read_take. */
bool target_here_start(struct target_read *read);
/* NULL-safe towards what runs; target_read_take is not called any more. */
void target_here_stop(struct target_read *read);
/* As stop, and the source is about to be gone. */
void target_here_leave(struct target_read *read);

/* target_checkout.c */
void target_checkout_start(struct target *target);
void target_checkout_stop(struct target *target);
/* The command line that prints the directory of the checkout as a tar stream. */
int target_checkout_files(const struct target *target, const char *directory, struct buf *out,
	struct err *err);

/* target_legacy.c */
void target_legacy_start(struct target *target);
void target_legacy_ask(struct target *target);
void target_legacy_stop(struct target *target);
void target_legacy_fini(struct target *target);

/* target_logs.c */
void target_logs_init(struct target *target);
void target_logs_fini(struct target *target);
void target_logs_start(struct target *target);
/* Ends the streams; the lines stay. */
void target_logs_stop(struct target *target, const char *why);
/* Another container has the name of the one that is followed: its log is read from now on. */
void target_logs_replaced(struct target_source *source);

/* target_log_watch.c: every ten seconds, whether containers still have their names. */
void log_watch_start(struct target *target);
void log_watch_stop(struct target *target);

/* target_log_feed.c: from bytes to lines of the store. */
void log_feed_begin(struct target_source *source);
void log_feed_data(
	struct target_source *source, enum host_source from, const char *bytes, size_t len);
void log_feed_end(struct target_source *source);
void log_feed_stop(struct target_source *source);
void log_feed_fini(struct target_source *source);
/* Why the command failed, once in a row of failures; or what it said although it did not. */
void log_feed_tell_failure(struct target_source *source, const struct err *why);
/* A line about the log. time_ns 0: now. */
void log_feed_note(struct target_source *source, int64_t time_ns, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
