/*
 * Pane 1: the revisions, newest first, and where the database stands among them; below them the legacy
 * SQL files.
 */
#ifndef PGONCALL_UI_PANE_REVISIONS_H
#define PGONCALL_UI_PANE_REVISIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/migrations/graph.h>
#include <pgoncall/migrations/legacy.h>
#include <pgoncall/migrations/sources.h>
#include <pgoncall/ui/pane.h>

/* What there is to show. The models are borrowed until the next call; texts are copied. */
struct revisions_view {
	const struct migration_graph *graph;     /* NULL: none */
	const struct migration_sources *sources; /* it was made from; NULL: it stands alone */
	const struct legacy_list *legacy;        /* NULL: none */
	const char *legacy_error;                /* why there is none, or NULL */
	const char *error;                       /* why there is no graph, or NULL */
	const char *running;                     /* the revision that runs now; NULL: none */
	bool running_down;                       /* it is taken back */
	bool running_sure;                       /* a log says that it began */
	bool running_blocked;                    /* it waits for a lock */
};

/* SQL that a revision would run, as far as it was printed. Copied. */
struct revisions_preview {
	const char *id; /* NULL: none is shown any more */
	bool down;
	const char *text;
	const char *state; /* "asking alembic in boardofone-api-1 …", or how it ended */
	bool running;
	bool failed;
};

struct pane *pane_revisions_new(void);
void pane_revisions_show(struct pane *pane, const struct revisions_view *view);
/* The same with nothing but a graph. It may be marked anew in between, followed by another call. */
void pane_revisions_set(struct pane *pane, const struct migration_graph *graph, const char *error);
void pane_revisions_set_preview(struct pane *pane, const struct revisions_preview *preview);
/* Whether a preview is being printed. */
bool pane_revisions_is_previewing(const struct pane *pane);
/* The revision the selected row is about, NULL where it is none that a file has. */
const struct migration_revision *pane_revisions_selected(const struct pane *pane);

#endif
