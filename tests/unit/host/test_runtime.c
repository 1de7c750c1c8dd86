/*
 * Command lines, as text and as what a real shell makes of them: `docker` is a script that prints
 * its arguments, one per line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/host/runtime.h>

#include "support.h"

static const struct host_runtime docker = { HOST_RUNTIME_DOCKER, NULL };
static const struct host_runtime sudo_docker = { HOST_RUNTIME_DOCKER, " sudo  docker " };
static const struct host_runtime podman = { HOST_RUNTIME_PODMAN,
	"podman --root /r --runtime /usr/sbin/runc" };
static const struct host_runtime bare = { HOST_RUNTIME_NONE, NULL };

static char directory[] = "/tmp/test_runtime.XXXXXX";

/* Inspecting a working directory answers with one that a shell must not read as anything else. */
static const char fake[] = "#!/bin/sh\n"
			   "for word; do case $word in {{.Config.WorkingDir}}) echo '/srv/a \"b\" "
			   "$(id)'; exit;; esac; done\n"
			   "for word; do printf '<%s>\\n' \"$word\"; done\n";

static int make_fake(void **state)
{
	char path[64];
	FILE *file;

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/docker", directory);
	file = fopen(path, "w");
	fputs(fake, file);
	fclose(file);
	chmod(path, 0755);
	snprintf(path, sizeof(path), "%s/it's app", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", directory);
	return setenv("PATH", path, 1);
}

static int remove_fake(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Ends the line in buf and compares; the buffer is empty afterwards. */
static void expect_line(struct buf *line, const char *want)
{
	assert_string_equal(buf_str(line), want);
	buf_fini(line);
}

static void expect_shell(const struct buf *line, const char *want)
{
	struct buf out = BUF_INIT;

	shell(buf_str(line), &out);
	assert_string_equal(buf_str(&out), want);
	buf_fini(&out);
}

static void runtime_names_are_read_back(void **state)
{
	enum host_runtime_kind kind = HOST_RUNTIME_COUNT;

	(void)state;
	assert_int_equal(host_runtime_parse("podman", &kind), 0);
	assert_int_equal(kind, HOST_RUNTIME_PODMAN);
	assert_string_equal(host_runtime_name(HOST_RUNTIME_NONE), "none");
	assert_int_equal(host_runtime_parse("kubectl", &kind), -1);
}

static void runtime_exec_builds_golden_lines(void **state)
{
	struct strlist argv, env;
	struct host_exec exec = { .container = "boardofone-api-1", .argv = &argv };
	struct buf line = BUF_INIT;

	(void)state;
	strlist_init(&argv);
	strlist_init(&env);
	strlist_add_words(&argv, "uv run alembic current");
	assert_int_equal(host_runtime_exec(&docker, &exec, &line, NULL), 0);
	expect_line(&line, "docker exec boardofone-api-1 uv run alembic current");
	strlist_add(&env, "PGOPTIONS=-c lock_timeout=5s");
	exec.env = &env;
	exec.with_stdin = true;
	assert_int_equal(host_runtime_exec(&sudo_docker, &exec, &line, NULL), 0);
	expect_line(&line, "sudo docker exec -i -e 'PGOPTIONS=-c lock_timeout=5s' boardofone-api-1 "
			   "uv run alembic current");
	assert_int_equal(host_runtime_exec(&podman, &exec, &line, NULL), 0);
	expect_line(&line,
		"podman --root /r --runtime /usr/sbin/runc exec -i -e "
		"'PGOPTIONS=-c lock_timeout=5s' boardofone-api-1 uv run alembic current");
	exec.container = "/srv/app";
	assert_int_equal(host_runtime_exec(&bare, &exec, &line, NULL), 0);
	expect_line(&line, "cd /srv/app && exec env 'PGOPTIONS=-c lock_timeout=5s' "
			   "uv run alembic current");
	strlist_fini(&argv);
	strlist_fini(&env);
}

static void runtime_exec_brings_hostile_words_through(void **state)
{
	struct strlist argv, env;
	const struct host_exec exec = { "app-1", &argv, &env, true };
	struct buf line = BUF_INIT;

	(void)state;
	strlist_init(&argv);
	strlist_init(&env);
	strlist_add(&argv, "sh");
	strlist_add(&argv, "-c");
	strlist_add(&argv, "echo '$(id)' \"`id`\"; rm -rf *\n# two lines");
	strlist_add(&env, "A=it's $HOME");
	assert_int_equal(host_runtime_exec(&docker, &exec, &line, NULL), 0);
	expect_shell(&line, "<exec>\n<-i>\n<-e>\n<A=it's $HOME>\n<app-1>\n<sh>\n<-c>\n"
			    "<echo '$(id)' \"`id`\"; rm -rf *\n# two lines>\n");
	buf_fini(&line);
	strlist_fini(&argv);
	strlist_fini(&env);
}

static void runtime_exec_on_the_host_goes_to_the_directory(void **state)
{
	struct strlist argv, env;
	struct host_exec exec = { .argv = &argv, .env = &env };
	struct buf line = BUF_INIT, path = BUF_INIT, want = BUF_INIT;

	(void)state;
	strlist_init(&argv);
	strlist_init(&env);
	strlist_add(&env, "X=a b");
	strlist_add(&argv, "sh");
	strlist_add(&argv, "-c");
	strlist_add(&argv, "pwd; echo \"$X\"");
	buf_printf(&path, "%s/it's app", directory);
	buf_printf(&want, "%s/it's app\na b\n", directory);
	exec.container = buf_str(&path);
	assert_int_equal(host_runtime_exec(&bare, &exec, &line, NULL), 0);
	expect_shell(&line, buf_str(&want));
	buf_clear(&line);
	setenv("HOME", directory, 1);
	exec.container = "~/it's app";
	assert_int_equal(host_runtime_exec(&bare, &exec, &line, NULL), 0);
	expect_shell(&line, buf_str(&want));
	buf_clear(&line);
	exec.container = "-";
	assert_int_equal(host_runtime_exec(&bare, &exec, &line, NULL), 0);
	expect_line(&line, "cd ./- && exec env 'X=a b' sh -c 'pwd; echo \"$X\"'");
	buf_fini(&path);
	buf_fini(&want);
	strlist_fini(&argv);
	strlist_fini(&env);
}

static void runtime_refuses_names_that_are_options(void **state)
{
	static const char *const bad[] = { "", "-v", "--privileged", "a b", "a;b", "a/b", ".",
		"a:b" };
	struct strlist argv;
	struct host_exec exec = { .argv = &argv };
	struct host_logs logs = { .tail = -1 };
	struct buf line = BUF_INIT;
	struct err err;
	size_t i;

	(void)state;
	strlist_init(&argv);
	strlist_add(&argv, "true");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		exec.container = logs.container = bad[i];
		assert_int_equal(host_runtime_exec(&docker, &exec, &line, &err), -1);
		assert_int_equal(err.code, ERR_REFUSED);
		assert_int_equal(host_runtime_logs(&podman, &logs, &line, &err), -1);
		assert_int_equal(host_runtime_files(&docker, bad[i], "/d", &line, &err), -1);
		assert_int_equal(host_runtime_inspect(&docker, bad[i], &line, &err), -1);
		assert_int_equal(line.len, 0);
	}
	strlist_fini(&argv);
}

static void runtime_refuses_bad_environments_and_no_command(void **state)
{
	static const char *const bad[] = { "", "=x", "A", "1A=x", "A-B=x", "--privileged=1",
		"A B=x" };
	struct strlist argv, env;
	const struct host_exec exec = { "app", &argv, &env, false };
	struct buf line = BUF_INIT;
	size_t i;

	(void)state;
	strlist_init(&argv);
	strlist_init(&env);
	assert_int_equal(host_runtime_exec(&docker, &exec, &line, NULL), -1);
	strlist_add(&argv, "true");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strlist_fini(&env);
		strlist_add(&env, bad[i]);
		assert_int_equal(host_runtime_exec(&docker, &exec, &line, NULL), -1);
		assert_int_equal(host_runtime_exec(&bare, &exec, &line, NULL), -1);
	}
	assert_int_equal(line.len, 0);
	strlist_fini(&argv);
	strlist_fini(&env);
}

static void runtime_files_builds_golden_lines(void **state)
{
	struct buf line = BUF_INIT;

	(void)state;
	assert_int_equal(
		host_runtime_files(&docker, "app-1", "/srv/app/migrations/versions", &line, NULL),
		0);
	expect_line(&line, "docker cp app-1:/srv/app/migrations/versions/. -");
	assert_int_equal(
		host_runtime_files(&podman, "app-1", "migrations/versions", &line, NULL), 0);
	expect_line(&line,
		"d=$(podman --root /r --runtime /usr/sbin/runc inspect --type container --format "
		"'{{.Config.WorkingDir}}' app-1) && podman --root /r --runtime /usr/sbin/runc cp "
		"app-1:\"${d:-}\"/migrations/versions/. -");
	assert_int_equal(
		host_runtime_files(&bare, "/srv/app", "migrations/versions", &line, NULL), 0);
	expect_line(&line, "tar -C /srv/app/migrations/versions -cf - .");
	assert_int_equal(host_runtime_files(&bare, "", "/abs/with space", &line, NULL), 0);
	expect_line(&line, "tar -C '/abs/with space' -cf - .");
	assert_int_equal(host_runtime_files(&bare, "", "relative", &line, NULL), -1);
	assert_int_equal(host_runtime_files(&docker, "app", "", &line, NULL), -1);
}

static void expect_folder(
	const struct host_runtime *runtime, const char *app, const char *dir, const char *want)
{
	char *folder = host_runtime_folder(runtime, app, dir);

	if (want)
		assert_string_equal(folder, want);
	else
		assert_null(folder);
	free(folder);
}

/* What the shell makes of the line for tar. */
static void runtime_folder_is_that_of_the_line(void **state)
{
	(void)state;
	setenv("HOME", "/home/ann", 1);
	expect_folder(&bare, "/srv/app", "migrations/versions", "/srv/app/migrations/versions");
	expect_folder(&bare, "/srv/app", "/abs/with space", "/abs/with space");
	expect_folder(&bare, "", "/abs", "/abs");
	expect_folder(&bare, "~/app", "versions", "/home/ann/app/versions");
	expect_folder(&bare, "~", "versions", "/home/ann/versions");
	expect_folder(&bare, "-", "versions", "./-/versions");
	expect_folder(&bare, "", "versions", NULL);
	expect_folder(&bare, "/srv/app", "", NULL);
	expect_folder(&docker, "app-1", "/srv/app", NULL);
}

static void runtime_files_takes_a_working_directory_as_text(void **state)
{
	struct buf line = BUF_INIT;

	(void)state;
	assert_int_equal(host_runtime_files(&docker, "app-1", "it's/*", &line, NULL), 0);
	expect_shell(&line, "<cp>\n<app-1:/srv/a \"b\" $(id)/it's/*/.>\n<->\n");
	buf_fini(&line);
}

#define PODMAN "podman --root /r --runtime /usr/sbin/runc"
#define PODMAN_DRIVER                                                                              \
	"i=$(" PODMAN " inspect --type container --format '@{{.Id}} {{.State.StartedAt}} "         \
	"{{.HostConfig.LogConfig.Type}}' api-1 2>/dev/null); "
#define PODMAN_TAIL                                                                                \
	"s=$(" PODMAN " logs --timestamps --tail 200 api-1 "                                       \
	"2>&1 | sed -n 's/^\\([0-9]\\{4\\}-[0-9-]*T[0-9:]*\\)[.0-9]*\\([-+0-9:Z]*\\) "             \
	".*/\\1\\2/p' | head -n 1); s=--since=${s:-60s}; "

static void runtime_logs_builds_golden_lines(void **state)
{
	struct host_logs logs = { .container = "api-1",
		.follow = true,
		.timestamps = true,
		.since = HOST_SINCE_AGO,
		.since_ns = 1800 * CLOCK_NS_PER_S,
		.tail = 200 };
	struct buf line = BUF_INIT;

	(void)state;
	assert_int_equal(host_runtime_logs(&docker, &logs, &line, NULL), 0);
	expect_line(&line, "docker logs -f --timestamps --since 1800s --tail 200 api-1");
	logs.since = HOST_SINCE_AT;
	logs.since_ns = INT64_C(1737972000) * CLOCK_NS_PER_S + 12345678;
	logs.tail = -1;
	assert_int_equal(host_runtime_logs(&podman, &logs, &line, NULL), 0);
	expect_line(&line,
		PODMAN_DRIVER "case $i in *' journald') s=$(" PODMAN
			      " logs --timestamps --since 2025-01-27T10:00:00.012345677Z api-1 "
			      "2>&1 | wc -c); s=--tail=$((s / 31 + 1000)); ;; "
			      "*) s=--since=2025-01-27T10:00:00.012345677Z; ;; esac; exec " PODMAN
			      " logs -f --timestamps \"$s\" api-1");
	logs = (struct host_logs){ .container = "api-1", .follow = true, .timestamps = true };
	logs.identify = true;
	logs.tail = 200;
	assert_int_equal(host_runtime_logs(&podman, &logs, &line, NULL), 0);
	expect_line(&line,
		PODMAN_DRIVER "printf '%s\\n' \"${i% *}\"; "
			      "case $i in *' journald') s=--tail=200; ;; *) " PODMAN_TAIL
			      ";; esac; exec " PODMAN " logs -f --timestamps \"$s\" api-1");
	logs.follow = logs.identify = false;
	assert_int_equal(host_runtime_logs(&podman, &logs, &line, NULL), 0);
	expect_line(&line, PODMAN_TAIL "exec " PODMAN " logs --timestamps \"$s\" api-1");
	logs = (struct host_logs){ .container = "api-1", .follow = true, .tail = -1 };
	assert_int_equal(host_runtime_logs(&podman, &logs, &line, NULL), 0);
	expect_line(&line, PODMAN " logs -f api-1");
	logs = (struct host_logs){ .container = "api-1", .tail = -1 };
	assert_int_equal(host_runtime_logs(&docker, &logs, &line, NULL), 0);
	expect_line(&line, "docker logs api-1");
}

static void runtime_names_of_several(void **state)
{
	struct strlist names;
	struct buf line = BUF_INIT;
	struct err err;

	(void)state;
	strlist_init(&names);
	strlist_add(&names, "api-1");
	strlist_add(&names, "api-2");
	assert_int_equal(host_runtime_names(&docker, &names, &line, &err), 0);
	expect_line(&line,
		"docker inspect --type container --format '{{.Id}} {{.Name}}' api-1 api-2 "
		"2>/dev/null || true");
	assert_int_equal(host_runtime_names(&bare, &names, &line, &err), -1);
	strlist_add(&names, "-x");
	assert_int_equal(host_runtime_names(&docker, &names, &line, &err), -1);
	strlist_fini(&names);
	buf_fini(&line);
}

static void runtime_logs_of_a_bare_host(void **state)
{
	struct host_logs logs = {
		.container = "file:/var/log/it's.log", .follow = true, .tail = 50
	};
	struct buf line = BUF_INIT;

	(void)state;
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), 0);
	expect_line(&line, "exec tail -n 50 -F -- '/var/log/it'\\''s.log'");
	logs.identify = true;
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), 0);
	expect_line(&line,
		"f='/var/log/it'\\''s.log'; l=; { [ -f \"$f\" ] && l=$(tail -c 16384 -- \"$f\" | "
		"LC_ALL=C grep -aE '^\\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]' | tail -n 1 | cut -c "
		"1-40); printf '@%s %s %s\\n' \"$(date +%z)\" \"$(stat -L -c %Y -- \"$f\")\" "
		"\"$l\"; } 2>/dev/null; exec tail -n 50 -F -- '/var/log/it'\\''s.log'");
	logs.identify = false;
	logs = (struct host_logs){ .container = "file:/x", .tail = -1 };
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), 0);
	expect_line(&line, "exec tail -n +1 -- /x");
	logs = (struct host_logs){ .container = "journal:api@1.service",
		.follow = true,
		.timestamps = true,
		.since = HOST_SINCE_AGO,
		.since_ns = 60 * CLOCK_NS_PER_S,
		.tail = 10 };
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), 0);
	expect_line(&line, "exec journalctl --no-pager --all --output=json "
			   "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID "
			   "-f --since=-60s -n 10 -u api@1.service");
	logs.container = "journal:--vacuum-time=1s";
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), -1);
	logs.container = "api-1";
	assert_int_equal(host_runtime_logs(&bare, &logs, &line, NULL), -1);
}

static void runtime_inspect_is_one_line(void **state)
{
	struct buf line = BUF_INIT;
	struct err err;

	(void)state;
	assert_int_equal(host_runtime_inspect(&docker, "db-1", &line, NULL), 0);
	expect_shell(&line,
		"<inspect>\n<--type>\n<container>\n<--format>\n"
		"<{\"state\":{{json .State}},\"image\":{{json .Image}},"
		"\"image_name\":{{json .Config.Image}},\"working_dir\":{{json .Config.WorkingDir}},"
		"\"network\":{{json .NetworkSettings}},"
		"\"network_mode\":{{json .HostConfig.NetworkMode}}}>\n<db-1>\n");
	buf_fini(&line);
	assert_int_equal(host_runtime_inspect(&bare, "db-1", &line, &err), -1);
	assert_non_null(strstr(err.text, "set db_host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runtime_names_are_read_back),
		cmocka_unit_test(runtime_exec_builds_golden_lines),
		cmocka_unit_test(runtime_exec_brings_hostile_words_through),
		cmocka_unit_test(runtime_exec_on_the_host_goes_to_the_directory),
		cmocka_unit_test(runtime_refuses_names_that_are_options),
		cmocka_unit_test(runtime_refuses_bad_environments_and_no_command),
		cmocka_unit_test(runtime_files_builds_golden_lines),
		cmocka_unit_test(runtime_folder_is_that_of_the_line),
		cmocka_unit_test(runtime_files_takes_a_working_directory_as_text),
		cmocka_unit_test(runtime_logs_builds_golden_lines),
		cmocka_unit_test(runtime_names_of_several),
		cmocka_unit_test(runtime_logs_of_a_bare_host),
		cmocka_unit_test(runtime_inspect_is_one_line),
	};

	return cmocka_run_group_tests(tests, make_fake, remove_fake);
}
