/*
 * Where secrets are not: in no argument and no environment of any process, in no file, on no screen,
 * and in no core. A passphrase is given to both ways to a host, with one of a kind to look for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "fixture.h"
#include "sandbox.h"
#include "texts.h"

enum { LIVE_MS = 30000 };

/* --- looking for it --------------------------------------------------------------------------- */

static bool file_holds(const char *path, const char *secret)
{
	struct buf text = BUF_INIT;
	char chunk[4096];
	ssize_t n;
	bool held;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(&text, chunk, (size_t)n);
	close(fd);
	held = text.len && memmem(text.data, text.len, secret, strlen(secret));
	buf_fini(&text);
	return held;
}

/* Every process of the machine. */
static void expect_in_no_process(const char *secret)
{
	static const char *const files[] = { "cmdline", "environ" };
	const struct dirent *entry;
	DIR *proc = opendir("/proc");
	char *path;
	size_t i;

	assert_non_null(proc);
	while ((entry = readdir(proc)))
		for (i = 0; i < 2 && atoi(entry->d_name) > 0; i++) {
			path = mem_printf("/proc/%s/%s", entry->d_name, files[i]);
			if (file_holds(path, secret))
				fail_msg("the secret is in %s", path);
			free(path);
		}
	closedir(proc);
}

/* Files of the program's home and of its run-time directory. */
static void expect_in_no_file(struct fixture *f, const char *secret)
{
	char *command =
		mem_printf("! grep -raqF '%s' '%s' && ! grep -rasqF --devices=skip '%s' "
			   "$(ls -d /tmp/pgoncall-?????? /run/user/*/pgoncall-* 2>/dev/null) "
			   "/dev/null",
			secret, f->home, secret);

	assert_int_equal(system(command), 0);
	free(command);
}

/* Its limit is nothing, and cannot be raised. */
static bool may_leave_core(pid_t pid)
{
	char *path = mem_printf("/proc/%d/limits", (int)pid), line[256] = "";
	FILE *file = fopen(path, "re");
	char soft[32] = "", hard[32] = "";
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Max core file size %31s %31s", soft, hard) == 2;
	fclose(file);
	free(path);
	assert_true(found);
	return !str_equal(soft, "0") || !str_equal(hard, "0");
}

/* --- giving it -------------------------------------------------------------------------------- */

/* A key of this type in the home, with a passphrase of its own; the configuration that uses it. */
static char *make_config(struct fixture *f, const char *type, const char *secret)
{
	char *keygen = mem_printf("ssh-keygen -q -t %s -N '%s' -f %s/key && cat %s/key.pub >>%s",
		type, secret, f->home, f->home, range_value(f->range, "AUTHORIZED_KEYS"));
	char *line = mem_printf("	IdentityFile %s/key", f->home), *ssh_config, *config;

	assert_int_equal(system(keygen), 0);
	ssh_config = fixture_vary(f, "SSH_CONFIG", "ssh_config", "IdentityFile", line);
	free(line);
	line = mem_printf("ssh_config = %s", ssh_config);
	config = fixture_vary(f, "RANGE_CONFIG", "secret.conf", "ssh_config", line);
	free(line);
	free(ssh_config);
	free(keygen);
	return config;
}

static void expect_kept(struct fixture *f, const char *type)
{
	char *secret = mem_printf("sesame-%d-%lx", (int)getpid(), (unsigned long)time(NULL));
	char *config = make_config(f, type, secret);
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 30, 100, arguments);
	const char *raw;
	size_t len;

	pty_wait_text(p, "Passphrase for ", LIVE_MS);
	pty_type(p, secret);
	expect_in_no_process(secret);
	pty_key(p, "Enter");
	pty_wait_text(p, "pg 15", LIVE_MS);
	expect_in_no_process(secret);
	expect_in_no_file(f, secret);
	if (str_empty(getenv("PGONCALL_WRAPPER")))
		assert_false(may_leave_core(pty_pid(p)));
	raw = pty_raw(p, &len);
	assert_null(memmem(raw, len, secret, strlen(secret)));
	fixture_quit(p);
	expect_in_no_file(f, secret);
	free(config);
	free(secret);
}

static void secrets_stay_in_memory_over_libssh2(void **state)
{
	expect_kept(*state, "ed25519");
}

static void secrets_stay_in_memory_over_the_systems_ssh(void **state)
{
	expect_kept(*state, "rsa");
}

/* --- cores ------------------------------------------------------------------------------------ */

/* Runs argv with cores allowed and without limit, kills it with ABRT when it has taken that back
 * (else it does so itself) and says whether it left a core. */
static bool leaves_core(
	const char *const *argv, const char *const *env, const char *cwd, bool takes_back)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int status = 0, i;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (chdir(cwd) < 0 || setrlimit(RLIMIT_CORE, &all) < 0)
			_exit(126);
		execvpe(argv[0], (char *const *)argv, (char *const *)env);
		_exit(127);
	}
	for (i = 0; takes_back && i < 3000 && may_leave_core(pid); i++)
		usleep(10000);
	assert_true(i < 3000);
	if (takes_back)
		kill(pid, SIGABRT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return WCOREDUMP(status);
}

/* Whatever the caller's limits are. Where the machine makes no cores at all, this shows less. */
static void secrets_are_in_no_core(void **state)
{
	static const char *const plain[] = { "sh", "-c", "kill -ABRT $$", NULL };
	struct fixture *f = *state;
	struct err err = { 0 };
	/* a way that leads nowhere, so that it is still there to be killed */
	char *ssh_config =
		fixture_vary(f, "SSH_CONFIG", "stuck", "Port", "	ProxyCommand sleep 60");
	char *line = mem_printf("ssh_config = %s", ssh_config);
	char *config = fixture_vary(f, "RANGE_CONFIG", "stuck.conf", "ssh_config", line);
	const char *arguments[] = { "-c", config, "locks", "prod", NULL };
	char **env = sandbox_env(f->home, NULL);
	struct strlist command;
	size_t i;

	if (!str_empty(getenv("PGONCALL_WRAPPER"))) {
		sandbox_env_free(env);
		free(config);
		free(line);
		free(ssh_config);
		skip();
	}
	if (!leaves_core(plain, (const char *const *)env, f->home, false))
		print_message("this machine makes no cores\n");
	strlist_init(&command);
	fixture_check(sandbox_program(&command, &err), &err);
	for (i = 0; arguments[i]; i++)
		strlist_add(&command, arguments[i]);
	assert_false(leaves_core(
		(const char *const *)command.items, (const char *const *)env, f->home, true));
	free(config);
	free(line);
	free(ssh_config);
	strlist_fini(&command);
	sandbox_env_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			secrets_stay_in_memory_over_libssh2, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(secrets_stay_in_memory_over_the_systems_ssh,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			secrets_are_in_no_core, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
