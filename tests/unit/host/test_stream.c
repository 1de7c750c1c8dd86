/*
 * Following a command's output: pieces in order, pausing, stopping from inside callbacks.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/host/local.h>
#include <pgoncall/host/stream.h>

#include "support.h"

struct follower {
	struct host_stream *stream;
	struct buf got[2];
	size_t stop_after, pause_after; /* bytes; 0: never */
	int ends, status;
	struct err err;
};

static struct loop *loop;
static struct transport *transport;

static void on_data(void *arg, enum host_source source, const char *bytes, size_t len)
{
	struct follower *f = arg;

	assert_int_equal(f->ends, 0);
	buf_add(&f->got[source], bytes, len);
	if (f->stop_after && f->got[source].len >= f->stop_after)
		host_stream_stop(f->stream);
	if (f->pause_after && f->got[source].len >= f->pause_after) {
		f->pause_after = 0;
		host_stream_pause(f->stream);
	}
}

static void on_end(void *arg, int status, const struct err *err)
{
	struct follower *f = arg;

	f->ends++;
	f->status = status;
	f->err = *err;
	host_stream_stop(f->stream);
}

static void follow(struct follower *f, const char *command)
{
	const struct host_stream_events events = { on_data, on_end, f };

	f->stream = host_stream_start(loop, transport, command, NULL, 0, &events);
}

static void follower_fini(struct follower *f)
{
	buf_fini(&f->got[0]);
	buf_fini(&f->got[1]);
}

static int set_up(void **state)
{
	const struct transport_events events = { 0 };

	(void)state;
	loop = loop_new();
	transport = local_transport_open(loop, &events);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	transport->ops->close(transport);
	loop_free(loop);
	return 0;
}

static void stream_hands_on_pieces_as_they_come(void **state)
{
	struct follower f = { 0 };

	(void)state;
	follow(&f, "echo first; echo aside >&2; read x </dev/null; sleep 0.2; echo last; exit 4");
	wait_for(loop, f.got[HOST_STDOUT].len == 6);
	assert_int_equal(f.ends, 0);
	wait_for(loop, f.ends == 1);
	assert_string_equal(buf_str(&f.got[HOST_STDOUT]), "first\nlast\n");
	assert_string_equal(buf_str(&f.got[HOST_STDERR]), "aside\n");
	assert_int_equal(f.status, 4);
	assert_int_equal(f.err.code, ERR_OK);
	follower_fini(&f);
}

static void stream_stops_from_inside_its_callback(void **state)
{
	struct follower f = { .stop_after = 100000 };

	(void)state;
	follow(&f, "yes");
	wait_for(loop, f.got[HOST_STDOUT].len >= 100000);
	settle(loop);
	assert_int_equal(f.ends, 0);
	follower_fini(&f);
}

static bool is_alive(long pid)
{
	return pid > 0 && kill((pid_t)pid, 0) == 0;
}

/* A command that is quiet ends when its stream is stopped; one that ends tells its status and leaves
 * no watcher. */
static void stream_tied_command_ends_with_it(void **state)
{
	struct follower f = { 0 }, g = { 0 };
	const struct host_stream_events events = { on_data, on_end, &f };
	const struct host_stream_events others = { on_data, on_end, &g };
	long pid;

	(void)state;
	f.stream = host_stream_start_tied(
		loop, transport, "echo $$; exec sh -c 'echo $$; exec sleep 300'", &events);
	wait_for(loop, f.got[HOST_STDOUT].len > 0 && strchr(buf_str(&f.got[HOST_STDOUT]), '\n') &&
			       strchr(strchr(buf_str(&f.got[HOST_STDOUT]), '\n') + 1, '\n'));
	pid = strtol(strchr(buf_str(&f.got[HOST_STDOUT]), '\n'), NULL, 10);
	assert_true(is_alive(pid));
	host_stream_stop(f.stream);
	wait_for(loop, !is_alive(pid));
	assert_int_equal(f.ends, 0);

	g.stream = host_stream_start_tied(
		loop, transport, "read x; echo \"[$x]\"; echo e >&2; exit 7", &others);
	wait_for(loop, g.ends == 1);
	assert_int_equal(g.status, 7);
	assert_string_equal(buf_str(&g.got[HOST_STDOUT]), "[]\n");
	assert_string_equal(buf_str(&g.got[HOST_STDERR]), "e\n");
	follower_fini(&f);
	follower_fini(&g);
}

/* While paused nothing comes, the command's end included; then everything does. */
static void stream_pause_holds_data_and_end_back(void **state)
{
	struct follower f = { .pause_after = 1 };
	size_t at_pause;

	(void)state;
	follow(&f, "head -c 1000000 /dev/zero");
	wait_for(loop, f.got[HOST_STDOUT].len > 0);
	at_pause = f.got[HOST_STDOUT].len;
	settle(loop);
	assert_int_equal(f.got[HOST_STDOUT].len, at_pause);
	assert_int_equal(f.ends, 0);
	host_stream_resume(f.stream);
	wait_for(loop, f.ends == 1);
	assert_int_equal(f.got[HOST_STDOUT].len, 1000000);
	follower_fini(&f);
}

static void stream_paused_over_its_whole_life_still_ends(void **state)
{
	struct follower f = { 0 };

	(void)state;
	follow(&f, "echo short");
	host_stream_pause(f.stream);
	loop_run_once(loop, 100);
	loop_run_once(loop, 100);
	settle(loop);
	assert_int_equal(f.got[HOST_STDOUT].len, 0);
	assert_int_equal(f.ends, 0);
	host_stream_resume(f.stream);
	wait_for(loop, f.ends == 1);
	assert_string_equal(buf_str(&f.got[HOST_STDOUT]), "short\n");
	follower_fini(&f);
}

/* The command's reader is slow: the command waits, our memory does not grow. */
static void stream_pause_slows_the_command(void **state)
{
	struct follower f = { .pause_after = 1 };
	struct buf size = BUF_INIT;
	char dir[] = "/tmp/test_stream.XXXXXX";
	struct buf command = BUF_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	buf_printf(&command, "head -c 50000000 /dev/zero | tee %s/copy", dir);
	follow(&f, buf_str(&command));
	wait_for(loop, f.got[HOST_STDOUT].len > 0);
	loop_run_once(loop, 200);
	settle(loop);
	buf_clear(&command);
	buf_printf(&command, "stat -c %%s %s/copy", dir);
	shell(buf_str(&command), &size);
	assert_true(atol(buf_str(&size)) < 5000000);
	host_stream_stop(f.stream);
	settle(loop);
	assert_int_equal(f.ends, 0);
	buf_clear(&command);
	buf_printf(&command, "rm -r %s", dir);
	shell(buf_str(&command), &size);
	buf_fini(&command);
	buf_fini(&size);
	follower_fini(&f);
}

/* A transport whose exec hands our descriptors to a process: its own children keep them open. */
static transport_done_cb held_done;
static void *held_arg;
static int held_fd = -1;

static void holding_exec(struct transport *self, const char *command, const int fds_take[3],
	transport_done_cb done, void *arg)
{
	(void)self;
	(void)command;
	held_done = done;
	held_arg = arg;
	held_fd = fds_take[1];
	if (fds_take[0] >= 0)
		close(fds_take[0]);
	close(fds_take[2]);
}

static void stream_ends_when_quiet_though_a_stranger_holds_its_output(void **state)
{
	static const struct transport_ops ops = { .exec = holding_exec };
	struct transport holding = { &ops };
	const struct err none = { .code = ERR_OK };
	struct follower f = { 0 };
	const struct host_stream_events events = { on_data, on_end, &f };

	(void)state;
	f.stream = host_stream_start(loop, &holding, "x", NULL, 0, &events);
	assert_int_equal(write(held_fd, "late", 4), 4);
	held_done(held_arg, 0, &none);
	assert_int_equal(f.ends, 0);
	wait_for(loop, f.ends == 1);
	assert_string_equal(buf_str(&f.got[HOST_STDOUT]), "late");
	close(held_fd);
	follower_fini(&f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(stream_hands_on_pieces_as_they_come),
		TEST(stream_tied_command_ends_with_it),
		TEST(stream_stops_from_inside_its_callback),
		TEST(stream_pause_holds_data_and_end_back),
		TEST(stream_paused_over_its_whole_life_still_ends),
		TEST(stream_pause_slows_the_command),
		TEST(stream_ends_when_quiet_though_a_stranger_holds_its_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
