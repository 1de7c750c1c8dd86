/*
 * The log pane. Its rows are those of a view (logs/view.h). While it follows, the last line is
 * selected; moving away from it stops that, and what comes then is counted in the title: the picture
 * stands still, the stream does not. How a line looks is logs_line.c's.
 */
#include <pgoncall/ui/pane_logs.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/logs/json.h>
#include <pgoncall/ui/format.h>
#include <pgoncall/ui/theme.h>

#include "logs_line.h"

#define LABEL_COLS_MAX 14
#define CONTEXT_FEW    3
#define CONTEXT_MANY   10

struct pane_logs {
	struct pane pane;
	struct log_view *view; /* borrowed */
	char *state;
	bool paused;                   /* does not follow */
	struct log_ref selected, seen; /* seen: the newest when following stopped */
	bool has_selected;
	struct logs_look look;
	struct strlist labels; /* of all sources */
	bool no_times;
};

static struct pane_logs *logs_of(const struct pane *pane)
{
	return (struct pane_logs *)(uintptr_t)pane;
}

/* --- names of sources ------------------------------------------------------------------------ */

/* "boardofone-api-1" without the number that compose adds, "file:/var/log/x.log" without its path. */
static char *logs_base_name(const char *name)
{
	const char *slash = strncmp(name, "file:", 5) == 0 ? strrchr(name, '/') : NULL;
	size_t len;

	if (slash && slash[1])
		name = slash + 1;
	else if (strncmp(name, "journal:", 8) == 0)
		name += 8;
	len = strlen(name);
	if (len > 2 && strcmp(name + len - 2, "-1") == 0)
		len -= 2;
	return mem_strndup(name, len);
}

static bool logs_ends_in_words(const char *name, const char *words)
{
	size_t len = strlen(name), tail = strlen(words);

	return len >= tail && strcmp(name + len - tail, words) == 0 &&
	       (len == tail || strchr("-_.", name[len - tail - 1]));
}

static bool logs_is_alone(const struct strlist *names, size_t i, const char *words)
{
	size_t k;

	for (k = 0; k < names->n; k++)
		if (k != i && logs_ends_in_words(names->items[k], words))
			return false;
	return true;
}

/* The fewest last words that no other source's name ends in: "api", "postgres". */
static void logs_name_sources(struct pane_logs *self)
{
	const struct log_store *store = log_view_store(self->view);
	const char *name, *s;
	struct strlist names;
	size_t i;

	if (self->labels.n == log_store_sources(store))
		return;
	strlist_init(&names);
	for (i = 0; i < log_store_sources(store); i++)
		strlist_add_take(&names, logs_base_name(log_store_name(store, i)));
	strlist_fini(&self->labels);
	for (i = 0; i < names.n; i++) {
		name = names.items[i];
		for (s = name + strlen(name); s > name; s--)
			if (strchr("-_.", s[-1]) && *s && logs_is_alone(&names, i, s))
				break;
		strlist_add_take(&self->labels, format_one_line(s));
	}
	strlist_fini(&names);
}

static size_t logs_n_shown(const struct pane_logs *self)
{
	uint64_t shown = log_view_shown(self->view);
	size_t i, n = 0, all = log_store_sources(log_view_store(self->view));

	for (i = 0; i < all; i++)
		n += !shown || (shown >> i & 1);
	return n;
}

static void logs_fit_labels(struct pane_logs *self)
{
	uint64_t shown = log_view_shown(self->view);
	int longest = 0, len;
	size_t i;

	for (i = 0; i < self->labels.n; i++) {
		len = (int)strlen(self->labels.items[i]);
		if ((!shown || (shown >> i & 1)) && len > longest)
			longest = len;
	}
	self->look.label_cols = logs_n_shown(self) < 2     ? 0
				: longest < LABEL_COLS_MAX ? longest
							   : LABEL_COLS_MAX;
}

/* --- rows ------------------------------------------------------------------------------------ */

static size_t logs_count(const struct pane *pane)
{
	const struct pane_logs *self = logs_of(pane);

	return self->view ? log_view_count(self->view) : 0;
}

static void logs_settle(struct pane_logs *self)
{
	size_t n = logs_count(&self->pane);

	if (!self->paused || !self->has_selected)
		pane_reselect(&self->pane, n ? n - 1 : 0, false);
	else
		pane_reselect(&self->pane, log_view_row(self->view, self->selected), true);
	if (!self->paused && n) {
		self->selected = log_view_ref(self->view, n - 1);
		self->has_selected = true;
	}
}

static bool logs_update(struct pane_logs *self)
{
	bool more = self->view && log_view_update(self->view);

	if (!self->view)
		return false;
	logs_name_sources(self);
	logs_fit_labels(self);
	logs_settle(self);
	return more;
}

static void logs_refilter(struct pane *pane)
{
	logs_update(logs_of(pane));
}

bool pane_logs_work(struct pane *pane, struct err *fault)
{
	struct pane_logs *self = logs_of(pane);
	bool more = logs_update(self);

	if (self->view && log_view_take_fault(self->view, fault)) {
		free(pane->filter);
		pane->filter = NULL;
		logs_update(self);
	}
	return more;
}

void pane_logs_set(struct pane *pane, struct log_view *view, const char *state)
{
	struct pane_logs *self = logs_of(pane);

	free(self->state);
	self->state = format_one_line(state ? state : "");
	if (view != self->view) {
		self->view = view;
		self->paused = self->has_selected = false;
		strlist_fini(&self->labels);
	}
	logs_refilter(pane);
}

/* --- following ------------------------------------------------------------------------------- */

static void logs_pause(struct pane_logs *self, bool paused)
{
	size_t n = log_store_count(log_view_store(self->view));

	if (paused && !self->paused && n)
		self->seen = log_store_at(log_view_store(self->view), n - 1);
	self->paused = paused;
}

static void logs_select(struct pane *pane, size_t i)
{
	struct pane_logs *self = logs_of(pane);

	self->selected = log_view_ref(self->view, i);
	self->has_selected = true;
	logs_pause(self, i + 1 < logs_count(pane));
}

bool pane_logs_go(struct pane *pane, int64_t wall_ns)
{
	struct pane_logs *self = logs_of(pane);
	size_t row;

	if (!self->view)
		return false;
	row = log_view_row_at(self->view, wall_ns);
	if (row >= logs_count(pane))
		return false;
	pane_go(pane, row);
	return true;
}

void pane_logs_moment(struct pane *pane, int64_t wall)
{
	struct pane_logs *self = logs_of(pane);
	size_t row;

	if (!logs_count(pane))
		return;
	if (wall) {
		row = log_view_row_at(self->view, wall + 1);
		self->selected = log_view_ref(self->view, row ? row - 1 : 0);
		self->has_selected = true;
	}
	logs_pause(self, wall != 0);
	logs_settle(self);
}

/* --- drawing --------------------------------------------------------------------------------- */

static const char *const level_words[] = {
	[LOG_LEVEL_UNKNOWN] = "",
	[LOG_LEVEL_DEBUG] = "",
	[LOG_LEVEL_INFO] = "without debug",
	[LOG_LEVEL_WARNING] = "warnings and errors",
	[LOG_LEVEL_ERROR] = "errors only",
};

static size_t logs_n_new(const struct pane_logs *self)
{
	size_t n = log_view_count(self->view), row = log_view_row(self->view, self->seen);

	while (row < n && log_ref_compare(log_view_ref(self->view, row), self->seen) <= 0)
		row++;
	return n - row;
}

static void logs_title_narrowed(const struct pane_logs *self, struct buf *out)
{
	size_t all = log_store_count(log_view_store(self->view));
	double done = log_view_progress(self->view);

	if (!log_view_is_narrowed(self->view))
		return;
	if (*level_words[log_view_level(self->view)])
		buf_printf(out, " · %s", level_words[log_view_level(self->view)]);
	if (log_view_context(self->view))
		buf_printf(out, " ±%u", log_view_context(self->view));
	if (done < 0.995)
		buf_printf(out, " · looked at %d %%", (int)(done * 100));
	else
		buf_printf(out, " · %zu of %zu lines", log_view_count(self->view), all);
}

static void logs_title(struct pane *pane, struct buf *out)
{
	const struct pane_logs *self = logs_of(pane);
	const struct log_store *store;
	uint64_t shown;
	size_t i, errors = 0, fresh;
	char number[40];

	if (!self->view)
		return;
	store = log_view_store(self->view);
	shown = log_view_shown(self->view);
	for (i = 0; i < log_store_sources(store); i++) {
		if (shown && !(shown >> i & 1))
			continue;
		errors += log_store_errors(store, i);
		if (logs_n_shown(self) == 1)
			buf_add_str(out, log_store_name(store, i));
	}
	if (logs_n_shown(self) > 1)
		buf_printf(out, "%zu logs", logs_n_shown(self));
	/* That lines are hidden comes before what may be cut off. */
	logs_title_narrowed(self, out);
	buf_add_str(out, log_view_is_narrowed(self->view) ? " · " : " ");
	buf_add_str(out,
		self->paused && strcmp(self->state, "following") == 0 ? "paused" : self->state);
	fresh = self->paused ? logs_n_new(self) : 0;
	if (fresh)
		buf_printf(out, " · +%s new", format_count(fresh, number, sizeof(number)));
	if (errors) {
		buf_add_str(out, " · ");
		format_plural(out, errors, "error", "errors");
	}
}

static const char *logs_label(const struct pane_logs *self, const struct log_line *line)
{
	return line->source < self->labels.n ? self->labels.items[line->source] : "";
}

/* On narrow screens the text comes first. */
static struct logs_look logs_look_for(const struct pane_logs *self, int cols)
{
	struct logs_look look = self->look;

	look.times = !self->no_times;
	look.shift = look.fold ? 0 : self->pane.shift;
	if (cols < 70 && look.label_cols > 6)
		look.label_cols = 6;
	return look;
}

static int logs_height(const struct pane *pane, size_t i, int cols)
{
	const struct pane_logs *self = logs_of(pane);
	struct logs_look look = logs_look_for(self, cols);
	const struct log_line *line = look.fold ? log_view_line(self->view, i) : NULL;

	return (line ? logs_line_height(line, &look, cols) : 1) +
	       log_view_begins_group(self->view, i);
}

static void logs_row(struct pane *pane, size_t i, struct cells *cells, struct cells_rect rect)
{
	const struct pane_logs *self = logs_of(pane);
	const struct log_line *line = log_view_line(self->view, i);
	struct logs_look look = logs_look_for(self, rect.cols);

	if (log_view_begins_group(self->view, i)) {
		logs_rule_draw(cells, rect);
		rect.row++;
		rect.rows--;
	}
	if (line && rect.rows > 0)
		logs_line_draw(line, &look, logs_label(self, line),
			log_view_is_marked(self->view, log_view_ref(self->view, i)),
			log_view_is_context(self->view, i), cells, rect);
}

/* --- searching and filtering ----------------------------------------------------------------- */

static int logs_set_search(struct pane *pane, const char *text, struct err *err)
{
	struct pane_logs *self = logs_of(pane);
	struct log_regex *regex = NULL;

	if (!str_empty(text) && log_regex_new(&regex, text, err) < 0)
		return -1;
	log_regex_free(self->look.search);
	self->look.search = regex;
	return 0;
}

static int logs_set_filter(struct pane *pane, const char *text, struct err *err)
{
	struct pane_logs *self = logs_of(pane);

	return self->view ? log_view_filter(self->view, text, err) : 0;
}

static bool logs_find(struct pane *pane, int direction, bool from_here, char **message)
{
	struct pane_logs *self = logs_of(pane);
	size_t n = logs_count(pane), from = pane->selected, row = from;
	enum log_view_found found;
	struct err err;

	if (!n || !self->look.search)
		return false;
	if (!from_here)
		from = direction > 0 ? (from + 1) % n : (from + n - 1) % n;
	found = log_view_search(self->view, self->look.search, from, direction, &row);
	if (found == LOG_VIEW_NONE) {
		*message = mem_printf("No line matches %s.", pane->search);
		return false;
	}
	if (found == LOG_VIEW_COSTLY) {
		log_regex_too_costly(self->look.search, &err);
		*message = mem_strdup(err.text);
		pane_set_search(pane, NULL, NULL);
		return false;
	}
	if (found == LOG_VIEW_UNFINISHED)
		*message = mem_strdup("Nothing found up to here; n looks further.");
	else if (direction > 0 ? row < pane->selected : row > pane->selected)
		*message = mem_strdup("The search went on from the other end.");
	pane_go(pane, row);
	return found == LOG_VIEW_FOUND;
}

/* --- commands -------------------------------------------------------------------------------- */

static void logs_next_level(struct pane_logs *self)
{
	static const enum log_level next[] = {
		[LOG_LEVEL_UNKNOWN] = LOG_LEVEL_INFO,
		[LOG_LEVEL_DEBUG] = LOG_LEVEL_INFO,
		[LOG_LEVEL_INFO] = LOG_LEVEL_WARNING,
		[LOG_LEVEL_WARNING] = LOG_LEVEL_ERROR,
		[LOG_LEVEL_ERROR] = LOG_LEVEL_UNKNOWN,
	};

	log_view_set_level(self->view, next[log_view_level(self->view)]);
}

static char *logs_next_context(struct pane_logs *self)
{
	unsigned context = log_view_context(self->view);

	if (!log_view_is_narrowed(self->view))
		return mem_strdup("Every line is shown already; & or L first.");
	log_view_set_context(self->view, context == 0             ? CONTEXT_FEW
					 : context == CONTEXT_FEW ? CONTEXT_MANY
								  : 0);
	return NULL;
}

static char *logs_go_to_error(struct pane_logs *self, int direction)
{
	size_t row;

	if (!log_view_next_error(self->view, self->pane.selected, direction, &row))
		return mem_printf(
			"There is no error %s this line.", direction > 0 ? "after" : "before");
	pane_go(&self->pane, row);
	return NULL;
}

static char *logs_go_to_mark(struct pane_logs *self)
{
	size_t row;

	if (!log_view_next_mark(self->view, self->pane.selected, &row))
		return mem_strdup("No line shown here is marked; m marks one.");
	pane_go(&self->pane, row);
	return NULL;
}

static bool logs_command(struct pane *pane, enum key_command command, char **message)
{
	struct pane_logs *self = logs_of(pane);

	if (!self->view)
		return false;
	switch (command) {
	case CMD_FOLLOW:
		logs_pause(self, !self->paused);
		break;
	case CMD_TIMESTAMPS:
		self->no_times = !self->no_times;
		break;
	case CMD_FOLD:
		self->look.fold = !self->look.fold;
		break;
	case CMD_RAW:
		self->look.raw = !self->look.raw;
		break;
	case CMD_LEVEL:
		logs_next_level(self);
		break;
	case CMD_CONTEXT:
		*message = logs_next_context(self);
		break;
	case CMD_MARK:
		if (logs_count(pane))
			log_view_toggle_mark(self->view, log_view_ref(self->view, pane->selected));
		return true;
	case CMD_NEXT_MARK:
		*message = logs_go_to_mark(self);
		return true;
	case CMD_NEXT_ERROR:
	case CMD_PREVIOUS_ERROR:
		*message = logs_go_to_error(self, command == CMD_NEXT_ERROR ? 1 : -1);
		return true;
	default:
		return false;
	}
	logs_refilter(pane);
	return true;
}

static void logs_add_field(void *arg, const char *name, const char *value)
{
	lines_add_fact(arg, THEME_TEXT, 14, name, value);
}

static bool logs_details(struct pane *pane, bool again, struct buf *title, struct lines *out)
{
	struct pane_logs *self = logs_of(pane);
	const struct log_line *line;
	char time[40];

	/* The page of a line stays as it is when the line is dropped. */
	if (again || !logs_count(pane) || !(line = log_view_line(self->view, pane->selected)))
		return again;
	buf_printf(title, "%s %s", log_store_name(log_view_store(self->view), line->source),
		clock_format_time(line->time_ns, time, sizeof(time)));
	lines_add_fact(out, THEME_TEXT, 9, line->own_time ? "time" : "came",
		clock_format_rfc3339(line->time_ns, time, sizeof(time)));
	lines_add_fact(
		out, THEME_TEXT, 9, "stream", line->stream == LOG_STDERR ? "stderr" : "stdout");
	if (line->level != LOG_LEVEL_UNKNOWN)
		lines_add_fact(
			out, THEME_TEXT, 9, "level", log_level_name((enum log_level)line->level));
	lines_add_blank(out);
	if (line->len && line->text[0] == '{' &&
		log_json_fields(line->text, line->len, logs_add_field, out))
		lines_add_blank(out);
	lines_add(out, logs_line_style(line), 0, line->text);
	if (line->cut)
		lines_printf(out, THEME_LOG_MARKER, "%zu more bytes were not kept", line->cut);
	return true;
}

static void logs_text(const struct pane *pane, size_t i, struct buf *out)
{
	const struct pane_logs *self = logs_of(pane);
	const struct log_line *line = log_view_line(self->view, i);
	char time[40];

	if (!line)
		return;
	if (log_view_begins_group(self->view, i))
		buf_add_str(out, "--\n");
	buf_printf(out, "%s ", clock_format_rfc3339(line->time_ns, time, sizeof(time)));
	if (logs_n_shown(self) > 1 || line->kind != LOG_LINE_TEXT)
		buf_printf(out, "%s%s ", log_store_name(log_view_store(self->view), line->source),
			line->kind == LOG_LINE_TEXT ? "" : ": --");
	buf_add(out, line->text, line->len);
}

static void logs_copy(const struct pane *pane, size_t i, struct buf *out)
{
	const struct log_line *line = log_view_line(logs_of(pane)->view, i);

	if (line)
		buf_add(out, line->text, line->len);
}

static const char *logs_empty(const struct pane *pane)
{
	const struct pane_logs *self = logs_of(pane);

	if (!self->view || !log_store_sources(log_view_store(self->view)))
		return "No log is configured for this target (\"logs\" in the configuration); "
		       ":logs NAME follows one.";
	if (log_view_is_narrowed(self->view) && log_store_count(log_view_store(self->view)))
		return "No line passes. L and & change what does.";
	return "No line has come yet.";
}

static void logs_free(struct pane *pane)
{
	struct pane_logs *self = logs_of(pane);

	strlist_fini(&self->labels);
	log_regex_free(self->look.search);
	free(self->state);
	free(self);
}

static const struct pane_ops logs_ops = {
	.name = "Logs",
	.context = KEYS_LOGS,
	.title = logs_title,
	.count = logs_count,
	.row = logs_row,
	.height = logs_height,
	.text = logs_text,
	.copy = logs_copy,
	.select = logs_select,
	.refilter = logs_refilter,
	.set_search = logs_set_search,
	.set_filter = logs_set_filter,
	.find = logs_find,
	.command = logs_command,
	.details = logs_details,
	.empty = logs_empty,
	.free = logs_free,
};

struct pane *pane_logs_new(void)
{
	struct pane_logs *self = mem_calloc(1, sizeof(*self));

	pane_init(&self->pane, &logs_ops);
	strlist_init(&self->labels);
	self->state = mem_strdup("");
	return &self->pane;
}
