/*
 * Two descriptors and the bytes between them. Each direction is a `lane`: where it reads, where it
 * writes, and what it holds. There is one poll per descriptor, because a descriptor can be watched
 * only once; what it waits for follows from the state of both lanes.
 *
 * Owns the two descriptors from start to end. Does not know what the bytes mean or whose they are.
 */
#include <pgoncall/loop/pump.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <pgoncall/base/mem.h>

#define PUMP_ROUNDS 8 /* buffers moved per wake-up, so that one flood does not hold up the loop */

struct lane {
	bool open;    /* not yet at its end */
	bool eof;     /* the source has ended */
	bool last;    /* pump_finish: what is readable now is all there will be */
	size_t start; /* bytes data[start .. end) are held */
	size_t end;
	size_t *count; /* of bytes that were written, or NULL; borrowed */
	char data[PUMP_SPACE];
};

struct pump {
	struct loop *loop;
	int fds[2];
	bool is_socket[2];
	bool deaf[2]; /* a one-way writer whose far end writes no more, but still reads */
	int gone;     /* errno of the first failed write, 0: none */
	struct loop_poll *polls[2];
	struct loop_timer *later; /* runs the pump once without waiting for a descriptor */
	struct lane *lanes[2];    /* lanes[i] reads fds[i] and writes fds[!i]; NULL: no such way */
	void (*done)(void *arg, enum pump_end end, int errnum);
	void *arg;
};

static bool pump_is_again(int errnum)
{
	return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

/* write(2) that raises no SIGPIPE, whatever the process has made of that signal: it is blocked, and
 * taken back when this write caused it. */
static ssize_t pump_write_pipe(int fd, const char *bytes, size_t len)
{
	const struct timespec at_once = { 0, 0 };
	sigset_t pipe_set, pending, old;
	ssize_t n;
	int saved;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	n = write(fd, bytes, len);
	saved = errno;
	if (n < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe_set, NULL, &at_once) < 0 && errno == EINTR)
			continue;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return n;
}

static ssize_t pump_write(const struct pump *pump, int side, const char *bytes, size_t len)
{
	if (pump->is_socket[side])
		return send(pump->fds[side], bytes, len, MSG_NOSIGNAL);
	return pump_write_pipe(pump->fds[side], bytes, len);
}

static void pump_close(struct pump *pump, int side)
{
	loop_poll_stop(pump->polls[side]);
	pump->polls[side] = NULL;
	if (pump->fds[side] >= 0)
		close(pump->fds[side]);
	pump->fds[side] = -1;
}

static void pump_free(struct pump *pump)
{
	loop_timer_stop(pump->later);
	pump_close(pump, 0);
	pump_close(pump, 1);
	free(pump->lanes[0]);
	free(pump->lanes[1]);
	free(pump);
}

static void pump_end(struct pump *pump, enum pump_end end, int errnum)
{
	void (*done)(void *arg, enum pump_end end, int errnum) = pump->done;
	void *arg = pump->arg;

	pump_free(pump);
	done(arg, end, errnum);
}

/* The lane's end, once everything is delivered: the writer's far end is told. */
static void pump_end_lane(struct pump *pump, int from)
{
	int to = !from;

	pump->lanes[from]->open = false;
	if (pump->is_socket[to])
		shutdown(pump->fds[to], SHUT_WR);
	else if (!pump->lanes[to] || !pump->lanes[to]->open)
		pump_close(pump, to);
}

/* Fills the lane from its source. Returns whether something came. */
static bool pump_fill(struct pump *pump, int from)
{
	struct lane *lane = pump->lanes[from];
	ssize_t n;

	if (lane->eof || lane->end > lane->start)
		return false;
	lane->start = lane->end = 0;
	n = read(pump->fds[from], lane->data, sizeof(lane->data));
	if (n > 0) {
		lane->end = (size_t)n;
		return true;
	}
	if (n == 0 || !pump_is_again(errno) || (lane->last && errno != EINTR))
		lane->eof = true;
	return false;
}

/* Writes what the lane holds. Returns 1: all of it, 0: the writer is full, -1: it is gone
 * (errno). */
static int pump_drain(struct pump *pump, int from)
{
	struct lane *lane = pump->lanes[from];
	ssize_t n;

	while (lane->end > lane->start) {
		n = pump_write(pump, !from, lane->data + lane->start, lane->end - lane->start);
		if (n < 0)
			return pump_is_again(errno) ? 0 : -1;
		lane->start += (size_t)n;
		if (lane->count)
			*lane->count += (size_t)n;
	}
	return 1;
}

/* Moves what can be moved. Returns -1 when the writer is gone (errno). */
static int pump_run_lane(struct pump *pump, int from)
{
	struct lane *lane = pump->lanes[from];
	int round, rc;

	if (!lane || !lane->open)
		return 0;
	for (round = 0; round < PUMP_ROUNDS; round++) {
		rc = pump_drain(pump, from);
		if (rc <= 0)
			return rc;
		if (!pump_fill(pump, from))
			break;
	}
	if (lane->eof && lane->end == lane->start)
		pump_end_lane(pump, from);
	return 0;
}

/* What the descriptor of this side is watched for. A side that is only written to is watched for
 * reading as well, which is how a reader that went away shows. */
static int pump_wants(const struct pump *pump, int side)
{
	const struct lane *in = pump->lanes[side], *out = pump->lanes[!side];
	int events = 0;

	if (in && in->open && !in->eof && in->end == in->start)
		events |= LOOP_READ;
	if (out && out->open && out->end > out->start)
		events |= LOOP_WRITE;
	if (!in && out && out->open && !pump->deaf[side])
		events |= LOOP_READ;
	return events;
}

/* A one-way writer became readable: its far end is closed, writes no more, or sends what nobody
 * wants (which is thrown away). Returns whether it is closed. */
static bool pump_reader_left(struct pump *pump, int side)
{
	struct pollfd pfd = { .fd = pump->fds[side], .events = POLLOUT };
	char unwanted[512];

	if (pump->lanes[side] || pump->fds[side] < 0)
		return false;
	if (!pump->is_socket[side])
		return true;
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR)))
		return true;
	if (recv(pump->fds[side], unwanted, sizeof(unwanted), MSG_DONTWAIT) == 0)
		pump->deaf[side] = true;
	return false;
}

/* The lane's writer refuses: what it holds is lost, its source is told, the other lane goes on to
 * its own end (a server's last words come after it stopped to listen). */
static void pump_lose_lane(struct pump *pump, int from, int errnum)
{
	struct lane *lane = pump->lanes[from];

	lane->open = false;
	lane->start = lane->end = 0;
	if (!pump->gone)
		pump->gone = errnum;
	if (pump->is_socket[from])
		shutdown(pump->fds[from], SHUT_RD);
}

static bool pump_lane_is_open(const struct pump *pump, int from)
{
	return pump->lanes[from] && pump->lanes[from]->open;
}

/* The source said it is over, and there may be more than one round can take. */
static bool pump_lane_is_unread(const struct pump *pump, int from)
{
	const struct lane *lane = pump->lanes[from];

	return lane && lane->open && lane->last && !lane->eof && lane->end == lane->start;
}

static void pump_run(struct pump *pump)
{
	int side;

	for (side = 0; side < 2; side++)
		if (pump_run_lane(pump, side) < 0)
			pump_lose_lane(pump, side, errno);
	if (!pump_lane_is_open(pump, 0) && !pump_lane_is_open(pump, 1)) {
		pump_end(pump, pump->gone ? PUMP_END_GONE : PUMP_END_FINISHED, pump->gone);
		return;
	}
	for (side = 0; side < 2; side++)
		if (pump->polls[side])
			loop_poll_change(pump->polls[side], pump_wants(pump, side));
	if (pump_lane_is_unread(pump, 0) || pump_lane_is_unread(pump, 1))
		loop_timer_again(pump->later, 0, 0);
}

static void pump_on_poll(struct loop_poll *poll, int events, void *arg)
{
	struct pump *pump = arg;
	int side = poll == pump->polls[1];

	if ((events & LOOP_READ) && pump_reader_left(pump, side)) {
		pump_end(pump, PUMP_END_GONE, EPIPE);
		return;
	}
	pump_run(pump);
}

static void pump_on_later(struct loop_timer *timer, void *arg)
{
	(void)timer;
	pump_run(arg);
}

struct pump *pump_start(struct loop *loop, const int fds_take[2], enum pump_ways ways,
	void (*done)(void *arg, enum pump_end end, int errnum), void *arg)
{
	struct pump *pump = mem_calloc(1, sizeof(*pump));
	socklen_t size;
	int side, type;

	pump->loop = loop;
	pump->done = done;
	pump->arg = arg;
	for (side = 0; side < 2; side++) {
		size = sizeof(type);
		pump->fds[side] = fds_take[side];
		pump->is_socket[side] =
			getsockopt(fds_take[side], SOL_SOCKET, SO_TYPE, &type, &size) == 0;
		if (ways & (side ? PUMP_BACK : PUMP_FORTH)) {
			pump->lanes[side] = mem_calloc(1, sizeof(*pump->lanes[side]));
			pump->lanes[side]->open = true;
		}
	}
	for (side = 0; side < 2; side++) {
		(void)loop_set_nonblocking(fds_take[side], NULL);
		pump->polls[side] = loop_poll_start(
			loop, fds_take[side], pump_wants(pump, side), pump_on_poll, pump);
	}
	pump->later = loop_timer_start(loop, 0, 0, pump_on_later, pump);
	return pump;
}

void pump_count(struct pump *pump, int from, size_t *bytes)
{
	pump->lanes[from]->count = bytes;
}

void pump_finish(struct pump *pump)
{
	int side;

	for (side = 0; side < 2; side++)
		if (pump->lanes[side])
			pump->lanes[side]->last = true;
	loop_timer_again(pump->later, 0, 0);
}

void pump_stop(struct pump *pump)
{
	if (pump)
		pump_free(pump);
}
