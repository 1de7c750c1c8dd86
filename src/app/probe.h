/*
 * What is asked seldom, beside the pictures: facts about the schema, and whether alembic runs where
 * migrations are run. Private to app.
 */
#ifndef APP_PROBE_H
#define APP_PROBE_H

#include <pgoncall/app/target.h>
#include <pgoncall/base/str.h>
#include <pgoncall/diagnosis/findings.h>

struct probe;

/* on_change: there is something new to compute findings from. */
struct probe *probe_new(struct loop *loop, const struct config_section *section,
	void (*on_change)(void *arg), void *arg);
/* After target_close, which ends what the target's connection was asked. NULL is allowed. */
void probe_free(struct probe *probe);
/* Before target_close: gives up what runs on the host. */
void probe_stop(struct probe *probe);

/* After each picture: asks what is due. */
void probe_advance(struct probe *probe, const struct target *target);
/* The schema is asked again with the next probe_advance. */
void probe_expire(struct probe *probe);
/* Whether the schema was looked at since the last probe_expire. */
bool probe_is_fresh(const struct probe *probe);

/* What findings are computed from; borrowed from the probe. */
void probe_fill(const struct probe *probe, struct finding_input *in);
/* "schema.index on schema.table" of each index a failed build left. */
const struct strlist *probe_invalid_indexes(const struct probe *probe);

/* Appends the command that lists the processes of one application container (with runtime none: of
 * the host); and how many lines of its output are alembic's. */
void probe_command(struct buf *out, const struct config_section *section, const char *container);
size_t probe_count_migrators(const char *listing);

#endif
