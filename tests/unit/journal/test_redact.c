/*
 * What goes and what stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/journal/record.h>

static const struct {
	const char *text;
	const char *want;
} cases[] = {
	/* connection strings and URLs */
	{ "postgresql://bo1:s3cret@db:5432/x?sslmode=prefer",
		"postgresql://bo1:***@db:5432/x?sslmode=prefer" },
	{ "psql 'postgres://u:p@ss/w?or#d@h/db' -c x", "psql 'postgres://u:***@h/db' -c x" },
	{ "redis://:p@h:1", "redis://:***@h:1" },
	{ "https://boardof.one:443/api", "https://boardof.one:443/api" },
	{ "postgresql://bo1@db/x", "postgresql://bo1@db/x" },
	{ "host=db user=bo1 password=s3cret dbname=x", "host=db user=bo1 password=*** dbname=x" },
	{ "password = 'it\\'s me' dbname=x", "password = *** dbname=x" },
	{ "password=a\\ b dbname=x", "password=*** dbname=x" },
	/* environment and options */
	{ "docker exec -e PGPASSWORD=s3cret db psql", "docker exec -e PGPASSWORD=*** db psql" },
	{ "docker exec -e 'PGPASSWORD=s3 cret' db psql",
		"docker exec -e 'PGPASSWORD=***' db psql" },
	{ "-e 'PGPASSWORD=it'\\''s me' db", "-e 'PGPASSWORD=***' db" },
	{ "PGPASSWORD='it'\\''s me' psql", "PGPASSWORD=*** psql" },
	{ "export DB_PASSWORD=\"a\\\"b c\"; x", "export DB_PASSWORD=***; x" },
	{ "tool --password s3cret --verbose", "tool --password *** --verbose" },
	{ "tool --password=s3cret --verbose", "tool --password=*** --verbose" },
	{ "tool --password --verbose", "tool --password --verbose" },
	{ "curl -u ada:s3cret https://x", "curl -u ada:*** https://x" },
	{ "psql -u ada", "psql -u ada" },
	/* SQL */
	{ "ALTER ROLE bo1 PASSWORD 's3cret' VALID UNTIL 'x'",
		"ALTER ROLE bo1 PASSWORD *** VALID UNTIL 'x'" },
	{ "alter role bo1 encrypted password E'it''s'", "alter role bo1 encrypted password E***" },
	{ "ALTER ROLE bo1 PASSWORD $$s3 cret$$;", "ALTER ROLE bo1 PASSWORD ***;" },
	{ "UPDATE u SET password='x', n=1", "UPDATE u SET password=***, n=1" },
	{ "UPDATE u SET password = $1 WHERE id = $2", "UPDATE u SET password = $1 WHERE id = $2" },
	{ "SELECT password::text FROM u", "SELECT password::text FROM u" },
	{ "SELECT password FROM u", "SELECT password FROM u" },
	/* JSON and headers */
	{ "{\"user\":\"a\",\"password\":\"s3cret\",\"n\":1}",
		"{\"user\":\"a\",\"password\":***,\"n\":1}" },
	{ "{\\\"api_key\\\": \\\"s3cret\\\", \\\"n\\\": 1}",
		"{\\\"api_key\\\": ***, \\\"n\\\": 1}" },
	{ "'token' => 's3cret'", "'token' => ***" },
	{ "curl -H 'Authorization: Bearer abcdefgh.ijk'", "curl -H 'Authorization: Bearer ***'" },
	{ "Authorization: Basic YWRhOnMzY3JldA==", "Authorization: Basic ***" },
	{ "curl -H 'Authorization: token gh0abc' https://x",
		"curl -H 'Authorization: token ***' https://x" },
	{ "Authorization: abcdefgh\nnext", "Authorization: ***\nnext" },
	{ "curl -H \"Cookie: session=abc; x=y\" https://x", "curl -H \"Cookie: ***\" https://x" },
	{ "Set-Cookie: a=b; Secure\r\nnext", "Set-Cookie: ***\r\nnext" },
	{ "https://b/x?X-Amz-Signature=0abc&y=1", "https://b/x?X-Amz-Signature=***&y=1" },
	/* a password behind -p */
	{ "sshpass -p pw ssh h", "sshpass -p *** ssh h" },
	{ "sshpass -p 'p w' ssh h", "sshpass -p *** ssh h" },
	{ "mysql -h db -pS3cret x", "mysql -h db -p*** x" },
	{ "mysqldump -u u -pS3cret x | gzip -p 1", "mysqldump -u u -p*** x | gzip -p 1" },
	{ "docker login -u u -p pw r", "docker login -u u -p *** r" },
	{ "mysql -h db; mkdir -p x", "mysql -h db; mkdir -p x" },
	{ "docker run -p 80:80 x", "docker run -p 80:80 x" },
	/* shapes */
	{ "use ghp_0123456789abcdefghij now", "use *** now" },
	{ "key AKIAIOSFODNN7EXAMPLE.", "key ***" },
	{ "jwt eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.x", "jwt ***" },
	{ "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blb\nc3NoL\n-----END OPENSSH PRIVATE "
	  "KEY-----\nrest",
		"-----BEGIN OPENSSH PRIVATE KEY-----***-----END OPENSSH PRIVATE KEY-----\nrest" },
	{ "-----BEGIN PRIVATE KEY-----\ncut off", "-----BEGIN PRIVATE KEY-----***" },
	/* nothing to hide */
	{ "", "" },
	{ "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = 8123",
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = 8123" },
	{ "docker exec boardofone-api-1 uv run alembic upgrade 622dbc22743e",
		"docker exec boardofone-api-1 uv run alembic upgrade 622dbc22743e" },
	{ "max_tokens=5 bypass=1 tests pass: 7", "max_tokens=5 bypass=1 tests pass: 7" },
	{ "password", "password" },
	{ "password=", "password=" },
	{ "password='", "password=***" },
	{ "PGPASSWORD=$SECRET psql", "PGPASSWORD=$SECRET psql" },
};

static void redact_masks_secrets_and_nothing_else(void **state)
{
	struct buf out = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&out);
		journal_redact(&out, cases[i].text);
		assert_string_equal(buf_str(&out), cases[i].want);
	}
	buf_fini(&out);
}

static void redact_twice_is_redact_once(void **state)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&once);
		buf_clear(&twice);
		journal_redact(&once, cases[i].text);
		journal_redact(&twice, buf_str(&once));
		assert_string_equal(buf_str(&twice), buf_str(&once));
	}
	buf_fini(&once);
	buf_fini(&twice);
}

static void redact_knows_names_of_secrets(void **state)
{
	(void)state;
	assert_true(journal_name_is_secret("PGPASSWORD", 10));
	assert_true(journal_name_is_secret("api_token", 9));
	assert_false(journal_name_is_secret("pid", 3));
	assert_false(journal_name_is_secret("password_age", 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redact_masks_secrets_and_nothing_else),
		cmocka_unit_test(redact_twice_is_redact_once),
		cmocka_unit_test(redact_knows_names_of_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
