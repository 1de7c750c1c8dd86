/*
 * One line of the log pane as it is shown: which part of its text, in which form, on how many rows.
 * pane_logs.c says which lines; this says how one looks.
 */
#ifndef PGONCALL_UI_LOGS_LINE_H
#define PGONCALL_UI_LOGS_LINE_H

#include <stdbool.h>

#include <pgoncall/logs/regex.h>
#include <pgoncall/logs/sanitise.h>
#include <pgoncall/ui/cells.h>

#define LOGS_FOLD_MAX 12 /* rows of one folded line; Enter shows the rest */

/* What the pane wants of every line. */
struct logs_look {
	bool times; /* a column of times; a line's own time is then left out */
	bool raw;   /* JSON as it was written */
	bool fold;
	int shift;                /* columns cut off at the left, when not folded */
	int label_cols;           /* of the column that names the source; 0: none */
	struct log_regex *search; /* NULL: none */
};

/* Rows it takes in `cols` columns. */
int logs_line_height(const struct log_line *line, const struct logs_look *look, int cols);
/* label: the source's short name. */
void logs_line_draw(const struct log_line *line, const struct logs_look *look, const char *label,
	bool marked, bool context, struct cells *cells, struct cells_rect rect);
unsigned logs_line_style(const struct log_line *line);

/* Between groups of lines, where others were left out: the first row. */
void logs_rule_draw(struct cells *cells, struct cells_rect rect);

#endif
