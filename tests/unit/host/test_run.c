/*
 * Commands run to their end: output, bounds, limits, and cancelling from anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/local.h>
#include <pgoncall/host/run.h>

#include "support.h"

struct fixture {
	struct loop *loop;
	struct transport *transport;
	int fds_before;
};

struct outcome {
	int calls, status;
	struct err err;
	struct buf out, error;
	bool truncated;
	struct host_run *cancel; /* this run is cancelled from inside done */
	char check[768];
};

static void on_done(void *arg, const struct host_output *output, const struct err *err)
{
	struct outcome *outcome = arg;
	struct err check = { .code = ERR_OK };

	outcome->calls++;
	outcome->status = output->status;
	outcome->err = *err;
	outcome->truncated = output->truncated;
	buf_add(&outcome->out, buf_str(&output->out), output->out.len);
	buf_add(&outcome->error, buf_str(&output->err), output->err.len);
	(void)host_output_check(output, err, "the command", &check);
	memcpy(outcome->check, check.text, sizeof(check.text));
	if (outcome->cancel)
		host_run_cancel(outcome->cancel);
}

static void outcome_fini(struct outcome *outcome)
{
	buf_fini(&outcome->out);
	buf_fini(&outcome->error);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const struct transport_events events = { 0 };

	f->fds_before = count_fds();
	f->loop = loop_new();
	f->transport = local_transport_open(f->loop, &events);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	int left;

	if (f->transport)
		f->transport->ops->close(f->transport);
	loop_free(f->loop);
	left = count_fds() - f->fds_before;
	free(f);
	return left;
}

static void run_collects_output_and_status(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };

	host_run_start(f->loop, f->transport, "echo out; echo one >&2; echo two >&2; exit 3", NULL,
		on_done, &outcome);
	assert_int_equal(outcome.calls, 0);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.status, 3);
	assert_int_equal(outcome.err.code, ERR_OK);
	assert_false(outcome.truncated);
	assert_string_equal(buf_str(&outcome.out), "out\n");
	assert_string_equal(buf_str(&outcome.error), "one\ntwo\n");
	assert_string_equal(outcome.check, "the command: exit 3: two");
	outcome_fini(&outcome);
}

static void run_feeds_stdin_of_any_size(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	struct host_run_options options = { .stdin_len = 3000000 };
	char *bytes = malloc(options.stdin_len);
	size_t i;

	for (i = 0; i < options.stdin_len; i++)
		bytes[i] = (char)(i * 31 >> 2);
	options.stdin_bytes = bytes;
	host_run_start(f->loop, f->transport, "cat", &options, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.out.len, options.stdin_len);
	assert_memory_equal(outcome.out.data, bytes, options.stdin_len);
	outcome_fini(&outcome);
	free(bytes);
}

/* A command that does not read its stdin ends all the same. */
static void run_survives_stdin_nobody_reads(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	char *bytes = calloc(1, 2000000);
	struct host_run_options options = { .stdin_bytes = bytes, .stdin_len = 2000000 };

	host_run_start(f->loop, f->transport, "exec <&-; echo ok", &options, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_string_equal(buf_str(&outcome.out), "ok\n");
	options.stdin_len = 0;
	host_run_start(f->loop, f->transport, "wc -c", &options, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 2);
	assert_string_equal(buf_str(&outcome.out), "ok\n0\n");
	outcome_fini(&outcome);
	free(bytes);
}

static void run_cuts_output_and_says_so(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	const struct host_run_options options = { .max_output = 1000 };

	host_run_start(f->loop, f->transport, "head -c 1000000 /dev/zero; echo end >&2", &options,
		on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.status, 0);
	assert_int_equal(outcome.out.len, 1000);
	assert_true(outcome.truncated);
	assert_string_equal(buf_str(&outcome.error), "end\n");
	outcome_fini(&outcome);
}

static void run_ends_at_its_time_limit(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };
	const struct host_run_options options = { .timeout_ms = 150 };

	host_run_start(
		f->loop, f->transport, "echo begun; sleep 1000; true", &options, on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_int_equal(outcome.err.code, ERR_TIMEOUT);
	assert_int_equal(outcome.status, -1);
	assert_string_equal(buf_str(&outcome.out), "begun\n");
	assert_string_equal(outcome.check, "the command: no end after 150 ms");
	outcome_fini(&outcome);
}

static void run_cancel_is_silent_and_safe_anywhere(void **state)
{
	struct fixture *f = *state;
	struct outcome silent = { 0 }, inside = { 0 };
	struct host_run *run;

	host_run_cancel(NULL);
	run = host_run_start(f->loop, f->transport, "sleep 1000; true", NULL, on_done, &silent);
	host_run_cancel(run);
	run = host_run_start(f->loop, f->transport, "yes", NULL, on_done, &silent);
	settle(f->loop);
	host_run_cancel(run);
	inside.cancel = host_run_start(f->loop, f->transport, "true", NULL, on_done, &inside);
	wait_for(f->loop, inside.calls == 1);
	settle(f->loop);
	assert_int_equal(silent.calls, 0);
	outcome_fini(&silent);
	outcome_fini(&inside);
}

static void run_reports_a_closed_transport(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 }, silent = { 0 };
	char mark[] = "/tmp/test_run.XXXXXX";
	struct host_run *run;
	char *command;

	close(mkstemp(mark));
	command = mem_printf("echo begun; rm %s; sleep 1000", mark);
	host_run_start(f->loop, f->transport, command, NULL, on_done, &outcome);
	free(command);
	run = host_run_start(f->loop, f->transport, "sleep 1000", NULL, on_done, &silent);
	/* What was printed before is in the pipe by now, one turn of the loop away. */
	wait_for(f->loop, access(mark, F_OK) < 0);
	settle(f->loop);
	host_run_cancel(run);
	f->transport->ops->close(f->transport);
	f->transport = NULL;
	assert_int_equal(outcome.calls, 1);
	assert_int_equal(outcome.err.code, ERR_CANCELLED);
	assert_int_equal(outcome.status, -1);
	assert_string_equal(buf_str(&outcome.out), "begun\n");
	assert_int_equal(silent.calls, 0);
	outcome_fini(&outcome);
}

static void run_makes_foreign_sentences_safe(void **state)
{
	struct fixture *f = *state;
	struct outcome outcome = { 0 };

	host_run_start(f->loop, f->transport, "printf 'x\\n\\033[2Jbad\\n\\n' >&2; exit 1", NULL,
		on_done, &outcome);
	wait_for(f->loop, outcome.calls == 1);
	assert_string_equal(outcome.check, "the command: exit 1: ^[[2Jbad");
	outcome_fini(&outcome);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(run_collects_output_and_status),
		TEST(run_feeds_stdin_of_any_size),
		TEST(run_survives_stdin_nobody_reads),
		TEST(run_cuts_output_and_says_so),
		TEST(run_ends_at_its_time_limit),
		TEST(run_cancel_is_silent_and_safe_anywhere),
		TEST(run_reports_a_closed_transport),
		TEST(run_makes_foreign_sentences_safe),
	};

	/* libuv keeps some descriptors from the first loop on. */
	loop_free(loop_new());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
