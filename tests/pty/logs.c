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

void logs_command(struct pty *p, const char *line)
{
	pty_key(p, ":");
	pty_type(p, line);
	pty_key(p, "Enter");
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
	logs_command(p, line);
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
