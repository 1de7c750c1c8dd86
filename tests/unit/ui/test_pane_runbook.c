/*
 * The runbook pane: what it asks in each state, and that the step's end stays in sight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/ui/pane_runbook.h>

#define DOCUMENT                                                                                   \
	"---\nrunbook: test\ntitle: Test\nvar.b: pick=backend from=locks\n---\nWhy.\n\n"           \
	"### Read it\n```sql { name=read on=db mode=read timeout=10s }\nSELECT 1\n```\n"           \
	"```expect\nrows 1\n```\n"                                                                 \
	"### Check it\n- [ ] one\n- [ ] two\n\n"                                                   \
	"### End it\n```sql { name=finish on=db mode=write confirm=target undo=none }\n"           \
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $b.pid\n```\n"

struct scene {
	struct runbook *runbook;
	struct runbook_run *run;
	struct runbook_view view;
	struct pane *pane;
	struct runbook_effect effect;
};

static void quote(struct buf *out, const char *word)
{
	buf_add_str(out, word);
}

static void scene_init(struct scene *s)
{
	struct runbook_problems problems = { 0 };
	struct runbook_options options = { .target = "boardofone@prod", .quote = quote };

	memset(s, 0, sizeof(*s));
	s->runbook = runbook_parse("test.md", DOCUMENT, strlen(DOCUMENT), &problems);
	assert_non_null(s->runbook);
	s->run = runbook_run_new(s->runbook, &options, NULL);
	s->pane = pane_runbook_new();
	s->view.run = s->run;
}

static void scene_fini(struct scene *s)
{
	pane_fini(s->pane);
	s->pane->ops->free(s->pane);
	runbook_run_free(s->run);
	runbook_free(s->runbook);
}

static void expect_asks(struct scene *s, const char *text)
{
	struct buf out = BUF_INIT;

	pane_runbook_set(s->pane, &s->view, true);
	pane_runbook_ask(s->pane, &out);
	if (!strstr(buf_str(&out), text))
		fail_msg("asks \"%s\", not \"%s\"", buf_str(&out), text);
	buf_fini(&out);
}

static void send(struct scene *s, struct runbook_event event)
{
	struct err err;

	if (runbook_run_event(s->run, &event, &s->effect, &err) < 0)
		fail_msg("%s", err.text);
}

static void send_kind(struct scene *s, enum runbook_event_kind kind)
{
	send(s, (struct runbook_event){ .kind = kind });
}

static void runbook_pane_asks_one_thing_in_every_state(void **state)
{
	struct runbook_result rows = { .ran = RUNBOOK_RAN, .rows = 1, .value = "t" };
	struct runbook_result lost = {
		.ran = RUNBOOK_RAN_UNKNOWN, .rows = -1, .error = "link lost"
	};
	struct scene s;
	struct err err;

	(void)state;
	scene_init(&s);
	expect_asks(&s, "Enter: begin");
	send_kind(&s, RUNBOOK_EVENT_START);
	expect_asks(&s, "Enter: run it, it only reads");
	send_kind(&s, RUNBOOK_EVENT_GO);
	expect_asks(&s, "Ctrl-C");
	send(&s, (struct runbook_event){ .kind = RUNBOOK_EVENT_RESULT, .result = &rows });
	expect_asks(&s, "OK. Enter: go on");
	send_kind(&s, RUNBOOK_EVENT_GO);
	expect_asks(&s, "d: done · x: not done · s: skip this check · check 1 of 2: one");
	send(&s, (struct runbook_event){
			 .kind = RUNBOOK_EVENT_CHECK, .answer = RUNBOOK_CHECK_DONE });
	expect_asks(&s, "check 2 of 2: two");
	send(&s, (struct runbook_event){
			 .kind = RUNBOOK_EVENT_CHECK, .answer = RUNBOOK_CHECK_DONE });
	send_kind(&s, RUNBOOK_EVENT_GO);
	expect_asks(&s, "Enter: choose b");
	assert_int_equal(runbook_run_set(s.run, "b.pid", "8123", &err), 0);
	send_kind(&s, RUNBOOK_EVENT_PICK);
	expect_asks(&s, "Enter: see what is sent, then confirm or not");
	s.view.refusal = "read-only: allow writes with :arm";
	expect_asks(&s, "read-only: allow writes with :arm");
	s.view.refusal = NULL;
	send_kind(&s, RUNBOOK_EVENT_GO);
	expect_asks(&s, "Type boardofone@prod to confirm");
	send(&s, (struct runbook_event){ .kind = RUNBOOK_EVENT_ANSWER, .text = "boardofone@prod" });
	expect_asks(&s, "interrupt (asks what)");
	send(&s, (struct runbook_event){ .kind = RUNBOOK_EVENT_RESULT, .result = &lost });
	expect_asks(&s, "RESULT UNKNOWN; it is not sent again");
	send_kind(&s, RUNBOOK_EVENT_DONE);
	send_kind(&s, RUNBOOK_EVENT_GO);
	expect_asks(&s, "Finished. Enter: close");
	scene_fini(&s);
}

static char *draw(struct scene *s, int rows, int cols)
{
	struct buf out = BUF_INIT;
	struct cells cells;

	cells_init(&cells, rows, cols, false);
	cells_clear(&cells);
	pane_draw(s->pane, &cells, cells_whole(&cells), true);
	cells_dump(&cells, &out);
	cells_fini(&cells);
	return buf_steal(&out);
}

/* However small, the verdict and the question show; foreign output is harmless. */
static void runbook_pane_keeps_the_verdict_in_sight(void **state)
{
	struct runbook_result rows = { .ran = RUNBOOK_RAN, .rows = 1, .value = "t" };
	struct buf output = BUF_INIT;
	struct scene s;
	char *text;
	int i;

	(void)state;
	scene_init(&s);
	for (i = 0; i < 500; i++)
		buf_printf(&output, "line %d \x1b]0;evil\x07\n", i);
	send_kind(&s, RUNBOOK_EVENT_START);
	send_kind(&s, RUNBOOK_EVENT_GO);
	send(&s, (struct runbook_event){ .kind = RUNBOOK_EVENT_RESULT, .result = &rows });
	s.view.output = buf_str(&output);
	pane_runbook_set(s.pane, &s.view, true);
	text = draw(&s, 9, 78);
	assert_non_null(strstr(text, "Read it  ↑ "));
	assert_non_null(strstr(text, " more rows above: k"));
	assert_non_null(strstr(text, "line 499"));
	assert_non_null(strstr(text, "✓ As expected: 1 row."));
	assert_non_null(strstr(text, "next: Check it"));
	assert_non_null(strstr(text, "OK. Enter: go on"));
	assert_null(strchr(text, '\x1b'));
	free(text);
	/* Scrolled up it stays there while more comes. */
	pane_move(s.pane, CMD_TOP);
	buf_add_str(&output, "more\n");
	s.view.output = buf_str(&output);
	pane_runbook_set(s.pane, &s.view, false);
	text = draw(&s, 9, 78);
	assert_null(strstr(text, "more rows above"));
	assert_null(strstr(text, "│more"));
	free(text);
	for (i = 1; i < 12; i++) {
		text = draw(&s, i, i * 4);
		free(text);
	}
	buf_fini(&output);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runbook_pane_asks_one_thing_in_every_state),
		cmocka_unit_test(runbook_pane_keeps_the_verdict_in_sight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
