/*
 * What the tests of the console's care for its target share beyond the fixture: sessions, a network,
 * a standby, and the server's processes, all given back in the teardown, which counts when a test
 * failed on the way.
 */
#ifndef PGONCALL_TESTS_PTY_CARE_H
#define PGONCALL_TESTS_PTY_CARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <pgoncall/base/err.h>

#include "fixture.h"
#include "netns.h"
#include "sessions.h"
#include "standby.h"

/* The group's state. What is not NULL, 0 or false is for the teardown to give back. */
struct care {
	struct fixture *fixture;
	struct sessions *sessions;
	struct netns *netns;
	struct standby *standby;
	pid_t stopped;      /* a process of the server that was stopped; 0: none */
	bool database_down; /* its container is stopped */
	bool logs_all;      /* the role's statements are logged */
};

/* For cmocka_run_group_tests and cmocka_unit_test_setup_teardown: state is a struct care. */
int care_group_setup(void **state);
int care_group_teardown(void **state);
int care_setup(void **state);
int care_teardown(void **state);

/* The one number that a shell script prints which knows the range's values as variables. */
int care_shell_number(struct fixture *f, const char *script);
/* Whether the range is of containers; and "stop", "start" or "restart" of the database's. */
bool care_has_containers(const struct range *range);
int care_container_do(struct range *range, const char *verb, struct err *err);

/* Until the superuser's SQL yields these rows, whatever it yields, or fails with, before. */
void care_wait_rows(struct fixture *f, const char *sql, const char *rows, int timeout_ms);
/* sessions_open for the test that runs; and their end. */
void care_hold_sessions(struct care *care, const char *conninfo, const char *name, size_t n);
void care_release_sessions(struct care *care);
/* The process of a session, as this machine numbers it. */
pid_t care_backend_pid(struct fixture *f, int pid);
/* Whether the server logs all that the role bo1 says in connections it makes from now on. */
void care_log_all(struct care *care, bool on);

#endif
