/*
 * Owns nothing; see the header.
 */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>

#include "play.h"

void scene_do(struct fixture *f, const char *script)
{
	free(play_shell(f, script));
}

void scene_do_in_app(struct fixture *f, const char *script)
{
	char *command = mem_printf("$RUNTIME_COMMAND exec $APP_CONTAINER sh -c '%s'", script);

	scene_do(f, command);
	free(command);
}

void scene_sql(struct fixture *f, const char *sql)
{
	struct err err = { 0 };
	char *rows = range_psql(f->range, sql, &err);

	fixture_check(rows ? 0 : -1, &err);
	free(rows);
}

int scene_session(struct fixture *f, const char *condition)
{
	char *sql = mem_printf("SELECT pid FROM pg_stat_activity WHERE %s", condition);
	int pid = fixture_number(f, sql);

	free(sql);
	assert_true(pid > 0);
	return pid;
}

struct pty *scene_console_of(struct fixture *f, const char *key, const char *line)
{
	char *config = fixture_vary(f, "RANGE_CONFIG", "config", key, line);
	struct pty *p = play_console(f, config);

	play_arm(p);
	free(config);
	return p;
}
