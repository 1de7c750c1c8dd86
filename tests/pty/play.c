/*
 * Plays runbooks; see the header. The screen alone says what happens: the pane's title ("step 3 of
 * 34 · judged"), the step's own line, and the row in which it asks.
 */
#include "play.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

#include "match.h"
#include "texts.h"

enum { FIRST_MS = 20000, STEP_MS = 60000, STEPS_MAX = 200, ANSWERS_MAX = 64 };

/* What the pane may ask, and what an operator without special orders does. */
static const struct ask {
	const char *pattern;
	const char *key; /* NULL: must be told */
} asks[] = {
	/* A screen may be seen half drawn: what belongs together is looked for together. */
	{ "(?s)\\A(?!.*· (shown|judged|running) ).*choose for .*Enter: choose  Esc: back", NULL },
	{ "(?s)Type .*Enter does it when it matches", "confirm" },
	{ "Press y to do it", "y" },
	{ "It goes into the journal:", "reason" },
	{ "(?s)\\A(?!.*· (shown|judged|running) ).*what is [a-z_]+\\? \\(", NULL },
	{ "(?s)· [0-9]+ steps? .*Enter: begin", "Enter" },
	{ "(?s)· shown .*Enter: run it", "Enter" },
	{ "(?s)· shown .*Enter: see what is sent", "Enter" },
	{ "(?s)· judged .*OK\\. Enter: go on", "Enter" },
	{ "(?s)· judged .*not as expected\\. Enter: go on", "Enter" },
	{ "(?s)· judged .*not as expected\\. a: again", NULL },
	{ "(?s)· judged .*not as expected\\.  · s: skip", NULL },
	{ "(?s)· checking .*d: done · x: not done", "d" },
	{ "(?s)· shown .*By hand\\. d: it is done", "d" },
	{ "(?s)· blocked .*It cannot be run", NULL },
	{ "Left at this step", "Enter" },
	{ "(?s)· shown .*is production and read-only", NULL },
	{ "(?s)· finished .*Finished\\. Enter: close", "finished" },
	{ "(?s)· escalated .*Stopped: call for help", "stopped" },
	{ "(?s)· unsettled .*RESULT UNKNOWN", "unknown" },
};

#define N_ASKS (sizeof(asks) / sizeof(asks[0]))

struct play {
	struct pty *p;
	const struct play_answer *answers;
	bool used[ANSWERS_MAX];
	struct strlist *visited;
	const struct ask *ask; /* what is asked now */
	char *screen;          /* when it was */
	char *signature;       /* of it */
	char *title;           /* of the step at hand */
};

static const struct ask *play_asked(const char *screen)
{
	size_t i;

	for (i = 0; i < N_ASKS; i++)
		if (match_text(screen, asks[i].pattern))
			return &asks[i];
	return NULL;
}

static bool play_is_dialog(const struct ask *ask)
{
	return ask < asks + 5;
}

/* Differs for everything that can be asked: the step, its state, the check, the dialog, which may hide
 * the step. NULL while the screen is half drawn. */
static char *play_signature(const char *screen, const struct ask *ask)
{
	char *where = match_group_dup(
		screen, "4 Runbook.* · (step [0-9]+ of [0-9]+ · [a-z]+|[0-9]+ steps|finished) ", 1);
	char *check = match_group_dup(screen, "check ([0-9]+) of", 0);
	char *dialog = match_group_dup(screen, "(choose for|what is) ([a-z_]+)", 0);
	char *number = match_group_dup(screen, "4 Runbook.* · step ([0-9]+) of ", 1);
	char *row = match_group_dup(screen, "▸ +([0-9]+) ", 1);
	char *all = NULL;

	/* The pane's title and the step's own row are drawn one after the other. */
	if (number && (!row || strcmp(number, row) != 0) && !play_is_dialog(ask)) {
		free(where);
		where = NULL;
	}
	free(number);
	free(row);
	if (play_is_dialog(ask))
		all = mem_printf("%s|%s", ask->pattern, dialog ? dialog : "");
	else if (where)
		all = mem_printf("%s|%s|%s", where, ask->pattern, check ? check : "");
	free(where);
	free(check);
	free(dialog);
	return all;
}

/* The whole screen, one row a line. */
static char *play_screen(struct pty *p)
{
	struct buf out = BUF_INIT;
	int rows, cols, row;
	char *line;

	pty_size(p, &rows, &cols);
	for (row = 0; row < rows; row++) {
		line = pty_row_text(p, row);
		buf_printf(&out, "%s\n", line);
		free(line);
	}
	return buf_steal(&out);
}

/* One look at the screen for all of it, so that the parts belong together. */
static bool play_has_moved(struct pty *p, void *arg)
{
	struct play *play = arg;
	char *screen = play_screen(p), *now;

	play->ask = play_asked(screen);
	if (play->ask) {
		now = play_signature(screen, play->ask);
		if (!now || (play->signature && strcmp(now, play->signature) == 0))
			play->ask = NULL;
		if (play->ask) {
			free(play->signature);
			free(play->screen);
			play->signature = now;
			play->screen = screen;
			return true;
		}
		free(now);
	}
	free(screen);
	return false;
}

static void play_set(char **field, char *value_take)
{
	free(*field);
	*field = value_take;
}

static void play_note(struct play *play)
{
	char *title = match_group_dup(play->screen, "▸ +[0-9]+ ([^│↑\\n]*?) *[│↑\\n]", 1);
	char *asked = match_group_dup(play->screen, "[│─] ([^─│\n]*): (choose for|what is) ", 1);
	char *bad;

	/* A dialog may stand over the step's own line. */
	if (asked) {
		free(title);
		title = asked;
	}
	if (title)
		play_set(&play->title, title);
	if (!play->visited || !play->title || !match_text(play->screen, "· judged"))
		return;
	bad = match_group_dup(play->screen, "It is not as expected", 0);
	strlist_add_take(play->visited, mem_printf("%s: %s", play->title, bad ? "fail" : "ok"));
	free(bad);
}

/* "s" and "a" answer what went wrong; "!s" is pressed before the step is run, and not at its checks:
 * there it would skip the check. */
static bool play_suits(const struct play_answer *a, const struct ask *ask, bool choice)
{
	bool runs = ask->key && strcmp(ask->key, "Enter") == 0;

	if (choice || !*a->key)
		return choice && !*a->key;
	if (*a->key == 's' || *a->key == 'a')
		return !runs;
	if (*a->key == '!')
		return runs;
	return true;
}

/* The told answer for the step at hand, of this kind: a choice has no key. */
static const struct play_answer *play_told(struct play *play, bool choice)
{
	size_t i;

	for (i = 0; play->answers && play->answers[i].step; i++) {
		const struct play_answer *a = &play->answers[i];

		if (play->used[i] || !play_suits(a, play->ask, choice) || !play->title ||
			!strstr(play->title, a->step))
			continue;
		play->used[i] = !a->always;
		return a;
	}
	return NULL;
}

/* --- answering ------------------------------------------------------------------------------- */

/* The dialog's row that holds the text, counted from its first. */
static void play_pick(struct play *play, const char *text)
{
	int rows = 120, row, first = -1, i;
	char *line;

	for (row = 0; row < rows; row++) {
		line = pty_row_text(play->p, row);
		if (first < 0 && (strstr(line, "choose for") || strstr(line, "┌─ ")))
			first = row + 1;
		if (first >= 0 && row >= first && strstr(line, text)) {
			free(line);
			pty_key(play->p, "g");
			for (i = first; i < row; i++)
				pty_key(play->p, "j");
			pty_key(play->p, "Enter");
			return;
		}
		free(line);
	}
	pty_fail(play->p, "no choice holds \"%s\"", text);
}

static void play_choose(struct play *play)
{
	const struct play_answer *told = play_told(play, true);
	bool list = pty_has(play->p, "Enter: choose  Esc: back");

	if (!told)
		pty_fail(play->p, "\"%s\" asks for a value, and none is told", play->title);
	if (list) {
		play_pick(play, told->text);
		return;
	}
	pty_type(play->p, told->text);
	pty_key(play->p, "Enter");
}

static void play_confirm(struct play *play)
{
	char *want = match_group_dup(play->screen, "│ Type (.+?): ", 1);

	pty_type(play->p, want);
	pty_key(play->p, "Enter");
	free(want);
}

static void play_reason(struct play *play, const char *text)
{
	pty_wait_text(play->p, "journal:", PTY_WAIT_MS);
	pty_type(play->p, text ? text : "played by a test");
	pty_key(play->p, "Enter");
	pty_wait_gone(play->p, "journal:", PTY_WAIT_MS);
}

static bool play_is_choice(const struct ask *ask)
{
	return ask == &asks[0] || strstr(ask->pattern, "what is [");
}

/* false: halted. */
static bool play_step(struct play *play, const struct ask *ask)
{
	const struct play_answer *told;
	const char *key;

	if (play_is_choice(ask)) {
		play_choose(play);
		return true;
	}
	if (ask->key && strcmp(ask->key, "confirm") == 0) {
		play_confirm(play);
		return true;
	}
	told = strcmp(ask->key ? ask->key : "", "y") == 0 ? NULL : play_told(play, false);
	if (told && strcmp(told->key, "halt") == 0)
		return false;
	if (!told && !ask->key)
		pty_fail(play->p, "\"%s\" asks for a decision, and none is told", play->title);
	key = told ? told->key + (*told->key == '!') : ask->key;
	pty_key(play->p, key);
	if (told && (*key == 's' || *key == 'S'))
		play_reason(play, told->text);
	return true;
}

enum play_end play_runbook(
	struct pty *p, const struct play_answer *answers, struct strlist *visited)
{
	struct play play = { .p = p, .answers = answers, .visited = visited };
	enum play_end end = PLAY_HALTED;
	const struct ask *ask;
	int i;

	for (i = 0; i < STEPS_MAX; i++) {
		if (!pty_await(p, play_has_moved, &play, STEP_MS))
			pty_fail(p, "nothing moved after \"%s\"", play.title ? play.title : "");
		ask = play.ask;
		play_note(&play);
		if (ask->key && strcmp(ask->key, "finished") == 0)
			end = PLAY_FINISHED;
		else if (ask->key && strcmp(ask->key, "stopped") == 0)
			end = PLAY_STOPPED;
		else if (ask->key && strcmp(ask->key, "unknown") == 0)
			end = PLAY_UNSETTLED;
		else if (play_step(&play, ask))
			continue;
		break;
	}
	free(play.signature);
	free(play.screen);
	free(play.title);
	if (i == STEPS_MAX)
		pty_fail(p, "the runbook does not end");
	return end;
}

void play_command(struct pty *p, const char *line)
{
	pty_key(p, ":");
	pty_type(p, line);
	pty_key(p, "Enter");
}

struct pty *play_console(struct fixture *f, const char *config)
{
	struct pty *p =
		fixture_open(f, 40, 120, (const char *const[]){ "-c", config, "prod", NULL });

	pty_wait_text(p, "primary +age", FIRST_MS);
	return p;
}

void play_await_pictures(struct pty *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		pty_wait_text(p, "primary +age 0[.][5-9]", FIRST_MS);
		pty_wait_text(p, "primary +age 0[.][0-4]", FIRST_MS);
	}
}

void play_arm(struct pty *p)
{
	play_command(p, "arm 30m the test plays a runbook");
	pty_wait_text(p, texts.armed, PTY_WAIT_MS);
}

void play_kill(struct pty *p)
{
	kill(pty_pid(p), SIGKILL);
	assert_int_equal(pty_wait_exit(p, PTY_WAIT_MS), 128 + SIGKILL);
}

int play_intents(struct fixture *f)
{
	return fixture_journal_count(f, "\"event\":\"intent\"");
}

void play_open(struct pty *p, const char *name)
{
	char *line = mem_printf("runbook %s", name);

	play_command(p, line);
	pty_wait_text(p, "Enter: begin", PTY_WAIT_MS);
	free(line);
}

/* --- what tests of runbooks share --------------------------------------------------------- */

void play_stage(struct fixture *f, const char *incident)
{
	struct err err = { 0 };

	fixture_check(range_incident(f->range, incident, &err), &err);
}

void play_await_and_arm(struct pty *p)
{
	pty_wait_text(p, "primary +age", FIRST_MS);
	play_arm(p);
}

struct pty *play_armed(struct fixture *f)
{
	struct pty *p = fixture_console(f, 40, 120);

	play_await_and_arm(p);
	return p;
}

char *play_shell(struct fixture *f, const char *script)
{
	char *command = mem_printf(". %s/env && %s", range_dir(f->range), script);
	const char *argv[] = { "bash", "-c", command, NULL };
	struct run_options options = { .argv = argv };
	struct run_result result;
	char *text;

	assert_int_equal(run_program(&options, &result, NULL), 0);
	if (result.status != 0)
		print_error("%s: %s\n", script, buf_str(&result.err));
	assert_int_equal(result.status, 0);
	text = buf_steal(&result.out);
	run_result_fini(&result);
	free(command);
	return text;
}

bool play_has_visited(const struct strlist *visited, const char *want)
{
	size_t i;

	for (i = 0; i < visited->n; i++)
		if (strcmp(visited->items[i], want) == 0)
			return true;
	for (i = 0; i < visited->n; i++)
		print_error("  %s\n", visited->items[i]);
	print_error("has no \"%s\"\n", want);
	return false;
}

void play_expect_intents(struct fixture *f, const char *step, int count)
{
	char *pattern = mem_printf("\"event\":\"intent\".*\"step\":\"%s\"", step);

	assert_int_equal(fixture_journal_count(f, pattern), count);
	free(pattern);
}
