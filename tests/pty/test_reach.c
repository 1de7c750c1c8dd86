/*
 * Every kind of way to a database behind SSH, against a server and SSH servers of the test's own
 * (tests/reach): sockets, TLS, passwords, services and container runtimes. The program is run as a batch command with a
 * configuration of a few lines; what the server has seen stands in its log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "run.h"
#include "sandbox.h"

struct world {
	char dir[64];
	char *home; /* of the running test */
	char *port;
};

/* One attempt. In all texts @DIR@ is the world's directory and @PORT@ the server's port. */
struct attempt {
	const char *settings;  /* lines of the target beside environment, ssh_config, db_name */
	const char *env[3];    /* additions to the program's environment */
	const char *pgpass;    /* contents of ~/.pgpass, 0600; NULL: none */
	const char *service;   /* contents of ~/.pg_service.conf; NULL: none */
	const char *complaint; /* words on stderr, and status 3 (78: of the configuration);
	                         * NULL: it succeeds … */
	const char
		*connection; /* … and the server's log says this of the connection; may be NULL */
};

/* --- the world -------------------------------------------------------------------------------- */

static int shell(const struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int shell(const struct world *world, const char *format, ...)
{
	char command[1024];
	va_list ap;

	(void)world;
	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command);
}

static char *read_file(const char *path)
{
	struct buf text = BUF_INIT;
	char bytes[4096];
	FILE *file = fopen(path, "re");
	size_t n;

	if (file == NULL)
		fail_msg("cannot read %s", path);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(&text, bytes, n);
	fclose(file);
	return buf_steal(&text);
}

static int group_setup(void **state)
{
	struct world *world = mem_calloc(1, sizeof(*world));
	char path[128], *env, *at;

	*state = world;
	snprintf(world->dir, sizeof(world->dir), "/tmp/pgoncall-reach.XXXXXX");
	if (mkdtemp(world->dir) == NULL ||
		shell(world, "tests/reach/up %s %d", world->dir, (int)getpid()) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/env", world->dir);
	env = read_file(path);
	at = strstr(env, "PG_PORT=");
	world->port = at == NULL ? NULL : mem_strndup(at + 8, strcspn(at + 8, "\n"));
	free(env);
	return world->port == NULL ? -1 : 0;
}

static int group_teardown(void **state)
{
	struct world *world = *state;
	int status = shell(world, "tests/reach/down %s", world->dir);

	free(world->port);
	free(world);
	return status;
}

static int setup(void **state)
{
	struct world *world = *state;
	struct err err;

	world->home = sandbox_new(&err);
	return world->home == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	bool reported = sandbox_has_report(world->home);

	sandbox_remove_take(world->home);
	world->home = NULL;
	return reported ? -1 : 0;
}

/* --- attempts --------------------------------------------------------------------------------- */

static char *fill_in(const struct world *world, const char *text)
{
	struct buf out = BUF_INIT;

	while (text != NULL && *text) {
		if (str_starts(text, "@DIR@")) {
			buf_add_str(&out, world->dir);
			text += 5;
		} else if (str_starts(text, "@PORT@")) {
			buf_add_str(&out, world->port);
			text += 6;
		} else {
			buf_add_char(&out, *text++);
		}
	}
	return buf_steal(&out);
}

static void write_home(const struct world *world, const char *name, const char *text, mode_t mode)
{
	char *filled = fill_in(world, text), *path = mem_printf("%s/%s", world->home, name);
	FILE *file;

	unlink(path);
	if (text != NULL) {
		file = fopen(path, "we");
		if (file == NULL || fputs(filled, file) < 0 || fclose(file) != 0 ||
			chmod(path, mode) < 0)
			fail_msg("cannot write %s", path);
	}
	free(filled);
	free(path);
}

static void write_config(const struct world *world, const char *settings)
{
	char *text = mem_printf("[target t]\nenvironment = development\n"
				"ssh_config = @DIR@/ssh_config\n"
				"db_name = boardofone\n%s%s%s%s",
		strstr(settings, "runtime =") ? "" : "runtime = none\n",
		strstr(settings, "ssh =") ? "" : "ssh = open\n",
		strstr(settings, "db_port") || strstr(settings, "db_service")
			? ""
			: "db_port = @PORT@\n",
		settings);

	write_home(world, "config", text, 0600);
	free(text);
}

/* "pgoncall -c CONFIG COMMAND t --json"; the result is for run_result_fini. */
static void run_it(const struct world *world, const struct attempt *attempt, const char *command,
	struct run_result *result)
{
	char *config = mem_printf("%s/config", world->home), *env[3] = { NULL, NULL, NULL };
	const char *const arguments[] = { "-c", config, command, "t", "--json" };
	struct run_options options = { .home = world->home };
	struct strlist argv;
	struct err err = { 0 };
	int ret;

	strlist_init(&argv);
	assert_int_equal(sandbox_program(&argv, &err), 0);
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++)
		strlist_add(&argv, arguments[i]);
	for (size_t i = 0; i < 2 && attempt->env[i] != NULL; i++)
		env[i] = fill_in(world, attempt->env[i]);
	options.argv = (const char *const *)argv.items;
	options.env = (const char *const *)env;
	ret = run_program(&options, result, &err);
	strlist_fini(&argv);
	free(config);
	free(env[0]);
	free(env[1]);
	if (ret != 0)
		fail_msg("%s", err.text);
}

static char *server_log(const struct world *world)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/pg/log", world->dir);
	return read_file(path);
}

static void expect(const struct world *world, const struct attempt *attempt)
{
	char *before = server_log(world), *after, *words = fill_in(world, attempt->complaint);
	struct run_result result;
	bool good;

	write_config(world, attempt->settings);
	write_home(world, ".pgpass", attempt->pgpass, 0600);
	write_home(world, ".pg_service.conf", attempt->service, 0600);
	run_it(world, attempt, "locks", &result);
	after = server_log(world);
	if (getenv("SHOW"))
		print_message("%s", buf_str(&result.err));
	if (attempt->complaint != NULL)
		good = (result.status == 3 || result.status == 78) &&
		       strstr(buf_str(&result.err), words) != NULL;
	else
		good = result.status == 0 && result.err.len == 0 &&
		       strstr(buf_str(&result.out), "\"version\": \"1") != NULL;
	if (good && attempt->connection != NULL)
		good = strstr(after + strlen(before), attempt->connection) != NULL;
	if (!good)
		fail_msg("%s\nstatus %d\n%s%s%s", attempt->settings, result.status,
			buf_str(&result.out), buf_str(&result.err), after + strlen(before));
	run_result_fini(&result);
	free(before);
	free(after);
	free(words);
}

static void expect_all(void **state, const struct attempt *attempts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect(*state, &attempts[i]);
}

#define EXPECT(...)                                                                                \
	do {                                                                                       \
		static const struct attempt attempts_[] = { __VA_ARGS__ };                         \
		expect_all(state, attempts_, sizeof(attempts_) / sizeof(attempts_[0]));            \
	} while (0)

/* --- sockets ---------------------------------------------------------------------------------- */

/* The host has no program that could stand in: only forwarding can have done it. The role is the
 * system's user, whom the server knows by the socket: the end of SSH is that user's. */
static void reach_forwards_to_a_socket(void **state)
{
	char *lib, *ssh;
	struct attempt attempt = { .connection = "method=peer" };

	lib = mem_printf("db_host = @DIR@/sock\ndb_user = %s\ntransport = libssh2\n",
		geteuid() == 0 ? "root" : getenv("USER"));
	ssh = mem_printf("db_host = @DIR@/sock\ndb_user = %s\ntransport = openssh\n"
			 "db_sslmode = verify-full\n",
		geteuid() == 0 ? "root" : getenv("USER"));
	attempt.settings = lib;
	expect(*state, &attempt);
	attempt.settings = ssh;
	expect(*state, &attempt);
	free(lib);
	free(ssh);
}

static void reach_bridges_to_a_socket(void **state)
{
	EXPECT({ .settings = "ssh = closed\ndb_host = @DIR@/sock\ndb_user = root\n"
			     "transport = libssh2\n",
		       .connection = "method=peer" },
		{ .settings = "ssh = closed\ndb_host = @DIR@/sock\ndb_user = root\n"
			      "transport = openssh\n",
			.connection = "method=peer" });
}

static void reach_says_why_a_socket_is_not_reached(void **state)
{
	static const char peer[] = "peer authentication failed: over its socket role bo1 is for";
	static const char none[] =
		"cannot be reached: sshd there forwards to no socket, and the host "
		"has none of socat";

	EXPECT({ .settings = "db_host = @DIR@/sock\ndb_user = bo1\n", .complaint = peer },
		{ .settings = "ssh = bare\ndb_host = @DIR@/sock\ndb_user = root\n",
			.complaint = none },
		{ .settings = "ssh = bare\ndb_host = @DIR@/sock\ndb_user = root\n"
			      "transport = openssh\n",
			.complaint = none },
		{ .settings = "db_host = @DIR@/nowhere\ndb_user = root\n",
			.complaint = "there is no socket @DIR@/nowhere/.s.PGSQL.@PORT@" },
		{ .settings = "db_host = @DIR@/nowhere\ndb_user = root\ntransport = openssh\n",
			.complaint = "there is no socket @DIR@/nowhere/.s.PGSQL.@PORT@" });
}

/* The passfile is looked up by the socket's directory, as libpq does without SSH. */
static void reach_sends_a_password_to_a_socket(void **state)
{
	EXPECT({ .settings = "db_host = @DIR@/sock\ndb_user = md5\n",
		       .pgpass = "@DIR@/sock:@PORT@:boardofone:md5:md5 secret\n",
		       .connection = "method=md5" },
		{ .settings = "db_host = @DIR@/sock\ndb_user = md5\n",
			.complaint = "asks for a password of role md5" });
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void reach_takes_every_sslmode(void **state)
{
	static const char *const root[] = { "PGSSLROOTCERT=@DIR@/ca.crt", NULL, NULL };
	static const struct {
		const char *mode, *user, *seen;
	} modes[] = {
		{ "disable", "bo1", "database=boardofone" },
		{ "disable", "plain", "database=boardofone" },
		{ "allow", "plain", "database=boardofone" },
		{ "prefer", "bo1", "SSL enabled" },
		{ "require", "bo1", "SSL enabled" },
		{ "verify-ca", "bo1", "SSL enabled" },
		{ "verify-full", "bo1", "SSL enabled" },
	};
	struct attempt attempt = { .env = { root[0] } };
	char *settings;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		settings = mem_printf("db_host = localhost\ndb_user = %s\ndb_sslmode = %s\n",
			modes[i].user, modes[i].mode);
		attempt.settings = settings;
		attempt.connection = modes[i].seen;
		expect(*state, &attempt);
		free(settings);
	}
}

static void reach_refuses_a_wrong_certificate(void **state)
{
	EXPECT({ .settings = "db_host = 127.0.0.1\ndb_user = bo1\ndb_sslmode = verify-full\n",
		       .env = { "PGSSLROOTCERT=@DIR@/ca.crt" },
		       .complaint = "the server's certificate is not for 127.0.0.1: it is for " },
		{ .settings = "db_host = localhost\ndb_user = bo1\ndb_sslmode = verify-full\n",
			.env = { "PGSSLROOTCERT=@DIR@/other.crt" },
			.complaint = "the server's certificate is not signed by an authority of " },
		{ .settings = "db_host = localhost\ndb_user = bo1\ndb_sslmode = verify-full\n",
			.complaint = "root certificate file" },
		{ .settings = "db_host = localhost\ndb_user = plain\ndb_sslmode = require\n",
			.complaint = "does not let in role plain" });
}

/* Channel binding fails where TLS does not end at the server itself. */
static void reach_binds_the_channel(void **state)
{
	EXPECT({ .settings = "db_host = localhost\ndb_user = scram\ndb_sslmode = verify-full\n",
		       .env = { "PGSSLROOTCERT=@DIR@/ca.crt", "PGCHANNELBINDING=require" },
		       .pgpass = "localhost:@PORT@:boardofone:scram:scram secret\n",
		       .connection = "SSL enabled" },
		{ .settings = "db_host = localhost\ndb_user = scram\ndb_sslmode = disable\n",
			.env = { "PGCHANNELBINDING=require" },
			.pgpass = "*:*:*:*:scram secret\n",
			.complaint = "channel binding" });
}

static void reach_takes_tls_from_a_service(void **state)
{
	static const char service[] =
		"[mine]\nhost=db.internal\nhostaddr=127.0.0.1\nport=@PORT@\nuser=certy\n"
		"sslmode=verify-full\nsslrootcert=@DIR@/ca.crt\nsslcert=@DIR@/client.crt\n"
		"sslkey=@DIR@/client.key\n";

	EXPECT({ .settings = "db_service = mine\n",
		       .service = service,
		       .connection = "identity=\"CN=certy\" method=cert" },
		{ .settings = "db_service = mine\ndb_user = bo1\n",
			.service = service,
			.connection = "user=bo1 database=boardofone" },
		{ .settings = "db_service = mine\ndb_host = 127.0.0.1\n",
			.service = service,
			.complaint = "certificate is not for 127.0.0.1" },
		{ .settings = "db_host = localhost\ndb_user = certy\n",
			.env = { "PGSSLCERT=@DIR@/client.crt", "PGSSLKEY=@DIR@/client.key" },
			.connection = "method=cert" },
		{ .settings = "db_host = localhost\ndb_user = certy\n",
			.complaint = "wants a client certificate" });
}

/* --- passwords and services ------------------------------------------------------------------- */

static void reach_finds_passwords_as_libpq_does(void **state)
{
	static const char scram[] = "db_host = localhost\ndb_user = scram\n";
	static const char md5[] = "db_host = localhost\ndb_user = md5\n";

	EXPECT({ .settings = scram,
		       .pgpass = "localhost:@PORT@:boardofone:scram:scram secret\n",
		       .connection = "method=scram-sha-256" },
		{ .settings = md5,
			.pgpass = "other:@PORT@:*:md5:no\nlocalhost:@PORT@:*:md5:md5 secret\n",
			.connection = "method=md5" },
		{ .settings = scram,
			.env = { "PGPASSWORD=scram secret" },
			.connection = "method=scram-sha-256" },
		{ .settings = scram,
			.env = { "PGPASSFILE=@DIR@/passfile" },
			.complaint = "asks for a password of role scram: put it in ~/.pgpass" },
		{ .settings = "db_service = mine\n",
			.service = "[mine]\nhost=localhost\nport=@PORT@\nuser=scram\n"
				   "password=scram secret\n",
			.connection = "method=scram-sha-256" },
		{ .settings = "db_host = localhost\n",
			.env = { "PGSERVICE=mine" },
			.service = "[mine]\nuser=scram\npassword=scram secret\nhost=elsewhere\n",
			.connection = "user=scram" });
}

static void reach_says_which_password_is_wrong(void **state)
{
	static const char scram[] = "db_host = localhost\ndb_user = scram\n";

	EXPECT({ .settings = scram,
		       .pgpass = "localhost:@PORT@:boardofone:scram:wrong\n",
		       .complaint =
			       "/.pgpass: mend its line for localhost:@PORT@:boardofone:scram" },
		{ .settings = scram,
			.env = { "PGPASSWORD=wrong" },
			.complaint = "the password of role scram that comes from PGPASSWORD" },
		{ .settings = "db_service = mine\n",
			.service = "[mine]\nhost=localhost\nport=@PORT@\nuser=scram\npassword=no\n",
			.complaint = "that comes from the service file" },
		{ .settings = scram, .complaint = "asks for a password of role scram: put it in" });
}

/* libpq would warn on stderr, in the middle of the screen. */
static void reach_says_that_a_passfile_is_open_to_others(void **state)
{
	struct world *world = *state;
	const struct attempt attempt = { .settings = "db_host = localhost\ndb_user = scram\n" };
	struct run_result result;

	write_config(world, attempt.settings);
	write_home(world, ".pgpass", "*:*:*:*:scram secret\n", 0644);
	run_it(world, &attempt, "locks", &result);
	assert_int_equal(result.status, 3);
	assert_non_null(strstr(buf_str(&result.err), "is not read because it is open to others"));
	assert_null(strstr(buf_str(&result.err), "WARNING"));
	run_result_fini(&result);
}

static void reach_says_what_is_wrong_with_a_service(void **state)
{
	EXPECT({ .settings = "db_service = mine\n",
		       .service = "[other]\nhost=localhost\n",
		       .complaint = "db_service = mine: definition of service \"mine\" not found" },
		{ .settings = "db_service = mine\n",
			.service = "[mine]\nport=1\n",
			.complaint = "the service names no host; set db_host" },
		{ .settings = "db_service = mine\n",
			.service = "[mine]\nhost=a,b\n",
			.complaint = "the service names several hosts; set db_host" },
		{ .settings = "db_service = mine\n",
			.service = "[mine]\nnonsense=1\nhost=a\n",
			.complaint = "syntax error in service file" });
}

/* --- containers ------------------------------------------------------------------------------- */

static bool start_podman(const struct world *world)
{
	return geteuid() == 0 && access("/usr/bin/podman", X_OK) == 0 &&
	       shell(world, "test -x %s/podman || tests/reach/podman %s", world->dir, world->dir) ==
		       0;
}

static void reach_finds_a_podman_container(void **state)
{
#define POD "runtime = podman\nruntime_command = @DIR@/podman\ndb_port = 5432\ndb_user = postgres\n"
	if (!start_podman(*state))
		skip();
	EXPECT({ .settings = POD "db_container = db\n" },
		{ .settings = POD "db_container = db\ntransport = openssh\n" },
		{ .settings = POD "db_container = db-shared\n" },
		{ .settings = POD "db_container = db-two\n" },
		{ .settings = "runtime = podman\nruntime_command = @DIR@/podman\n"
			      "db_user = bo1\ndb_container = db-host\ndb_sslmode = require\n",
			.connection = "SSL enabled" },
		{ .settings = POD "db_container = db-none\n",
			.complaint =
				"container db-none has no address of its own (network none): set "
				"db_host" },
		{ .settings = POD "db_container = db-gone\n",
			.complaint = "container db-gone is not running (exited)" },
		{ .settings = POD "db_container = nonesuch\n",
			.complaint =
				"there is no container nonesuch on open: '@DIR@/podman ps -a'" });
}

static void reach_goes_through_sudo(void **state)
{
	static const char wants[] = "sudo on ordinary wants a password for 'sudo ";

	if (!start_podman(*state))
		skip();
	EXPECT({ .settings = "ssh = ordinary\nruntime = podman\ndb_port = 5432\n"
			     "runtime_command = sudo @DIR@/podman\ndb_user = postgres\n"
			     "db_container = db\n" },
		{ .settings = "ssh = ordinary\nruntime = docker\nruntime_command = sudo docker\n"
			      "db_container = db\n",
			.complaint = wants },
		{ .settings = "ssh = ordinary\nruntime = podman\nruntime_command = sudo podman\n"
			      "db_container = db\n",
			.complaint = wants });
}

static void reach_says_why_a_runtime_does_not_serve(void **state)
{
	const struct world *world = *state;

	if (geteuid() != 0 || access("/usr/bin/docker", X_OK) < 0)
		skip();
	(void)world;
	EXPECT({ .settings = "ssh = ordinary\nruntime = docker\ndb_container = db\n"
			     "runtime_command = docker -H unix://@DIR@/closed-docker/docker.sock\n",
		       .complaint =
			       "the SSH user may not use Docker on ordinary: add it to group" },
		{ .settings = "ssh = ordinary\nruntime = docker\ndb_container = db\n"
			      "runtime_command = docker -H unix://@DIR@/none.sock\n",
			.complaint = "Docker does not run on ordinary, or not where" },
		{ .settings = "ssh = bare\nruntime = podman\ndb_container = db\n",
			.complaint = "'podman' cannot be run on bare: install it, or set" });
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reach_forwards_to_a_socket),
		TEST(reach_bridges_to_a_socket),
		TEST(reach_says_why_a_socket_is_not_reached),
		TEST(reach_sends_a_password_to_a_socket),
		TEST(reach_takes_every_sslmode),
		TEST(reach_refuses_a_wrong_certificate),
		TEST(reach_binds_the_channel),
		TEST(reach_takes_tls_from_a_service),
		TEST(reach_finds_passwords_as_libpq_does),
		TEST(reach_says_which_password_is_wrong),
		TEST(reach_says_that_a_passfile_is_open_to_others),
		TEST(reach_says_what_is_wrong_with_a_service),
		TEST(reach_finds_a_podman_container),
		TEST(reach_goes_through_sudo),
		TEST(reach_says_why_a_runtime_does_not_serve),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
