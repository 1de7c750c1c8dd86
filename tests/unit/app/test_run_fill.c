/*
 * What a finding fills into a runbook: only a session that blocks others, and a prepared transaction
 * only where there is no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/app/console_run.h"

enum { BLOCKER = 101, MIGRATION = 202 };

static char none[] = "";
static char began[] = "2026-01-01 03:00:00+00";
static char later[] = "2026-01-01 03:05:00+00";

struct picture {
	struct db_session sessions[4];
	struct db_snapshot snapshot;
};

static void picture_init(struct picture *p, size_t n)
{
	memset(p, 0, sizeof(*p));
	p->snapshot.sessions = p->sessions;
	p->snapshot.n_sessions = n;
}

static const struct db_session *fill(const struct picture *p, int pid, char *backend_start)
{
	struct finding finding = {
		.code = "migration-blocked", .pid = pid, .backend_start = backend_start
	};

	return run_fill_session(&p->snapshot, &finding);
}

static void run_fill_takes_the_root(void **state)
{
	struct picture p;

	(void)state;
	picture_init(&p, 2);
	p.sessions[0].pid = MIGRATION;
	p.sessions[0].backend_start = began;
	p.sessions[1].pid = BLOCKER;
	p.sessions[1].backend_start = began;
	p.sessions[1].is_root = true;
	assert_ptr_equal(fill(&p, BLOCKER, began), &p.sessions[1]);
	/* Its number was given to another. */
	assert_null(fill(&p, BLOCKER, later));
	assert_null(run_fill_session(NULL, &(struct finding){ .pid = BLOCKER }));
}

/* Whoever blocks it is not known: the migration itself is not what is to be ended. */
static void run_fill_leaves_who_blocks_nobody(void **state)
{
	struct picture p;

	(void)state;
	picture_init(&p, 1);
	p.sessions[0].pid = MIGRATION;
	p.sessions[0].backend_start = began;
	assert_null(fill(&p, MIGRATION, began));
	p.sessions[0].is_root = true;
	assert_ptr_equal(fill(&p, MIGRATION, began), &p.sessions[0]);
}

static void run_fill_leaves_two_prepared_to_choose(void **state)
{
	struct picture p;

	(void)state;
	picture_init(&p, 3);
	p.sessions[0].is_root = p.sessions[1].is_root = true;
	p.sessions[2].pid = BLOCKER;
	p.sessions[2].backend_start = began;
	p.sessions[2].is_root = true;
	assert_null(fill(&p, 0, none));
	p.sessions[0].is_root = false;
	assert_ptr_equal(fill(&p, 0, none), &p.sessions[1]);
	p.sessions[1].is_root = false;
	assert_null(fill(&p, 0, none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run_fill_takes_the_root),
		cmocka_unit_test(run_fill_leaves_who_blocks_nobody),
		cmocka_unit_test(run_fill_leaves_two_prepared_to_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
