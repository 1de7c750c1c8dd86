/*
 * The question before an act: what exactly will be sent, where, what it hits, what it does and how
 * it is undone; and the answer. Pure: keys in, verdict out. Default is No: Enter alone is No, so is
 * Esc, and so is silence (the caller's timer). Policy (which level an act needs) is not here.
 */
#ifndef PGONCALL_UI_CONFIRM_H
#define PGONCALL_UI_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgoncall/ui/cells.h>

#define CONFIRM_TIMEOUT_S 60 /* after which the caller takes silence for No */

enum confirm_level {
	CONFIRM_Y,      /* the key y */
	CONFIRM_VERB,   /* `verb` typed in full, then Enter */
	CONFIRM_TARGET, /* `target` typed in full, then Enter */
};

enum confirm_environment { CONFIRM_DEVELOPMENT, CONFIRM_STAGING, CONFIRM_PRODUCTION };

/* One line of what is known about the object: "pid" "8123". */
struct confirm_fact {
	const char *name;
	const char *value;
};

/* Everything is copied by confirm_open. Texts may be NULL, and need not be sanitised. */
struct confirm_request {
	int id; /* comes back with the answer */
	enum confirm_level level;
	const char *question;  /* "End session 8123 (psql, idle in transaction 12m04)?" */
	const char *statement; /* the exact statement or command, shown whole */
	const char *host;      /* "deploy@server" */
	const char *database;
	const char *role;
	enum confirm_environment environment;
	const struct confirm_fact *facts; /* the object it hits */
	size_t n_facts;
	const char *effect; /* what it does: "Closes its connection and rolls back its work." */
	const char *undo;   /* how it is undone, or that it cannot be */
	const char *verb;   /* "terminate"; for CONFIRM_VERB */
	const char *target; /* "boardofone@prod"; for CONFIRM_TARGET */
};

enum confirm_verdict { CONFIRM_PENDING, CONFIRM_YES, CONFIRM_NO };

struct confirm;

struct confirm *confirm_new(const struct confirm_request *request);
void confirm_free(struct confirm *confirm);
int confirm_id(const struct confirm *confirm);
/* What was typed so far, "y" for a single key's yes. Valid until the next key. */
const char *confirm_typed(const struct confirm *confirm);
/* What was typed and did not match makes the dialog say so and stay. */
enum confirm_verdict confirm_key(struct confirm *confirm, uint32_t key);
/* Draws the dialog centred in rect; remembers its height for scrolling. */
void confirm_draw(struct confirm *confirm, struct cells *cells, struct cells_rect rect);

#endif
