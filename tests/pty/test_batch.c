/*
 * The command line in pipes and with wrong input: valid JSON with the documented keys and no escape
 * byte; one sentence on stderr, the documented exit status, and a terminal that stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "fixture.h"
#include "match.h"

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

/* --- JSON ------------------------------------------------------------------------------------- */

static void expect_no_escapes(const struct buf *text)
{
	char *found = escapes_any(buf_str(text), text->len);

	if (found != NULL)
		print_error("%s\n", found);
	assert_null(found);
}

/* "pgoncall -c CONFIG COMMAND prod --json" as an object, to be released; its exit status. */
static json_t *json_of(struct fixture *f, const char *command, int *status)
{
	const char *arguments[] = { "-c", range_config(f->range), command, "prod", "--json", NULL };
	struct run_result result;
	json_error_t why;
	json_t *json;

	fixture_run(f, arguments, &result);
	expect_no_escapes(&result.out);
	expect_no_escapes(&result.err);
	if (result.err.len > 0)
		print_error("%s", result.err.data);
	assert_int_equal(result.err.len, 0);
	json = json_loadb(buf_str(&result.out), result.out.len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(json))
		fail_msg("%s: line %d: %s", command, why.line, why.text);
	*status = result.status;
	run_result_fini(&result);
	return json;
}

/* Types by letter: s string, i integer, n number, b boolean, a array, o object, z null. */
static bool has_type(const json_t *value, const char *types)
{
	static const char letters[] = {
		[JSON_OBJECT] = 'o',
		[JSON_ARRAY] = 'a',
		[JSON_STRING] = 's',
		[JSON_INTEGER] = 'i',
		[JSON_REAL] = 'n',
		[JSON_TRUE] = 'b',
		[JSON_FALSE] = 'b',
		[JSON_NULL] = 'z',
	};

	return strchr(types, letters[json_typeof(value)]) != NULL;
}

struct key_type {
	const char *key;
	const char *types;
};

/* Exactly these keys: a key more is a change of the contract, too. */
static void expect_keys(const json_t *object, const struct key_type *keys, size_t n)
{
	assert_true(json_is_object(object));
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_object_get(object, keys[i].key);

		if (value == NULL || !has_type(value, keys[i].types))
			fail_msg("\"%s\" is %s", keys[i].key,
				value == NULL ? "missing" : "of another type");
	}
	assert_int_equal(json_object_size(object), n);
}

static void expect_keys_of_all(const json_t *array, const struct key_type *keys, size_t n)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		expect_keys(json_array_get(array, i), keys, n);
}

static const json_t *get(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(get(object, key));

	return text == NULL ? "" : text;
}

static const json_t *item_with(const json_t *array, const char *key, const char *value)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (strcmp(text_of(json_array_get(array, i), key), value) == 0)
			return json_array_get(array, i);
	fail_msg("nothing with \"%s\": \"%s\"", key, value);
	return NULL;
}

static const struct key_type finding_keys[] = { { "code", "s" }, { "severity", "s" },
	{ "text", "s" }, { "runbook", "sz" } };

static void json_history_tells_the_timeline(void **state)
{
	static const struct key_type keys[] = { { "revisions", "a" }, { "heads", "a" },
		{ "current", "a" }, { "problems", "a" } };
	static const struct key_type revision_keys[] = { { "id", "s" }, { "down", "a" },
		{ "depends_on", "a" }, { "labels", "a" }, { "message", "s" }, { "created", "sz" },
		{ "path", "s" }, { "head", "b" }, { "base", "b" }, { "branchpoint", "b" },
		{ "merge", "b" }, { "state", "s" } };
	int status;
	json_t *json = json_of(*state, "history", &status);
	const json_t *revisions = get(json, "revisions");
	const json_t *newest = json_array_get(revisions, 0);

	assert_in_range(status, 0, 1);
	expect_keys(json, keys, N_ITEMS(keys));
	expect_keys_of_all(revisions, revision_keys, N_ITEMS(revision_keys));
	assert_int_equal(json_array_size(revisions), 8);
	assert_string_equal(text_of(newest, "id"), "622dbc22743e");
	assert_string_equal(text_of(newest, "state"), "pending");
	assert_true(json_is_true(get(newest, "head")));
	assert_string_equal(
		json_string_value(json_array_get(get(newest, "down"), 0)), "001_research_metrics");
	assert_string_equal(
		text_of(item_with(revisions, "id", "001_research_metrics"), "state"), "current");
	assert_string_equal(text_of(json_array_get(revisions, 7), "state"), "applied");
	assert_true(json_is_true(get(json_array_get(revisions, 7), "base")));
	assert_string_equal(
		json_string_value(json_array_get(get(json, "heads"), 0)), "622dbc22743e");
	assert_string_equal(
		json_string_value(json_array_get(get(json, "current"), 0)), "001_research_metrics");
	json_decref(json);
}

static const json_t *session_with_pid(const json_t *sessions, int pid)
{
	for (size_t i = 0; i < json_array_size(sessions); i++)
		if (json_integer_value(get(json_array_get(sessions, i), "pid")) == pid)
			return json_array_get(sessions, i);
	fail_msg("no session with pid %d", pid);
	return NULL;
}

static void expect_locks_shape(const json_t *json)
{
	static const struct key_type keys[] = { { "at", "s" }, { "server", "o" },
		{ "sessions", "a" }, { "roots", "a" }, { "findings", "a" } };
	static const struct key_type server_keys[] = { { "version", "s" }, { "standby", "b" } };
	static const struct key_type lock_keys[] = { { "mode", "s" }, { "relation", "sz" } };
	static const struct key_type session_keys[] = { { "pid", "i" }, { "backend_start", "s" },
		{ "user", "sz" }, { "database", "sz" }, { "application", "sz" }, { "client", "sz" },
		{ "state", "sz" }, { "wait_event_type", "sz" }, { "wait_event", "sz" },
		{ "xact_age_s", "inz" }, { "query_age_s", "inz" }, { "wait_age_s", "inz" },
		{ "query", "s" }, { "blocked_by", "a" }, { "waits_for", "oz" }, { "holds", "a" },
		{ "depth", "i" }, { "root", "ibz" } };
	const json_t *sessions = get(json, "sessions");

	expect_keys(json, keys, N_ITEMS(keys));
	expect_keys(get(json, "server"), server_keys, N_ITEMS(server_keys));
	expect_keys_of_all(sessions, session_keys, N_ITEMS(session_keys));
	for (size_t i = 0; i < json_array_size(sessions); i++) {
		const json_t *session = json_array_get(sessions, i);

		expect_keys_of_all(get(session, "holds"), lock_keys, N_ITEMS(lock_keys));
		if (json_is_object(get(session, "waits_for")))
			expect_keys(get(session, "waits_for"), lock_keys, N_ITEMS(lock_keys));
	}
	expect_keys_of_all(get(json, "findings"), finding_keys, N_ITEMS(finding_keys));
}

static void json_locks_tells_the_blocking_tree(void **state)
{
	static const char blocker_sql[] =
		"SELECT pid FROM pg_stat_activity WHERE state ="
		" 'idle in transaction' AND application_name = 'boardofone-api'";
	static const char waiter_sql[] =
		"SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
		" AND query LIKE 'ALTER TABLE users%'";
	struct fixture *f = *state;
	struct err err = { 0 };
	const json_t *blocker, *waiter;
	json_t *json;
	int status, pid;

	fixture_check(range_incident(f->range, "stuck-migration", &err), &err);
	pid = fixture_number(f, blocker_sql);
	json = json_of(f, "locks", &status);
	assert_in_range(status, 1, 2);
	expect_locks_shape(json);
	assert_int_equal(json_array_size(get(json, "roots")), 1);
	assert_int_equal(json_integer_value(json_array_get(get(json, "roots"), 0)), pid);
	blocker = session_with_pid(get(json, "sessions"), pid);
	waiter = session_with_pid(get(json, "sessions"), fixture_number(f, waiter_sql));
	assert_int_equal(json_array_size(get(blocker, "blocked_by")), 0);
	assert_int_equal(json_integer_value(json_array_get(get(waiter, "blocked_by"), 0)), pid);
	assert_string_equal(text_of(get(waiter, "waits_for"), "mode"), "AccessExclusive");
	assert_non_null(strstr(text_of(get(waiter, "waits_for"), "relation"), "users"));
	assert_string_equal(
		text_of(item_with(get(json, "findings"), "code", "migration-blocked"), "runbook"),
		"stuck-migration");
	json_decref(json);
}

static void json_check_gives_a_verdict(void **state)
{
	static const struct key_type keys[] = { { "target", "s" }, { "status", "s" },
		{ "checks", "a" }, { "findings", "a" } };
	static const struct key_type check_keys[] = { { "name", "s" }, { "status", "s" },
		{ "detail", "s" } };
	int status;
	json_t *json = json_of(*state, "check", &status);

	expect_keys(json, keys, N_ITEMS(keys));
	expect_keys_of_all(get(json, "checks"), check_keys, N_ITEMS(check_keys));
	expect_keys_of_all(get(json, "findings"), finding_keys, N_ITEMS(finding_keys));
	assert_string_equal(text_of(json, "target"), "prod");
	assert_true(json_array_size(get(json, "checks")) > 0);
	/* Tables are missing, but those of the pending revision, which may create them. */
	assert_string_equal(text_of(json, "status"), "warning");
	assert_int_equal(status, 1);
	item_with(get(json, "findings"), "code", "pending-migrations");
	json_decref(json);
}

/* --- wrong input ------------------------------------------------------------------------------ */

/* Writes what the case needs and returns the configuration to use, to be freed; NULL: none. */
typedef char *prepare(struct fixture *f);

static char *config_none(struct fixture *f)
{
	(void)f;
	return NULL;
}

static char *config_as_it_is(struct fixture *f)
{
	return mem_strdup(range_config(f->range));
}

static char *config_missing_file(struct fixture *f)
{
	return mem_printf("%s/not-there", f->home);
}

static char *config_bad_key(struct fixture *f)
{
	return fixture_write(f, "config",
		"[target prod]\nenvironment = production\nssh = none\n"
		"colour = red\ndb_name = boardofone\n");
}

static char *config_bad_value(struct fixture *f)
{
	return fixture_write(f, "config", "[target prod]\nssh = none\nenvironment = moon\n");
}

static char *config_missing_key(struct fixture *f)
{
	return fixture_write(f, "config", "; a target\n[target prod]\nssh = none\n");
}

static char *config_wrong_database(struct fixture *f)
{
	return fixture_vary(f, "RANGE_CONFIG", "config", "db_name", "db_name = nosuchdatabase");
}

/* A configuration whose ssh_config is another file; takes that file's path. */
static char *config_with_ssh_take(struct fixture *f, char *ssh_config)
{
	char *line = mem_printf("ssh_config = %s", ssh_config);
	char *path = fixture_vary(f, "RANGE_CONFIG", "config", "ssh_config", line);

	free(line);
	free(ssh_config);
	return path;
}

/* Port 1 of the loopback: nobody listens there. */
static char *config_unreachable_host(struct fixture *f)
{
	return config_with_ssh_take(
		f, fixture_vary(f, "SSH_CONFIG", "ssh_config", "Port", "\tPort 1"));
}

static char *config_known_hosts_take(struct fixture *f, char *known_hosts)
{
	char *line = mem_printf("\tUserKnownHostsFile %s", known_hosts);
	char *ssh_config = fixture_vary(f, "SSH_CONFIG", "ssh_config", "UserKnownHostsFile", line);

	free(line);
	free(known_hosts);
	return config_with_ssh_take(f, ssh_config);
}

/* The server's name with the bastion's key: as if somebody stood between. */
static char *config_changed_host_key(struct fixture *f)
{
	const char *script = "read -r type key _ <\"$1\" && echo \"[127.0.0.1]:$2 $type $key\"";
	char *public_key = mem_printf("%s.pub", range_value(f->range, "BASTION_HOST_KEY"));
	const char *argv[] = { "sh", "-c", script, "sh", public_key,
		range_value(f->range, "SSH_PORT"), NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	char *path;

	assert_int_equal(run_program(&options, &result, NULL), 0);
	assert_int_equal(result.status, 0);
	path = config_known_hosts_take(f, fixture_write(f, "known_hosts", buf_str(&result.out)));
	run_result_fini(&result);
	free(public_key);
	return path;
}

static char *config_unknown_host_key(struct fixture *f)
{
	return config_known_hosts_take(f, fixture_write(f, "known_hosts", ""));
}

static const struct wrong_input {
	const char *name;
	prepare *config;
	const char *target;
	int status;
	const char *sentence; /* what follows "pgoncall: ", as a pattern */
} wrong_inputs[] = {
	{ "no configuration", config_none, "prod", 78, "/\\.config/pgoncall/config: No such file" },
	{ "no such configuration", config_missing_file, "prod", 78, "/not-there: No such file" },
	{ "unknown target", config_as_it_is, "nosuch", 78, "nosuch.*prod" },
	{ "unknown key", config_bad_key, "prod", 78, "/config:4: .*colour" },
	{ "bad value", config_bad_value, "prod", 78, "/config:3: .*moon" },
	{ "missing key", config_missing_key, "prod", 78, "/config:2: .*environment" },
	{ "unreachable host", config_unreachable_host, "prod", 3, "127\\.0\\.0\\.1|server" },
	{ "changed host key", config_changed_host_key, "prod", 3, "known_hosts:1\\b" },
	{ "unknown host key", config_unknown_host_key, "prod", 3, "SHA256:" },
	{ "wrong database", config_wrong_database, "prod", 3, "nosuchdatabase" },
};

static const char *const *wrong_arguments(
	const char **out, const char *config, const char *command, const char *target)
{
	size_t n = 0;

	if (config != NULL) {
		out[n++] = "-c";
		out[n++] = config;
	}
	if (command != NULL)
		out[n++] = command;
	out[n++] = target;
	out[n] = NULL;
	return out;
}

/* One line, on stderr only. */
static void expect_sentence(const struct wrong_input *wrong, const struct run_result *result)
{
	const char *text = buf_str(&result->err);
	const char *end = strchr(text, '\n');

	if (result->status != wrong->status || result->out.len > 0 ||
		!str_starts(text, "pgoncall: ") || end == NULL || end[1] != '\0' ||
		!match_text(text, wrong->sentence))
		fail_msg("%s: status %d, stdout \"%s\", stderr \"%s\"", wrong->name, result->status,
			buf_str(&result->out), text);
	expect_no_escapes(&result->err);
}

static void wrong_input_is_told_in_one_sentence(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < N_ITEMS(wrong_inputs); i++) {
		const struct wrong_input *wrong = &wrong_inputs[i];
		char *config = wrong->config(f);
		const char *arguments[6];
		struct run_result result;

		fixture_run(f, wrong_arguments(arguments, config, "locks", wrong->target), &result);
		expect_sentence(wrong, &result);
		run_result_fini(&result);
		free(config);
	}
}

/* Batch on a terminal: the same, with no escape byte, and the terminal as it was. */
static void wrong_input_leaves_the_terminal_alone(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < N_ITEMS(wrong_inputs); i++) {
		const struct wrong_input *wrong = &wrong_inputs[i];
		char *config = wrong->config(f);
		const char *arguments[6];
		struct pty *p;
		int status;

		p = fixture_open(
			f, 24, 250, wrong_arguments(arguments, config, "locks", wrong->target));
		status = pty_wait_exit(p, PTY_WAIT_MS);
		free(config);
		if (status != wrong->status || !pty_has(p, wrong->sentence))
			pty_fail(p, "%s: status %d", wrong->name, status);
		pty_assert_restored(p);
		pty_assert_no_foreign(p, ESCAPES_NONE);
	}
}

/* The console says what is wrong with a configuration before it takes the screen. */
static void wrong_configuration_keeps_the_console_off_the_screen(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < N_ITEMS(wrong_inputs); i++) {
		const struct wrong_input *wrong = &wrong_inputs[i];
		const char *arguments[6];
		struct pty *p;
		char *config;

		if (wrong->status != 78)
			continue;
		config = wrong->config(f);
		p = fixture_open(
			f, 24, 250, wrong_arguments(arguments, config, NULL, wrong->target));
		free(config);
		assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 78);
		if (!pty_has(p, wrong->sentence))
			pty_fail(p, "%s", wrong->name);
		pty_assert_restored(p);
	}
}

static void wrong_usage_is_told_in_one_sentence(void **state)
{
	static const char *const cases[][4] = {
		{ "--nonsense", NULL },
		{ "locks", NULL },
		{ "locks", "prod", "--nonsense", NULL },
		{ "history", "prod", "staging", NULL },
		{ "-c", NULL },
	};
	static const struct wrong_input usage = {
		.name = "usage", .status = 64, .sentence = "^pgoncall: ."
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N_ITEMS(cases); i++) {
		struct run_result result;

		fixture_run(f, cases[i], &result);
		expect_sentence(&usage, &result);
		run_result_fini(&result);
	}
}

/* Both ways to the host, and the jump host, give the same answer. */
static void locks_come_by_every_transport(void **state)
{
	static const char *const kinds[] = { "auto", "libssh2", "openssh" };
	static const char *const targets[] = { "prod", "staging" };
	struct fixture *f = *state;
	size_t i, k;

	for (i = 0; i < N_ITEMS(kinds); i++) {
		char line[64];
		char *config;

		snprintf(line, sizeof(line), "db_name = boardofone\ntransport = %s", kinds[i]);
		config = fixture_vary(f, "RANGE_CONFIG", "transport.conf", "db_name", line);
		for (k = 0; k < N_ITEMS(targets); k++) {
			const char *arguments[] = { "-c", config, "locks", targets[k], NULL };
			struct run_result result;

			fixture_run(f, arguments, &result);
			if (result.status != 0 || !strstr(result.out.data, "no session waits"))
				fail_msg("%s to %s: exit %d: %s", kinds[i], targets[k],
					result.status, buf_str(&result.err));
			run_result_fini(&result);
		}
		free(config);
	}
}

/* A version table in a schema of its own, which no setting names. */
static void plan_names_the_version_table_that_was_found(void **state)
{
	struct fixture *f = *state;
	char *config = fixture_vary(f, "RANGE_CONFIG", "config", "version_table", "");
	const char *arguments[] = { "-c", config, "runbook", "plan", "not-up-to-date", "prod",
		NULL };
	struct run_result result;
	struct err err = { 0 };
	char *moved, *back;

	moved = range_psql(f->range,
		"CREATE SCHEMA \"Ops\"; GRANT USAGE ON SCHEMA \"Ops\" TO PUBLIC; "
		"ALTER TABLE alembic_version SET SCHEMA \"Ops\"",
		&err);
	fixture_run(f, arguments, &result);
	back = range_psql(f->range,
		"ALTER TABLE \"Ops\".alembic_version SET SCHEMA public; DROP SCHEMA \"Ops\"", &err);
	assert_non_null(moved);
	assert_non_null(back);
	assert_true(match_text(buf_str(&result.out), "FROM \"Ops\"\\.\"alembic_version\""));
	assert_true(match_text(buf_str(&result.out), "-- [$]1 = '\"Ops\"\\.\"alembic_version\"'"));
	assert_int_equal(result.status, 0);
	run_result_fini(&result);
	free(moved);
	free(back);
	free(config);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(json_history_tells_the_timeline),
		TEST(json_locks_tells_the_blocking_tree),
		TEST(json_check_gives_a_verdict),
		TEST(plan_names_the_version_table_that_was_found),
		TEST(locks_come_by_every_transport),
		TEST(wrong_input_is_told_in_one_sentence),
		TEST(wrong_input_leaves_the_terminal_alone),
		TEST(wrong_configuration_keeps_the_console_off_the_screen),
		TEST(wrong_usage_is_told_in_one_sentence),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
