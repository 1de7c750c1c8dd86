/*
 * The small dialogs of the console: a page to read, a line to answer with, a list to choose from.
 * Each takes keys and draws itself in the middle of a rectangle.
 */
#ifndef PGONCALL_UI_DIALOGS_H
#define PGONCALL_UI_DIALOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/str.h>
#include <pgoncall/ui/cells.h>
#include <pgoncall/ui/keys.h>
#include <pgoncall/ui/lines.h>

enum dialog_verdict { DIALOG_OPEN, DIALOG_YES, DIALOG_NO };

/* Clears a box for `rows` rows and `cols` columns of content in the middle of rect, as large as
 * fits; returns the rectangle of the content. */
struct cells_rect dialog_draw_box(struct cells *cells, struct cells_rect rect, int rows, int cols,
	const char *title, const char *hint);

/* --- a page ---------------------------------------------------------------------------------- */

struct page {
	char *title; /* owned */
	struct lines lines;
	size_t top, rows; /* of the wrapped lines; rows: how many there were when last drawn */
	size_t shown;
	bool gone; /* what it is about is not there any more */
	const char *hint; /* further keys, " u d: SQL "; static; NULL: none */
};

void page_init(struct page *page);
void page_fini(struct page *page);
/* A movement scrolls. false: it is not one. */
bool page_move(struct page *page, enum key_command command);
void page_draw(struct page *page, struct cells *cells, struct cells_rect rect);

/* --- a line ---------------------------------------------------------------------------------- */

struct ask;

struct ask *ask_new(int id, const char *title, const char *question, bool secret);
/* Wipes what was typed. */
void ask_free(struct ask *ask);
int ask_id(const struct ask *ask);
enum dialog_verdict ask_key(struct ask *ask, uint32_t key);
const char *ask_text(const struct ask *ask);
void ask_draw(struct ask *ask, struct cells *cells, struct cells_rect rect);

/* --- a choice -------------------------------------------------------------------------------- */

struct pick;

struct pick *pick_new(int id, const char *title, const struct strlist *items, size_t selected);
void pick_free(struct pick *pick);
int pick_id(const struct pick *pick);
size_t pick_index(const struct pick *pick);
enum dialog_verdict pick_key(struct pick *pick, uint32_t key, enum key_command command);
void pick_draw(struct pick *pick, struct cells *cells, struct cells_rect rect);

#endif
