/*
 * See the header.
 */
#include "logs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "escapes.h"
#include "match.h"
#include "play.h"

enum { LIVE_MS = 30000 };

void logs_shell(struct fixture *f, const char *script)
{
	char *text = mem_printf("set -eu; home=%s; . %s/env; docker=\"$RUNTIME_COMMAND\"; %s",
		f->home, range_dir(f->range), script);
	const char *argv[] = { "sh", "-c", text, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	struct err err = { 0 };

	fixture_check(run_program(&options, &result, &err), &err);
	if (result.status != 0)
		print_error("%s\n%s", script, buf_str(&result.err));
	assert_int_equal(result.status, 0);
	run_result_fini(&result);
	free(text);
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf text = BUF_INIT;
	char chunk[65536];
	size_t n;

	assert_non_null(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	return buf_steal(&text);
}

char *logs_written(struct fixture *f, struct pty *p)
{
	char *path = mem_printf("%s/written", f->home), *line = mem_printf("write %s", path);
	char *text;

	unlink(path);
	play_command(p, line);
	pty_wait_text(p, "written to", PTY_WAIT_MS);
	text = read_file(path);
	free(line);
	free(path);
	return text;
}

void logs_expect_counted(const char *text, int n)
{
	const char *at = text;
	char want[32];
	int i;

	for (i = 1; i <= n; i++) {
		snprintf(want, sizeof(want), "count %d\n", i);
		at = strstr(at, want);
		if (!at)
			fail_msg("count %d is missing or out of order", i);
		if (strstr(at + strlen(want), want))
			fail_msg("count %d stands there twice", i);
	}
}

/* --- a container that counts ------------------------------------------------------------------ */

void logs_count(struct fixture *f, const struct logs_container *c, int from, int to)
{
	char *script = mem_printf("from=%d; to=%d; %s", from, to, c->count);

	logs_shell(f, script);
	free(script);
}

static void count_and_wait(
	struct fixture *f, struct pty *p, const struct logs_container *c, int from, int to)
{
	char *last = mem_printf("count %d", to);

	logs_count(f, c, from, to);
	pty_wait_text(p, last, LIVE_MS);
	free(last);
}

struct pty *logs_follow_new(struct fixture *f, const struct logs_container *c)
{
	char *title = mem_printf("3 Logs─── %s following", c->name);
	struct pty *p;

	logs_shell(f, c->make);
	p = c->open(f);
	pty_wait_text(p, title, LIVE_MS);
	free(title);
	return p;
}

void logs_outlive_a_cut(struct fixture *f, const struct logs_container *c)
{
	struct pty *p = logs_follow_new(f, c);
	struct err err = { 0 };
	char *text;

	count_and_wait(f, p, c, 1, 200);
	fixture_check(range_ssh_suspend(f->range, &err), &err);
	fixture_check(range_sshd_kill_connections(f->range, &err), &err);
	logs_count(f, c, 201, 400);
	fixture_check(range_ssh_resume(f->range, &err), &err);
	pty_wait_text(p, "count 400", LIVE_MS);
	count_and_wait(f, p, c, 401, 500);
	text = logs_written(f, p);
	logs_expect_counted(text, 500);
	assert_true(match_text(text,
		"count 200\n.*: -- the link was lost at .* from where it was cut\n.*count 201\n"));
	free(text);
	fixture_quit(p);
}

void logs_outlive_a_replacement(struct fixture *f, const struct logs_container *c)
{
	struct pty *p = logs_follow_new(f, c);
	char *text;

	count_and_wait(f, p, c, 1, 50);
	logs_shell(f, c->restart);
	if (!c->same_stream)
		pty_wait_text(p, "the container was started again", LIVE_MS);
	count_and_wait(f, p, c, 51, 100);
	logs_shell(f, c->make);
	pty_wait_text(p, "another container has the name now: [0-9a-f]{12}", LIVE_MS);
	count_and_wait(f, p, c, 101, 150);
	text = logs_written(f, p);
	logs_expect_counted(text, 150);
	free(text);
	fixture_quit(p);
}

void logs_outlive_a_renaming(
	struct fixture *f, const struct logs_container *c, const char *rename, const char *clean)
{
	struct pty *p = logs_follow_new(f, c);
	char *text;

	count_and_wait(f, p, c, 1, 50);
	logs_shell(f, rename);
	logs_shell(f, c->make);
	logs_count(f, c, 51, 100); /* before anybody has looked */
	pty_wait_text(p, "another container has the name now: [0-9a-f]{12}", LIVE_MS);
	pty_wait_text(p, "count 100", LIVE_MS);
	count_and_wait(f, p, c, 101, 150);
	text = logs_written(f, p);
	logs_expect_counted(text, 150);
	free(text);
	logs_shell(f, clean);
	fixture_quit(p);
}

/* --- in batch --------------------------------------------------------------------------------- */

void logs_expect_run(struct fixture *f, const char *const *arguments, int status, const char *out,
	const char *err)
{
	struct run_result result;
	char *found;

	fixture_run(f, arguments, &result);
	found = escapes_any(buf_str(&result.out), result.out.len);
	if (found)
		fail_msg("%s", found);
	if (result.status != status || (out && !match_text(buf_str(&result.out), out)) ||
		(err && !match_text(buf_str(&result.err), err)))
		print_error("status %d\n%.2000s\n%s", result.status, buf_str(&result.out),
			buf_str(&result.err));
	assert_int_equal(result.status, status);
	assert_true(!out || match_text(buf_str(&result.out), out));
	assert_true(!err || match_text(buf_str(&result.err), err));
	run_result_fini(&result);
}
