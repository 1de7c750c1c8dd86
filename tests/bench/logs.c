/*
 * A flood of log lines through the console, side by side with `ssh HOST docker logs -f | cat`: how
 * fast it takes them, how soon it answers keys meanwhile, whether a session is ended as soon as ever,
 * and what memory it needs.
 *
 * usage: HELLO=COMMAND logs CONFIG BYTES POUR-COMMAND SSH-COMMAND
 *
 * $PGONCALL_RANGE is a range with such a log, which CONFIG follows alone. HELLO (for sh) writes a
 * line to it; POUR-COMMAND writes BYTES in lines, the last of which is "END OF THE FLOOD $N";
 * SSH-COMMAND follows it.
 * Prints "throughput OURS THEIRS" (MB/s), "keys P99 MEDIAN" (ms), "kill POURING IDLE" (ms, medians),
 * "memory MB".
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

#include "../pty/pty.h"
#include "../pty/range.h"
#include "../pty/sandbox.h"
#include "../pty/sessions.h"
#include "samples.h"

enum {
	FLOOD_MS = 240000,
	ANSWER_MS = 40000,
	KILLS = 5,
	WARM_UP_MS = 500, /* after the flood began */
};

#define END_MARK "END OF THE FLOOD"

struct bench {
	struct range *range;
	const char *config, *pour, *ssh;
	double megabytes;
	char *home;
	struct pty *pty;
	unsigned floods; /* that were poured */
};

static void die(const char *what)
{
	fprintf(stderr, "logs: %s\n", what);
	exit(1);
}

static bool sees(struct pty *p, void *pattern)
{
	return pty_has(p, pattern);
}

static bool sees_not(struct pty *p, void *pattern)
{
	return !pty_has(p, pattern);
}

static void expect(struct bench *b, const char *pattern, int timeout_ms)
{
	char *dump;

	if (pty_await(b->pty, sees, (void *)(uintptr_t)pattern, timeout_ms))
		return;
	dump = pty_screen_dump(b->pty);
	fprintf(stderr, "logs: not on the screen: %s\n%s\n", pattern, dump);
	free(dump);
	exit(1);
}

/* --- the flood ------------------------------------------------------------------------------- */

static pid_t start(const char *command, int out)
{
	pid_t pid = fork();

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		setpgid(0, 0);
		if (out >= 0)
			dup2(out, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Each flood ends in a line of its own number. */
static pid_t pour(struct bench *b, char *mark, size_t size)
{
	char *command;
	pid_t pid;

	snprintf(mark, size, END_MARK " %u", ++b->floods);
	command = mem_printf("N=%u; export N; %s", b->floods, b->pour);
	pid = start(command, -1);
	free(command);
	return pid;
}

static void poured(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("the flood could not be poured");
}

/* --- theirs ---------------------------------------------------------------------------------- */

/* Whether the last bytes hold the mark. */
static bool ends(char *tail, size_t *kept, const char *chunk, size_t n, const char *mark)
{
	size_t room = 512, take = n < room / 2 ? n : room / 2;

	if (*kept + take > room) {
		memmove(tail, tail + *kept - room / 2, room / 2);
		*kept = room / 2;
	}
	memcpy(tail + *kept, chunk + n - take, take);
	*kept += take;
	return memmem(tail, *kept, mark, strlen(mark)) != NULL;
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	return poll(&one, 1, timeout_ms) > 0;
}

static double theirs(struct bench *b)
{
	static char chunk[65536], tail[512];
	size_t kept = 0;
	char mark[40];
	int fds[2];
	pid_t reader, pourer;
	int64_t begun;
	ssize_t n;

	if (pipe(fds) != 0)
		die("cannot make a pipe");
	reader = start(b->ssh, fds[1]);
	close(fds[1]);
	/* The line that says it follows: one is written until it comes through. */
	do {
		poured(start(getenv("HELLO"), -1));
	} while (!is_readable(fds[0], 500));
	begun = clock_monotonic();
	pourer = pour(b, mark, sizeof(mark));
	while (is_readable(fds[0], ANSWER_MS) && (n = read(fds[0], chunk, sizeof(chunk))) > 0)
		if (ends(tail, &kept, chunk, (size_t)n, mark))
			break;
	if (!memmem(tail, kept, mark, strlen(mark)))
		die("ssh did not bring the end of the flood");
	n = (ssize_t)ms_since(begun);
	poured(pourer);
	kill(-reader, SIGTERM);
	close(fds[0]);
	waitpid(reader, NULL, 0);
	return b->megabytes / ((double)n / 1000);
}

/* --- ours ------------------------------------------------------------------------------------ */

static void open_console(struct bench *b)
{
	struct strlist argv;
	struct pty_options options = { .rows = 36, .cols = 120 };
	struct err err = { 0 };

	b->home = sandbox_new(&err);
	strlist_init(&argv);
	if (!b->home || sandbox_program(&argv, &err) < 0)
		die(err.text);
	strlist_add(&argv, "-c");
	strlist_add(&argv, b->config);
	strlist_add(&argv, "prod");
	options.argv = (const char *const *)argv.items;
	options.home = b->home;
	b->pty = pty_start(&options, &err);
	strlist_fini(&argv);
	if (!b->pty)
		die(err.text);
	expect(b, "CURRENT", ANSWER_MS);
	expect(b, "3 Logs.*following", ANSWER_MS);
	pty_type(b->pty, "3");
}

/* A key, and how long until the screen shows what it does. */
static void press(struct bench *b, const char *key, pty_condition *condition, const char *pattern,
	struct samples *latency)
{
	int64_t at = clock_monotonic();

	pty_type(b->pty, key);
	if (!pty_await(b->pty, condition, (void *)(uintptr_t)pattern, ANSWER_MS))
		die("a key was not answered");
	samples_add(latency, ms_since(at));
}

static double ours(struct bench *b, struct samples *latency)
{
	int64_t begun = clock_monotonic();
	char mark[40];
	pid_t pourer = pour(b, mark, sizeof(mark));
	double ms;

	while (!pty_has(b->pty, mark)) {
		if (ms_since(begun) > FLOOD_MS)
			die("the console did not show the end of the flood");
		if (ms_since(begun) < WARM_UP_MS) {
			pty_await(b->pty, sees, mark, 20);
			continue;
		}
		press(b, "2", sees, "K terminate", latency);
		press(b, "3", sees_not, "K terminate", latency);
	}
	ms = ms_since(begun);
	poured(pourer);
	return b->megabytes / (ms / 1000);
}

/* --- ending a session ------------------------------------------------------------------------ */

static void kill_one(struct bench *b, struct samples *times)
{
	struct err err = { 0 };
	struct sessions *victim = sessions_open(b->range, range_value(b->range, "DB_CONNINFO"),
		"bench-victim", 1, "/dev/null", &err);
	int64_t at;

	if (!victim)
		die(err.text);
	pty_type(b->pty, "2");
	expect(b, "bench-vic", ANSWER_MS);
	pty_type(b->pty, "/bench-victim\r");
	pty_type(b->pty, "K");
	expect(b, "Type boardofone@prod", ANSWER_MS);
	pty_type(b->pty, "boardofone@prod");
	expect(b, "prod: boardofone@prod", ANSWER_MS);
	at = clock_monotonic();
	pty_type(b->pty, "\r");
	expect(b, "was terminated and is gone", ANSWER_MS);
	samples_add(times, ms_since(at));
	sessions_close(victim);
	if (!pty_await(b->pty, sees_not, (void *)(uintptr_t) "bench-vic", ANSWER_MS))
		die("the session that was ended stays on the screen");
}

static void kill_idle_and_pouring(struct bench *b, struct samples *idle, struct samples *pouring)
{
	int64_t begun = 0;
	char mark[40];
	pid_t pourer = 0;
	int i;

	pty_type(b->pty, ":arm 30m benchmark\r");
	expect(b, "ARMED", ANSWER_MS);
	for (i = 0; i < KILLS; i++)
		kill_one(b, idle);
	for (i = 0; i < KILLS; i++) {
		/* Another flood before one ends. */
		if (!pourer || waitpid(pourer, NULL, WNOHANG) == pourer)
			pourer = pour(b, mark, sizeof(mark));
		begun = clock_monotonic();
		while (ms_since(begun) < WARM_UP_MS)
			pty_await(b->pty, sees, (void *)(uintptr_t) "never on any screen", 20);
		kill_one(b, pouring);
	}
	if (pourer > 0)
		waitpid(pourer, NULL, 0);
}

/* --- memory ---------------------------------------------------------------------------------- */

static double peak_megabytes(pid_t pid)
{
	char path[64], line[256];
	double kilobytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmHWM: %lf", &kilobytes) == 1)
			break;
	if (file)
		fclose(file);
	return kilobytes / 1024;
}

int main(int argc, char **argv)
{
	static struct samples latency, idle, pouring;
	struct bench b = { 0 };
	struct err err = { 0 };
	double our_speed, their_speed;

	if (argc != 5 || !getenv("HELLO"))
		die("usage: HELLO=COMMAND logs CONFIG BYTES POUR-COMMAND SSH-COMMAND");
	b.config = argv[1];
	b.megabytes = atof(argv[2]) / 1e6;
	b.pour = argv[3];
	b.ssh = argv[4];
	b.range = range_start(&err);
	if (!b.range)
		die(err.text);
	their_speed = theirs(&b);
	open_console(&b);
	our_speed = ours(&b, &latency);
	printf("throughput %.1f %.1f\n", our_speed, their_speed);
	printf("keys %.1f %.1f\n", samples_percentile(&latency, 99), samples_median(&latency));
	printf("samples %zu\n", latency.n);
	kill_idle_and_pouring(&b, &idle, &pouring);
	printf("kill %.0f %.0f\n", samples_median(&pouring), samples_median(&idle));
	printf("memory %.1f\n", peak_megabytes(pty_pid(b.pty)));
	pty_stop(b.pty);
	sandbox_remove_take(b.home);
	range_stop(b.range);
	return 0;
}
