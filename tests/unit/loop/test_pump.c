/*
 * Bytes between descriptors: whole, in order, bounded, with half-closes handed on.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/loop/pump.h>

#include "../host/support.h"

struct outcome {
	int calls;
	enum pump_end end;
	int errnum;
};

struct fixture {
	struct loop *loop;
	struct outcome outcome;
	int near[2]; /* our ends: near[0] is joined with near[1] by the pump */
	int far[2];  /* the pump's */
};

static void on_done(void *arg, enum pump_end end, int errnum)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->end = end;
	outcome->errnum = errnum;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int i, pair[2];

	f->loop = loop_new();
	for (i = 0; i < 2; i++) {
		if (loop_socketpair(pair, NULL) < 0)
			return -1;
		f->near[i] = pair[0];
		f->far[i] = pair[1];
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	close(f->near[0]);
	close(f->near[1]);
	free(f);
	return 0;
}

/* Sends n patterned bytes from near[from] and reads them at the other side. */
static void carry(struct fixture *f, int from, size_t n)
{
	unsigned char block[1000];
	size_t sent = 0, got = 0, i;
	int64_t until = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;
	ssize_t len;

	while (got < n && clock_monotonic() < until) {
		for (i = 0; i < sizeof(block); i++)
			block[i] = (unsigned char)((sent + i) * 131 >> 3);
		len = n - sent < sizeof(block) ? (ssize_t)(n - sent) : (ssize_t)sizeof(block);
		if (len && (len = send(f->near[from], block, (size_t)len, MSG_NOSIGNAL)) > 0)
			sent += (size_t)len;
		loop_run_once(f->loop, 0);
		while ((len = read(f->near[!from], block, sizeof(block))) > 0) {
			for (i = 0; i < (size_t)len; i++)
				assert_int_equal(block[i], (unsigned char)((got + i) * 131 >> 3));
			got += (size_t)len;
		}
	}
	assert_int_equal(got, n);
}

static void pump_carries_both_ways_and_half_closes(void **state)
{
	struct fixture *f = *state;
	char byte;
	ssize_t n = -1;

	pump_start(f->loop, f->far, PUMP_BOTH, on_done, &f->outcome);
	carry(f, 0, 1000000);
	carry(f, 1, 300000);
	shutdown(f->near[0], SHUT_WR);
	wait_for(f->loop, (n = read(f->near[1], &byte, 1)) == 0);
	assert_int_equal(f->outcome.calls, 0);
	carry(f, 1, 300000);
	shutdown(f->near[1], SHUT_WR);
	wait_for(f->loop, f->outcome.calls == 1);
	assert_int_equal(f->outcome.end, PUMP_END_FINISHED);
	assert_int_equal(read(f->near[0], &byte, 1), 0);
}

/* With nobody reading, the pump takes a bounded amount and then leaves the writer blocked. */
static void pump_slows_the_writer_for_a_slow_reader(void **state)
{
	struct fixture *f = *state;
	char block[4096] = { 0 };
	size_t taken = 0;
	ssize_t n;
	int idle;
	struct pump *pump;

	pump = pump_start(f->loop, f->far, PUMP_BOTH, on_done, &f->outcome);
	for (idle = 0; idle < 20; loop_run_once(f->loop, 0)) {
		n = send(f->near[0], block, sizeof(block), MSG_NOSIGNAL);
		taken += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	assert_true(taken > PUMP_SPACE);
	assert_true(taken < PUMP_SPACE + 2 * 1000000);
	pump_stop(pump);
	settle(f->loop);
	assert_int_equal(f->outcome.calls, 0);
}

static void pump_says_when_the_reader_is_gone(void **state)
{
	struct fixture *f = *state;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	close(f->far[0]);
	f->far[0] = pipe_fds[0];
	pump_start(f->loop, f->far, PUMP_FORTH, on_done, &f->outcome);
	settle(f->loop);
	assert_int_equal(f->outcome.calls, 0);
	close(f->near[1]);
	f->near[1] = -1;
	wait_for(f->loop, f->outcome.calls == 1);
	assert_int_equal(f->outcome.end, PUMP_END_GONE);
	close(pipe_fds[1]);
}

/* A reader that only stops writing is still a reader, and costs no busy loop. */
static void pump_keeps_a_reader_that_writes_no_more(void **state)
{
	struct fixture *f = *state;
	int64_t before;
	struct pump *pump;

	pump = pump_start(f->loop, f->far, PUMP_FORTH, on_done, &f->outcome);
	shutdown(f->near[1], SHUT_WR);
	settle(f->loop);
	assert_int_equal(f->outcome.calls, 0);
	carry(f, 0, 100000);
	before = clock_monotonic();
	loop_run_once(f->loop, 200);
	assert_true(clock_monotonic() - before > 150 * CLOCK_NS_PER_MS);
	pump_stop(pump);
}

/* The program under test has SIGPIPE at its default: an unguarded write would end it. */
static void pump_survives_a_closed_pipe(void **state)
{
	struct fixture *f = *state;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	close(f->far[1]);
	f->far[1] = pipe_fds[1];
	close(pipe_fds[0]);
	assert_int_equal(send(f->near[0], "x", 1, MSG_NOSIGNAL), 1);
	pump_start(f->loop, f->far, PUMP_FORTH, on_done, &f->outcome);
	wait_for(f->loop, f->outcome.calls == 1);
	assert_int_equal(f->outcome.end, PUMP_END_GONE);
	assert_int_equal(f->outcome.errnum, EPIPE);
}

/* One side's refusal does not swallow what the other side still has to say. */
static void pump_delivers_last_words_after_a_refusal(void **state)
{
	struct fixture *f = *state;
	char text[32] = { 0 };

	assert_int_equal(send(f->near[1], "FATAL", 5, 0), 5);
	shutdown(f->near[1], SHUT_RD);
	assert_int_equal(send(f->near[0], "query", 5, 0), 5);
	shutdown(f->near[1], SHUT_WR);
	pump_start(f->loop, f->far, PUMP_BOTH, on_done, &f->outcome);
	wait_for(f->loop, f->outcome.calls == 1);
	assert_int_equal(f->outcome.end, PUMP_END_GONE);
	assert_int_equal(read(f->near[0], text, sizeof(text)), 5);
	assert_string_equal(text, "FATAL");
}

/* A stranger holds the source open; finish delivers what is there and ends. */
static void pump_finish_waits_for_bytes_not_for_strangers(void **state)
{
	struct fixture *f = *state;
	static char block[200000];
	int pipe_fds[2];
	struct pump *pump;
	size_t got = 0;
	ssize_t n;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
	assert_int_equal(write(pipe_fds[1], block, sizeof(block)), sizeof(block));
	close(f->far[0]);
	f->far[0] = pipe_fds[0];
	pump = pump_start(f->loop, f->far, PUMP_FORTH, on_done, &f->outcome);
	pump_finish(pump);
	while (!f->outcome.calls || got < sizeof(block)) {
		loop_run_once(f->loop, 10);
		while ((n = read(f->near[1], block, sizeof(block))) > 0)
			got += (size_t)n;
		if (n == 0)
			break;
	}
	assert_int_equal(got, sizeof(block));
	wait_for(f->loop, f->outcome.calls == 1);
	assert_int_equal(f->outcome.end, PUMP_END_FINISHED);
	close(pipe_fds[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pump_carries_both_ways_and_half_closes),
		TEST(pump_slows_the_writer_for_a_slow_reader),
		TEST(pump_says_when_the_reader_is_gone),
		TEST(pump_keeps_a_reader_that_writes_no_more),
		TEST(pump_survives_a_closed_pipe),
		TEST(pump_delivers_last_words_after_a_refusal),
		TEST(pump_finish_waits_for_bytes_not_for_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
