/*
 * The loop: timers, posts from another thread, descriptors, workers, children.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/loop/loop.h>

struct seen {
	struct loop *loop;
	char order[16];
	int count;
	int status;
	char text[64];
};

static void note(struct seen *seen, char c)
{
	size_t len = strlen(seen->order);

	assert_true(len + 1 < sizeof(seen->order));
	seen->order[len] = c;
	if (++seen->count == 3)
		loop_stop(seen->loop);
}

static void on_a(void *arg)
{
	note(arg, 'a');
}

static void on_b(void *arg)
{
	note(arg, 'b');
}

static void on_c(void *arg)
{
	note(arg, 'c');
}

static void *post_from_thread(void *arg)
{
	struct seen *seen = arg;

	loop_post(seen->loop, on_a, seen);
	loop_post(seen->loop, on_b, seen);
	loop_post(seen->loop, on_c, seen);
	return NULL;
}

static void loop_runs_posts_of_another_thread_in_order(void **state)
{
	struct seen seen = { .loop = loop_new() };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &seen), 0);
	loop_run(seen.loop);
	pthread_join(thread, NULL);
	assert_string_equal(seen.order, "abc");
	loop_free(seen.loop);
}

static void loop_free_runs_posts_that_are_left(void **state)
{
	struct seen seen = { .loop = loop_new() };

	(void)state;
	loop_post(seen.loop, on_b, &seen);
	loop_free(seen.loop);
	assert_string_equal(seen.order, "b");
}

static void on_timer(struct loop_timer *timer, void *arg)
{
	struct seen *seen = arg;

	note(seen, 't');
	if (seen->count == 3)
		loop_timer_stop(timer);
}

static void loop_timer_repeats_until_stopped(void **state)
{
	struct seen seen = { .loop = loop_new() };

	(void)state;
	loop_timer_start(seen.loop, 0, 1, on_timer, &seen);
	loop_run(seen.loop);
	assert_string_equal(seen.order, "ttt");
	loop_free(seen.loop);
}

static void on_readable(struct loop_poll *poll, int events, void *arg)
{
	struct seen *seen = arg;
	int fds[2];
	ssize_t got;

	memcpy(fds, seen->text, sizeof(fds));
	assert_int_equal(events & LOOP_READ, LOOP_READ);
	got = read(fds[0], seen->text, sizeof(seen->text) - 1);
	assert_int_equal(got, 5);
	loop_poll_stop(poll);
	loop_stop(seen->loop);
}

static void loop_poll_tells_what_is_readable(void **state)
{
	struct seen seen = { .loop = loop_new() };
	int fds[2];

	(void)state;
	assert_int_equal(loop_socketpair(fds, NULL), 0);
	memcpy(seen.text, fds, sizeof(fds));
	loop_poll_start(seen.loop, fds[0], LOOP_READ, on_readable, &seen);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	loop_run(seen.loop);
	assert_memory_equal(seen.text, "hello", 5);
	close(fds[0]);
	close(fds[1]);
	loop_free(seen.loop);
}

static void work_on_thread(void *arg)
{
	struct seen *seen = arg;

	strcpy(seen->text, "worked");
}

static void work_done(void *arg)
{
	struct seen *seen = arg;

	assert_string_equal(seen->text, "worked");
	loop_stop(seen->loop);
}

static void loop_work_comes_back_to_the_loop(void **state)
{
	struct seen seen = { .loop = loop_new() };

	(void)state;
	loop_work(seen.loop, work_on_thread, work_done, &seen);
	loop_run(seen.loop);
	loop_free(seen.loop);
}

static void on_exit_status(struct loop_child *child, int status, void *arg)
{
	struct seen *seen = arg;

	(void)child;
	seen->status = status;
	loop_stop(seen->loop);
}

static int run_child(const char *script, int signum)
{
	struct seen seen = { .loop = loop_new(), .status = -1 };
	char shell[] = "sh", option[] = "-c";
	char *argv[] = { shell, option, (char *)script, NULL };
	int fds[3] = { -1, -1, -1 };
	struct loop_child *child;

	assert_int_equal(
		loop_child_start(seen.loop, argv, fds, on_exit_status, &seen, &child, NULL), 0);
	if (signum)
		loop_child_kill(child, signum);
	loop_run(seen.loop);
	loop_free(seen.loop);
	return seen.status;
}

static void loop_child_reports_status_and_signal(void **state)
{
	(void)state;
	assert_int_equal(run_child("exit 7", 0), 7);
	assert_int_equal(run_child("exec sleep 1000", SIGTERM), 128 + SIGTERM);
}

static void loop_child_that_cannot_run_is_an_error(void **state)
{
	struct loop *loop = loop_new();
	char program[] = "/nonexistent/program";
	char *argv[] = { program, NULL };
	int fds[3] = { -1, -1, -1 };
	struct loop_child *child;
	struct err err;

	(void)state;
	assert_int_equal(loop_child_start(loop, argv, fds, on_exit_status, NULL, &child, &err), -1);
	assert_null(child);
	assert_string_equal(
		err.text, "cannot run /nonexistent/program: No such file or directory");
	loop_free(loop);
}

/* Each call waits; none returns at once because of what an earlier one left behind. */
static void loop_run_once_waits_every_time(void **state)
{
	struct loop *loop = loop_new();
	int64_t begun = clock_monotonic();
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		loop_run_once(loop, 20);
	assert_true(clock_monotonic() - begun >= 59 * CLOCK_NS_PER_MS);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_runs_posts_of_another_thread_in_order),
		cmocka_unit_test(loop_free_runs_posts_that_are_left),
		cmocka_unit_test(loop_timer_repeats_until_stopped),
		cmocka_unit_test(loop_poll_tells_what_is_readable),
		cmocka_unit_test(loop_work_comes_back_to_the_loop),
		cmocka_unit_test(loop_child_reports_status_and_signal),
		cmocka_unit_test(loop_child_that_cannot_run_is_an_error),
		cmocka_unit_test(loop_run_once_waits_every_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
