/*
 * Waiting in a worker. Owns nothing: deadline and cancel descriptor belong to the job.
 */
#include <pgoncall/ssh/wait.h>

#include <errno.h>
#include <poll.h>

#include <pgoncall/base/clock.h>

void wait_set(struct ssh_wait *wait, int64_t timeout_ms)
{
	wait->deadline = clock_monotonic() + timeout_ms * CLOCK_NS_PER_MS;
}

int wait_left_ms(const struct ssh_wait *wait)
{
	int64_t left = wait->deadline - clock_monotonic();

	/* Rounded up, so that a poll does not end just before the deadline. */
	if (left <= 0)
		return 0;
	left = (left + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
	return left > 3600000 ? 3600000 : (int)left;
}

int wait_fd(const struct ssh_wait *wait, int fd, short events, struct err *err)
{
	struct pollfd fds[2] = { { fd, events, 0 }, { wait->cancel_fd, POLLIN, 0 } };
	int n;

	do {
		fds[0].revents = fds[1].revents = 0;
		n = poll(fds, 2, wait_left_ms(wait));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_system(err, errno, "cannot wait for a descriptor");
	if (fds[1].revents)
		return err_set(err, ERR_CANCELLED, "the connection attempt was stopped");
	if (n == 0)
		return err_set(err, ERR_TIMEOUT, "there was no answer in time");
	return 0;
}
