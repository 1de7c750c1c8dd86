/*
 * What a test of runbooks does on the range beside the console, and a console of a configuration that
 * it varies.
 */
#ifndef PGONCALL_TESTS_PTY_SCENE_H
#define PGONCALL_TESTS_PTY_SCENE_H

#include <sys/types.h>

#include "fixture.h"

/* A shell script that knows the range's values as variables; and one in the application's container,
 * without single quotes. Neither may fail. */
void scene_do(struct fixture *f, const char *script);
void scene_do_in_app(struct fixture *f, const char *script);
/* SQL as the superuser, which must not fail. */
void scene_sql(struct fixture *f, const char *sql);
/* The process ID of the one session that the condition names. */
int scene_session(struct fixture *f, const char *condition);

/* A console that may write; each line of the configuration that begins with `key` is replaced. */
struct pty *scene_console_of(struct fixture *f, const char *key, const char *line);

/* A small server that answers every request as it is told; its port. For daemon_stop. */
int scene_serve(struct fixture *f, const char *answers, pid_t *pid);
/* "200", or "302 200": elsewhere, and what is answered there. */
void scene_answer(struct fixture *f, const char *answers);

#endif
