/*
 * Text output for people at a plain terminal or in a pipe: no colour, no escapes, every foreign text
 * sanitised.
 */
#include <pgoncall/app/output.h>

#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/migrations/history.h>

bool output_is_ascii(void)
{
	return !str_equal(nl_langinfo(CODESET), "UTF-8");
}

void check_report_add(struct check_report *report, const char *name, enum check_status status,
	const char *fmt, ...)
{
	struct buf detail = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&detail, fmt, ap);
	va_end(ap);
	report->lines = mem_grow(report->lines, report->n, &report->cap, sizeof(*report->lines));
	report->lines[report->n].name = name;
	report->lines[report->n].status = status;
	report->lines[report->n++].detail = buf_steal(&detail);
}

void check_report_fini(struct check_report *report)
{
	size_t i;

	for (i = 0; i < report->n; i++)
		free(report->lines[i].detail);
	free(report->lines);
	memset(report, 0, sizeof(*report));
}

enum check_status check_report_status(
	const struct check_report *report, const struct findings *findings)
{
	bool warning = false, unknown = false;
	size_t i;

	for (i = 0; i < report->n; i++) {
		if (report->lines[i].status == CHECK_CRITICAL)
			return CHECK_CRITICAL;
		unknown |= report->lines[i].status == CHECK_UNKNOWN;
		warning |= report->lines[i].status == CHECK_WARNING;
	}
	if (findings_exit_status(findings) == 2)
		return CHECK_CRITICAL;
	if (unknown)
		return CHECK_UNKNOWN;
	return warning || findings_exit_status(findings) == 1 ? CHECK_WARNING : CHECK_OK;
}

/* Appends sanitised text, then spaces up to `columns` (0: none). */
static void add_text(struct buf *out, const char *text, size_t columns)
{
	size_t start = out->len, width;

	utf8_sanitise(out, text, strlen(text), UTF8_ONE_LINE);
	width = utf8_columns(buf_str(out) + start);
	for (; width < columns; width++)
		buf_add_char(out, ' ');
}

/* Appends sanitised text in exactly `columns`, cut with an ellipsis when longer, and a space. */
static void add_cell(struct buf *out, const char *text, size_t columns, bool ascii)
{
	struct buf safe = BUF_INIT;
	const char *s;
	size_t width = 0, used, len;
	uint32_t cp;
	bool cut;

	utf8_sanitise(&safe, text, strlen(text), UTF8_ONE_LINE);
	cut = utf8_columns(buf_str(&safe)) > columns;
	for (s = buf_str(&safe), len = safe.len; len; s += used, len -= used) {
		used = utf8_decode(s, len, &cp);
		if (width + (size_t)utf8_width(cp) > columns - cut)
			break;
		buf_add(out, s, used);
		width += (size_t)utf8_width(cp);
	}
	if (cut) {
		buf_add_str(out, ascii ? "~" : "…");
		width++;
	}
	for (; width <= columns; width++)
		buf_add_char(out, ' ');
	buf_fini(&safe);
}

/* Prints the line without trailing spaces and empties it. */
static void print_line(FILE *out, struct buf *line)
{
	while (line->len && line->data[line->len - 1] == ' ')
		line->data[--line->len] = '\0';
	fprintf(out, "%s\n", buf_str(line));
	buf_clear(line);
}

/* Words behind a revision: what it is to the database, and in the graph. */
static void add_marks(struct buf *out, const struct output_revisions *revisions, size_t i)
{
	const struct migration_graph *graph = revisions->graph;
	const struct migration_revision *r = &graph->revisions[i];
	struct buf skew = BUF_INIT;
	bool next = graph->pending.n && graph->pending.items[0] == i;
	const char *before = "  (";
	struct {
		bool on;
		const char *word;
	} marks[] = {
		{ r->state == MIGRATION_CURRENT, "CURRENT" },
		{ r->state == MIGRATION_PENDING && next, "pending, next" },
		{ r->state == MIGRATION_PENDING && !next, "pending" },
		{ r->is_head && !r->is_real_head, "effective head" },
		{ r->is_head && r->is_real_head, "head" },
		{ r->is_branchpoint, "branch point" },
		{ r->is_merge, "merge" },
		{ r->dynamic && !r->told, "computed at run time" },
		{ r->told, "told by Alembic" },
		{ false, NULL },
	};

	if (revisions->sources)
		migration_sources_skew(revisions->sources, r, &skew);
	marks[sizeof(marks) / sizeof(marks[0]) - 1].on = skew.len > 0;
	marks[sizeof(marks) / sizeof(marks[0]) - 1].word = buf_str(&skew);

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (!marks[i].on)
			continue;
		buf_printf(out, "%s%s", before, marks[i].word);
		before = ", ";
	}
	for (i = 0; i < r->labels.n; i++) {
		buf_printf(out, "%slabel ", before);
		add_text(out, r->labels.items[i], 0);
		before = ", ";
	}
	if (*before == ',')
		buf_add_char(out, ')');
	buf_fini(&skew);
}

/* What the images disagree about, and what of a source could not be read. */
static void print_skew(FILE *out, const struct output_revisions *revisions)
{
	const struct migration_sources *sources = revisions->sources;
	struct finding_input input = { .graph = revisions->graph, .sources = sources };
	struct findings findings = { NULL, 0, 0 };
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; sources && i < sources->n; i++) {
		if (!sources->items[i].error)
			continue;
		buf_printf(&line, "! %s: ", sources->items[i].name);
		add_text(&line, sources->items[i].error, 0);
		print_line(out, &line);
	}
	if (sources)
		findings_compute(&findings, &input);
	for (i = 0; i < findings.n; i++) {
		if (strcmp(findings.items[i].code, "colour-skew") != 0)
			continue;
		buf_printf(&line, "! %s", findings.items[i].text);
		print_line(out, &line);
	}
	findings_fini(&findings);
	buf_fini(&line);
}

/* Those that are not simply applied. */
static void print_legacy(FILE *out, const struct legacy_list *legacy)
{
	struct buf line = BUF_INIT;
	size_t i;

	if (!legacy || !legacy->n)
		return;
	fprintf(out, "legacy SQL: %zu applied, %zu pending, %zu recorded but missing\n",
		legacy->n - legacy->n_pending - legacy->n_missing, legacy->n_pending,
		legacy->n_missing);
	for (i = 0; i < legacy->n; i++) {
		if (legacy->items[i].state == LEGACY_APPLIED)
			continue;
		buf_add_str(&line, "  ");
		add_text(&line, legacy->items[i].name, 0);
		buf_printf(&line, "  (%s)", legacy_state_name(legacy->items[i].state));
		print_line(out, &line);
	}
	buf_fini(&line);
}

static size_t id_columns(const struct migration_graph *graph)
{
	size_t i, width, most = 0;

	for (i = 0; i < graph->n; i++) {
		width = utf8_columns(graph->revisions[i].id);
		most = width > most ? width : most;
	}
	return most > 32 ? 32 : most;
}

static void print_problems(FILE *out, const struct migration_graph *graph)
{
	const struct migration_problem *p;
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < graph->problems.n; i++) {
		p = &graph->problems.items[i];
		buf_add_str(&line, "! ");
		if (*p->path) {
			add_text(&line, p->path, 0);
			if (p->line)
				buf_printf(&line, ":%d", p->line);
			buf_add_str(&line, ": ");
		}
		add_text(&line, p->text, 0);
		print_line(out, &line);
	}
	buf_fini(&line);
}

void output_history_text(FILE *out, const struct output_revisions *revisions, bool ascii)
{
	const struct migration_graph *graph = revisions->graph;
	struct migration_lanes *lanes = migration_lanes_new(graph);
	size_t lane_columns = migration_lanes_columns(lanes), ids = id_columns(graph), i, start;
	struct buf line = BUF_INIT;

	for (i = 0; i < graph->n; i++) {
		migration_lanes_row(lanes, i, ascii, &line);
		for (start = utf8_columns(buf_str(&line)); start < lane_columns + 1; start++)
			buf_add_char(&line, ' ');
		add_text(&line, graph->revisions[i].id, ids + 1);
		add_text(&line, graph->revisions[i].message, 0);
		add_marks(&line, revisions, i);
		print_line(out, &line);
	}
	for (i = 0; i < graph->unknown_rows.n; i++) {
		buf_add_str(&line, ascii ? "? " : "? ");
		add_text(&line, graph->unknown_rows.items[i], ids);
		buf_add_str(&line, " in the database, but in no revision file");
		print_line(out, &line);
	}
	print_problems(out, graph);
	print_skew(out, revisions);
	print_legacy(out, revisions->legacy);
	buf_fini(&line);
	migration_lanes_free(lanes);
}

void output_pending_text(FILE *out, const struct output_revisions *revisions)
{
	const struct migration_graph *graph = revisions->graph;
	size_t i, ids = id_columns(graph);
	const struct migration_revision *r;
	struct buf line = BUF_INIT, skew = BUF_INIT;

	for (i = 0; i < graph->pending.n; i++) {
		r = &graph->revisions[graph->pending.items[i]];
		add_text(&line, r->id, ids + 1);
		add_text(&line, r->message, 0);
		if (revisions->sources) {
			buf_clear(&skew);
			migration_sources_skew(revisions->sources, r, &skew);
			if (skew.len)
				buf_printf(&line, "  (%s)", buf_str(&skew));
		}
		if (!r->upgrade.present && !r->told)
			buf_add_str(&line, "  (no upgrade(): alembic fails at it)");
		print_line(out, &line);
	}
	print_problems(out, graph);
	print_skew(out, revisions);
	buf_fini(&line);
	buf_fini(&skew);
}

void output_findings_text(FILE *out, const struct findings *findings)
{
	const struct finding *f;
	struct buf line = BUF_INIT;
	size_t i;

	for (i = 0; i < findings->n; i++) {
		f = &findings->items[i];
		buf_printf(&line, "%-8s ", finding_severity_name(f->severity));
		add_text(&line, f->text, 0);
		buf_printf(&line, " [%s]", f->code);
		print_line(out, &line);
	}
	buf_fini(&line);
}

static void add_tree(struct buf *out, const struct db_tree_row *row, bool ascii)
{
	int d;

	for (d = 1; d < row->depth; d++)
		buf_add_str(out, row->bars >> d & 1 ? (ascii ? "| " : "│ ") : "  ");
	if (row->depth)
		buf_add_str(out, row->last ? (ascii ? "`-" : "└─") : (ascii ? "|-" : "├─"));
}

static void add_age(struct buf *out, double seconds)
{
	char text[32];

	buf_printf(out, "%8s ", clock_format_age(seconds, text, sizeof(text)));
}

static void add_session(struct buf *line, const struct db_tree_row *row, bool ascii)
{
	const struct db_session *s = row->session;
	struct buf tree = BUF_INIT, waits = BUF_INIT;

	add_tree(&tree, row, ascii);
	if (s->pid)
		buf_printf(&tree, "%d", s->pid);
	else
		buf_printf(&tree, "prepared %s", s->gid);
	add_cell(line, buf_str(&tree), 16, ascii);
	add_cell(line, s->user, 10, ascii);
	add_cell(line, *s->application ? s->application : "-", 16, ascii);
	add_cell(line, s->state, 19, ascii);
	if (*s->waits_for.mode)
		buf_printf(&waits, "%s %s", s->waits_for.mode, s->waits_for.relation);
	add_cell(line, waits.len ? buf_str(&waits) : "-", 26, ascii);
	add_age(line, isnan(s->wait_age_s) ? s->xact_age_s : s->wait_age_s);
	buf_add_char(line, ' ');
	add_text(line, s->query, 0);
	buf_fini(&tree);
	buf_fini(&waits);
}

void output_locks_text(FILE *out, const struct db_snapshot *snapshot,
	const struct findings *findings, bool ascii)
{
	size_t n, i;
	struct db_tree_row *rows = db_locktree_rows(snapshot, false, &n);
	struct buf line = BUF_INIT;

	if (n)
		fprintf(out, "%-17s%-11s%-17s%-20s%-27s%8s  %s\n", "PID", "USER", "APPLICATION",
			"STATE", "WAITS FOR", "AGE", "QUERY");
	else
		fprintf(out, "no session waits for another (%zu sessions)\n", snapshot->n_sessions);
	for (i = 0; i < n; i++) {
		add_session(&line, &rows[i], ascii);
		print_line(out, &line);
	}
	if (findings->n)
		fputc('\n', out);
	output_findings_text(out, findings);
	buf_fini(&line);
	free(rows);
}

void output_check_text(FILE *out, const char *target, const struct check_report *report,
	const struct findings *findings)
{
	static const char *const words[] = { "ok", "WARNING", "CRITICAL", "UNKNOWN" };
	struct buf line = BUF_INIT;
	size_t i;

	buf_printf(&line, "%-8s ", words[check_report_status(report, findings)]);
	add_text(&line, target, 0);
	print_line(out, &line);
	for (i = 0; i < report->n; i++) {
		buf_printf(&line, "  %-8s %-18s ", words[report->lines[i].status],
			report->lines[i].name);
		add_text(&line, report->lines[i].detail, 0);
		print_line(out, &line);
	}
	for (i = 0; i < findings->n; i++) {
		buf_printf(&line, "  %-8s %-18s ",
			words[findings->items[i].severity == FINDING_CRITICAL  ? CHECK_CRITICAL
				: findings->items[i].severity == FINDING_WARNING ? CHECK_WARNING
										 : CHECK_OK],
			findings->items[i].code);
		add_text(&line, findings->items[i].text, 0);
		if (*findings->items[i].runbook)
			buf_printf(&line, " (runbook %s)", findings->items[i].runbook);
		print_line(out, &line);
	}
	buf_fini(&line);
}
