/*
 * The revision timeline on a terminal, against the range: images that disagree, a database ahead of an
 * image, a revision nobody knows, two heads, a version table that is gone or elsewhere, SQL by Alembic's
 * offline mode, a checkout that may be hostile, identifiers that only Python knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

#include "escapes.h"
#include "fixture.h"
#include "texts.h"

/* What the picture, and what Alembic, may take. */
enum { LIVE_MS = 30000, ALEMBIC_MS = 60000 };

static void stage(struct fixture *f, const char *name)
{
	struct err err = { 0 };

	fixture_check(range_incident(f->range, name, &err), &err);
}

/* A script of bash in the tree's root, with what the range calls its parts. */
static void script(struct fixture *f, const char *text)
{
	char *whole = mem_printf("set -eu -o pipefail; here=$PWD/tests/range; . tests/range/lib.sh;"
				 " range_load %s; %s",
		range_dir(f->range), text);
	const char *argv[] = { "bash", "-c", whole, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	struct err err = { 0 };

	fixture_check(run_program(&options, &result, &err), &err);
	if (result.status != 0)
		fail_msg("%s: %s%s", text, buf_str(&result.out), buf_str(&result.err));
	run_result_fini(&result);
	free(whole);
}

/* The value of app, in either form of the range, is a line of its configuration. */
static char *app_of(struct fixture *f, const char *colour)
{
	const char *key = strcmp(range_value(f->range, "RANGE_FORM"), "docker") == 0
				  ? (*colour == 'b' ? "APP_CONTAINER" : "GREEN_CONTAINER")
				  : (*colour == 'b' ? "APP_DIR" : "GREEN_DIR");

	return mem_strdup(range_value(f->range, key));
}

/* Both colours in place of one, and further lines. */
static struct pty *open_colours(struct fixture *f, const char *more)
{
	char *blue = app_of(f, "blue"), *green = app_of(f, "green");
	char *lines = mem_printf("app.blue = %s\napp.green = %s\n%s", blue, green, more);
	char *config = fixture_vary(f, "RANGE_CONFIG", "colours.conf", "app", lines);
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct pty *p = fixture_open(f, 36, 120, arguments);

	free(blue);
	free(green);
	free(lines);
	free(config);
	return p;
}

static void revisions_show_images_that_disagree(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "colour-skew");
	p = open_colours(f, "");
	pty_wait_text(p, "○ d4c6f8a0b2e1 .*green only .*pending", LIVE_MS);
	pty_wait_text(p, "○ 622dbc22743e .*next", PTY_WAIT_MS);
	pty_wait_text(p, "Revisions.*2 pending · skew", PTY_WAIT_MS);
	pty_key(p, "1");
	pty_key(p, "g");
	pty_key(p, "Enter");
	pty_wait_text(p, "only green can roll it back: blue has no file of it", PTY_WAIT_MS);
	pty_wait_text(p, "found in +green", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_key(p, "Tab");
	pty_key(p, "Esc");
	fixture_quit(p);
}

static void revisions_show_a_database_ahead_of_an_image(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "unknown-revision");
	p = open_colours(f, "");
	pty_wait_text(p, "● d4c6f8a0b2e1 .*green only head CURRENT", LIVE_MS);
	pty_wait_text(p, "database is ahead of blue: d4c6f8a0b2e1 is applied", PTY_WAIT_MS);
	pty_wait_text(p, "only\\s+green can roll it back", PTY_WAIT_MS);
	fixture_quit(p);
}

static void revisions_show_a_row_no_file_knows(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "unknown-revision");
	p = fixture_console(f, 24, 80);
	pty_wait_text(p, "\\? d4c6f8a0b2e1  in the database, in no file", LIVE_MS);
	pty_wait_text(p, "stands at revision d4c6f8a0b2e1", PTY_WAIT_MS);
	pty_key(p, "1");
	pty_key(p, "g");
	pty_key(p, "Enter");
	pty_wait_text(p, "nothing counts as pending", PTY_WAIT_MS);
	pty_key(p, "Esc");
	fixture_quit(p);
}

static void revisions_show_two_heads(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "multiple-heads");
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, "Revisions.*2 heads · 2 pending", LIVE_MS);
	pty_wait_text(p, "2 heads \\(.*b7d1e5a9c3f2.*upgrade\\s+head fails", PTY_WAIT_MS);
	/* Two lanes, which the branch point joins. */
	pty_wait_text(p, "│ ○ .*\\n(.*\\n)*.*●─╯ ", PTY_WAIT_MS);
	/* From head to head. */
	pty_key(p, "1");
	pty_key(p, "G");
	pty_key(p, "H");
	pty_key(p, "Enter");
	pty_wait_text(p, "followed by +nothing: it is a head", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_key(p, "C");
	pty_key(p, "Enter");
	pty_wait_text(p, "state +CURRENT", PTY_WAIT_MS);
	pty_key(p, "Esc");
	fixture_quit(p);
}

static void revisions_survive_a_missing_version_table(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "version-table-missing");
	p = fixture_console(f, 36, 120);
	/* Nothing is recorded, so all is pending, and the finding says why. */
	pty_wait_text(p, "Revisions.*8 pending", LIVE_MS);
	pty_wait_text(p, "ced8f3f148bb .*next", PTY_WAIT_MS);
	fixture_quit(p);
}

/* Where the configuration does not name it, the catalogue does; several are said. */
static void revisions_find_the_version_table(void **state)
{
	struct fixture *f = *state;
	char *config = fixture_vary(f, "RANGE_CONFIG", "nowhere.conf", "version_table", "");
	const char *arguments[] = { "-c", config, "prod", NULL };
	struct err err = { 0 };
	struct pty *p;

	stage(f, "version-table-missing");
	free(range_psql(f->range,
		"CREATE SCHEMA hist; CREATE TABLE hist.state (version_num varchar(32));"
		" INSERT INTO hist.state VALUES ('f23423398b2a');"
		" GRANT USAGE ON SCHEMA hist TO PUBLIC; GRANT SELECT ON hist.state TO PUBLIC",
		&err));
	p = fixture_open(f, 36, 120, arguments);
	pty_wait_text(p, "● f23423398b2a .*CURRENT", LIVE_MS);
	pty_wait_text(p, "Revisions.*2 pending", PTY_WAIT_MS);
	fixture_quit(p);
	free(range_psql(f->range,
		"CREATE TABLE hist.alembic_other (version_num varchar(32));"
		" GRANT SELECT ON hist.alembic_other TO PUBLIC",
		&err));
	p = fixture_open(f, 36, 120, arguments);
	pty_wait_text(p, "2 tables look like Alembic's: .* is used", LIVE_MS);
	fixture_quit(p);
	free(range_psql(f->range, "DROP SCHEMA hist CASCADE", &err));
	free(config);
}

static void revisions_show_the_sql_alembic_would_run(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, texts.pending, LIVE_MS);
	pty_key(p, "1");
	pty_key(p, "g");
	pty_key(p, "u");
	pty_wait_text(p, "SQL of upgrade\\(\\)", PTY_WAIT_MS);
	pty_wait_text(p, "Running upgrade 001_research_metrics -> 622dbc22743e", ALEMBIC_MS);
	pty_wait_text(p, "CREATE TABLE session_events", PTY_WAIT_MS);
	pty_key(p, "d");
	pty_wait_text(p, "SQL of downgrade\\(\\)", PTY_WAIT_MS);
	pty_wait_text(p, "DROP TABLE IF EXISTS session_events", ALEMBIC_MS);
	/* Ctrl-C ends what runs and leaves the page; nothing was changed anywhere. */
	pty_key(p, "u");
	pty_wait_text(p, "asking alembic in", PTY_WAIT_MS);
	pty_key(p, "C-c");
	pty_wait_text(p, "interrupted; what was printed until then", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_gone(p, "SQL of upgrade", PTY_WAIT_MS);
	fixture_expect_rows(f, "SELECT version_num FROM alembic_version", "001_research_metrics");
	fixture_quit(p);
}

static void revisions_are_filtered_and_show_legacy_files(void **state)
{
	struct fixture *f = *state;
	struct pty *p = fixture_console(f, 36, 120);

	pty_wait_text(p, "legacy SQL: 2 applied, 1 pending", LIVE_MS);
	pty_wait_text(p, "○ 003_contributions_persona_inde.* pending", PTY_WAIT_MS);
	pty_key(p, "1");
	pty_key(p, "&");
	pty_type(p, "pending\r");
	pty_wait_gone(p, "ced8f3f148bb", PTY_WAIT_MS);
	pty_wait_text(p, "622dbc22743e", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_wait_text(p, "ced8f3f148bb", PTY_WAIT_MS);
	pty_key(p, "/");
	pty_type(p, "9f3c\r");
	pty_key(p, "Enter");
	pty_wait_text(p, "Revision 9f3c7b8e2d1a", PTY_WAIT_MS);
	pty_key(p, "Esc");
	pty_key(p, "Esc");
	fixture_quit(p);
}

static void revisions_show_what_runs(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	stage(f, "stuck-migration");
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, "○ 622dbc22743e .*(RUNNING|running\\?), blocked", LIVE_MS);
	fixture_quit(p);
}

/* A checkout whose configuration names programs wherever git would run one. */
static const char checkout[] =
	"r=%s/checkout; m=%s/ran; mkdir -p $r/migrations/versions $r/.git-programs;"
	" printf '#!/bin/sh\\ntouch %%s\\ncat\\n' $m >$r/.git-programs/evil;"
	" printf '#!/bin/sh\\ncat >/dev/null\\necho \"[GNUPG:] SIG_CREATED \" >&2;"
	" echo \"-----BEGIN PGP SIGNATURE-----\"; echo; echo \"-----END PGP SIGNATURE-----\"\\n'"
	" >$r/.git-programs/sign; chmod +x $r/.git-programs/*; e=$r/.git-programs/evil;"
	" cp tests/range/project/migrations/versions/*.py $r/migrations/versions/;"
	" cp tests/range/incidents/d4c6f8a0b2e1_*.py $r/migrations/versions/; cd $r; git init -q .;"
	" git add migrations; git -c user.name=Ann -c user.email=ann@example.org"
	" -c gpg.program=$r/.git-programs/sign commit -q -S -m 'Add all revisions';"
	" cp migrations/versions/d4c6f8a0b2e1_*.py .; printf '*.py filter=evil diff=evil\\n'"
	" >.gitattributes; for key in core.fsmonitor core.pager pager.log core.sshCommand "
	"core.editor"
	" gpg.program diff.external filter.evil.clean filter.evil.smudge diff.evil.command"
	" diff.evil.textconv core.askPass; do git config $key $e; done; git config "
	"log.showSignature true;"
	" for hook in post-index-change reference-transaction pre-commit; do cp $e "
	".git/hooks/$hook; done";

static void revisions_compare_with_a_hostile_checkout(void **state)
{
	struct fixture *f = *state;
	char *text = mem_printf(checkout, f->home, f->home);
	char *more = mem_printf("repository = %s/checkout", f->home);
	char *marker = mem_printf("%s/ran", f->home);
	struct pty *p;

	script(f, text);
	p = open_colours(f, more);
	pty_wait_text(p, "○ d4c6f8a0b2e1 .*git only", LIVE_MS);
	/* What is in no image is nothing an upgrade would run today. */
	pty_wait_text(p, "Revisions.*1 pending", PTY_WAIT_MS);
	pty_key(p, "1");
	pty_key(p, "g");
	pty_key(p, "Enter");
	pty_wait_text(p, "commit +[0-9a-f]+, [0-9-]+, Ann: Add all revisions", PTY_WAIT_MS);
	pty_wait_text(p, "no image can roll it back", PTY_WAIT_MS);
	pty_key(p, "Esc");
	fixture_quit(p);
	assert_int_equal(access(marker, F_OK), -1);
	free(text);
	free(more);
	free(marker);
}

static const char computed[] =
	"cat >$RANGE_DIR/computed_tags.py <<-'PY'\n\"\"\"Add computed tags\n\"\"\"\n"
	"revision = '%s%s' % ('e0e0', 'f1f1')\ndown_revision = '-'.join(['622dbc22743e'])\n"
	"def upgrade():\n    pass\ndef downgrade():\n    pass\nPY\n"
	"chmod 644 $RANGE_DIR/computed_tags.py; app_add blue $RANGE_DIR/computed_tags.py"
	" migrations/versions";

/* Python runs the file, we do not: Alembic is asked, and the page says so. */
static void revisions_ask_alembic_what_is_computed(void **state)
{
	struct fixture *f = *state;
	struct pty *p;

	script(f, computed);
	p = fixture_console(f, 36, 120);
	pty_wait_text(p, "○ e0e0f1f1 .*", ALEMBIC_MS);
	pty_wait_text(p, "Revisions.*2 pending", PTY_WAIT_MS);
	pty_key(p, "1");
	pty_key(p, "g");
	pty_key(p, "Enter");
	pty_wait_text(p, "Alembic in the image was asked", PTY_WAIT_MS);
	pty_wait_text(p, "comes from +622dbc22743e", PTY_WAIT_MS);
	pty_key(p, "Esc");
	fixture_quit(p);
	script(f, "app_remove blue migrations/versions/computed_tags.py");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define REVISIONS_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
		REVISIONS_TEST(revisions_show_images_that_disagree),
		REVISIONS_TEST(revisions_show_a_database_ahead_of_an_image),
		REVISIONS_TEST(revisions_show_a_row_no_file_knows),
		REVISIONS_TEST(revisions_show_two_heads),
		REVISIONS_TEST(revisions_survive_a_missing_version_table),
		REVISIONS_TEST(revisions_find_the_version_table),
		REVISIONS_TEST(revisions_show_the_sql_alembic_would_run),
		REVISIONS_TEST(revisions_are_filtered_and_show_legacy_files),
		REVISIONS_TEST(revisions_show_what_runs),
		REVISIONS_TEST(revisions_compare_with_a_hostile_checkout),
		REVISIONS_TEST(revisions_ask_alembic_what_is_computed),
	};

	return cmocka_run_group_tests(tests, fixture_group_setup, fixture_group_teardown);
}
