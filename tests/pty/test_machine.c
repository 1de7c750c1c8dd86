/*
 * The operator's own machine lets the console down: it sleeps, its disk hangs or is full. And the
 * server's machine starts anew. (The first two by tests/pty/preload/machine.c.)
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "care.h"
#include "sandbox.h"
#include "texts.h"

enum {
	LIVE_MS = 30000,
	REFUSED_MS = 3000, /* a disk that hangs is waited for for one second */
};

/* --- helpers ---------------------------------------------------------------------------------- */

/* The console on the machine whose misfortunes are files in its home. */
static struct pty *start(struct fixture *f)
{
	const char *const arguments[] = { "-c", range_config(f->range), "prod", NULL };
	struct pty *p = fixture_open_machine(f, 36, 120, arguments);

	pty_wait_text(p, texts.current, LIVE_MS);
	pty_wait_text(p, texts.link_up, PTY_WAIT_MS);
	return p;
}

static void misfortune(struct fixture *f, const char *name, const char *text)
{
	free(fixture_write(f, name, text));
}

static void relieve(struct fixture *f, const char *name)
{
	char *path = mem_printf("%s/%s", f->home, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void arm(struct pty *p)
{
	pty_type(p, ":arm 10m the machine is under test\r");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
}

/* The lines of the home's journals with both texts. */
static int journal_count(struct fixture *f, const char *event, const char *text)
{
	char *script = mem_printf("cat '%s'/.local/state/pgoncall/journal/*.jsonl |"
				  " grep '\"event\":\"%s\"' | grep -c -- '%s' || :",
		f->home, event, text);
	int n = care_shell_number(f, script);

	free(script);
	return n;
}

/* --- sleep ------------------------------------------------------------------------------------ */

static void machine_sleeps_and_is_read_only_again(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct pty *p = start(f);

	arm(p);
	misfortune(f, "slept", "7200");
	pty_wait_text(p, "this machine slept for (1 h 59|2 h)", PTY_WAIT_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	assert_true(pty_has(p, texts.current));
	pty_wait_text(p, texts.link_up, LIVE_MS);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	assert_false(pty_has(p, texts.armed));
	assert_int_equal(journal_count(f, "disarm", "this machine slept"), 1);
	fixture_quit(p);
}

/* --- the disk --------------------------------------------------------------------------------- */

static void ask_to_end(struct pty *p, int pid)
{
	char *found = mem_printf("blocked by pid %d\\b", pid);

	pty_wait_text(p, found, LIVE_MS);
	pty_type(p, "2gK");
	pty_wait_text(p, texts.dialog, PTY_WAIT_MS);
	free(found);
}

static int stage(struct care *care)
{
	struct err err = { 0 };

	fixture_check(range_incident(care->fixture->range, "stuck-migration", &err), &err);
	return fixture_number(care->fixture,
		"SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
		" AND application_name = 'boardofone-api'");
}

static void expect_there(struct fixture *f, int pid)
{
	char *sql = mem_printf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d", pid);

	fixture_expect_rows(f, sql, "1");
	free(sql);
}

static bool is_taken_back(struct pty *p, void *arg)
{
	(void)p;
	return journal_count(arg, "result", "answered too late") == 1;
}

static void machine_refuses_writes_while_its_disk_hangs(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	int pid = stage(care);
	struct pty *p = start(f);
	int64_t begun;

	arm(p);
	ask_to_end(p, pid);
	misfortune(f, "hang", "");
	begun = clock_monotonic();
	pty_type(p, "boardofone@prod\r");
	/* Keys are answered meanwhile, within a fraction of the second that is waited for. */
	pty_type(p, "?");
	pty_wait_text(p, "Esc: back  1 to", 900);
	pty_key(p, "Esc");
	pty_wait_text(p, "disk with the journal\\s+does not answer", REFUSED_MS);
	assert_true((clock_monotonic() - begun) / CLOCK_NS_PER_MS >= 900);
	expect_there(f, pid);
	/* The next one is refused without waiting, and without asking. */
	pty_type(p, "2gK");
	pty_wait_text(p, "journal", PTY_WAIT_MS);
	assert_false(pty_has(p, texts.dialog));

	/* It answers again: what is on it now is taken back, and acting goes on. */
	relieve(f, "hang");
	if (!pty_await(p, is_taken_back, f, PTY_WAIT_MS))
		pty_fail(p, "the intent that was not sent is not taken back");
	ask_to_end(p, pid);
	pty_type(p, "boardofone@prod\r");
	pty_wait_text(p, "was terminated and is gone", LIVE_MS);
	assert_int_equal(journal_count(f, "intent", "pg_terminate_backend"), 2);
	fixture_quit(p);
}

/* A file system of 64 KiB in the place of the journal. */
static char *small_disk(struct fixture *f)
{
	char *dir = mem_printf("%s/.local/state/pgoncall", f->home);
	char *journal = mem_printf("%s/journal", dir);

	mkdir(dir, 0700);
	mkdir(journal, 0700);
	assert_int_equal(mount("tmpfs", journal, "tmpfs", 0, "size=64k,mode=700"), 0);
	free(dir);
	return journal;
}

static void fill(const char *dir)
{
	static const char block[4096];
	char *path = mem_printf("%s/ballast", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	close(fd);
	free(path);
}

/* The file's last page takes some more lines; then none. */
static bool is_full(struct pty *p, void *arg)
{
	(void)arg;
	if (!pty_has(p, "cannot be\\s+written"))
		pty_type(p,
			":note the disk is full, and this line is as long as a line may well be\r");
	return pty_has(p, "cannot be\\s+written");
}

static void machine_refuses_writes_while_its_disk_is_full(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	char *journal;
	struct pty *p;
	int pid;

	if (geteuid() != 0)
		skip();
	pid = stage(care);
	journal = small_disk(f);
	p = start(f);
	arm(p);
	fill(journal);
	if (!pty_await(p, is_full, NULL, LIVE_MS))
		pty_fail(p, "the journal takes notes on a full disk");
	pty_type(p, "2gK");
	pty_wait_text(p, "journal", PTY_WAIT_MS);
	assert_false(pty_has(p, texts.dialog));
	expect_there(f, pid);
	/* Reading goes on. */
	pty_type(p, "R");
	pty_wait_text(p, "age 0", PTY_WAIT_MS);
	fixture_quit(p);
	assert_int_equal(umount(journal), 0);
	free(journal);
}

/* --- the server's machine starts anew --------------------------------------------------------- */

static void machine_at_the_other_end_starts_anew(void **state)
{
	struct care *care = *state;
	struct fixture *f = care->fixture;
	struct pty *p = start(f);
	struct err err = { 0 };

	arm(p);
	fixture_check(range_sshd_stop(f->range, &err), &err);
	pty_wait_text(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	/* Refused connections are tried again, later each time: it is away for three seconds. */
	pty_wait_text(p, "lost [3-9] s", LIVE_MS);
	assert_true(pty_has(p, texts.current));
	fixture_check(range_sshd_start(f->range, &err), &err);
	pty_wait_gone(p, texts.lost, LIVE_MS);
	pty_wait_text(p, texts.link_up, LIVE_MS);
	pty_wait_text(p, texts.read_only, PTY_WAIT_MS);
	fixture_quit(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, care_setup, care_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(machine_sleeps_and_is_read_only_again),
		TEST(machine_refuses_writes_while_its_disk_hangs),
		TEST(machine_refuses_writes_while_its_disk_is_full),
		TEST(machine_at_the_other_end_starts_anew),
	};

	return cmocka_run_group_tests(tests, care_group_setup, care_group_teardown);
}
