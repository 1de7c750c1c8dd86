/*
 * Estimating the end of a phase. The server says how much is done, not since when, so the pace is
 * taken from two pictures; of a phase seen once nothing is said. Phases are not added up: nobody
 * knows how long the next one takes.
 */
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>

/* A pace measured over less is noise. */
#define PROGRESS_PACE_NS (CLOCK_NS_PER_S / 2)

/* "CREATE INDEX: building index 42 %" without " 42 %". */
static size_t progress_name_len(const char *text)
{
	const char *last = strrchr(text, ' ');

	while (last && last > text && last[-1] != ' ')
		last--;
	return last && last > text ? (size_t)(last - 1 - text) : strlen(text);
}

static struct progress_phase *progress_find(
	const struct progress_memory *memory, const struct db_session *s)
{
	size_t i, len = progress_name_len(s->progress);

	for (i = 0; i < memory->n; i++)
		if (memory->phases[i].pid == s->pid && strlen(memory->phases[i].name) == len &&
			strncmp(memory->phases[i].name, s->progress, len) == 0)
			return &memory->phases[i];
	return NULL;
}

static double progress_left(
	const struct progress_phase *then, const struct db_session *s, int64_t now)
{
	double seconds = (double)(now - then->at) / (double)CLOCK_NS_PER_S;
	double done = s->progress_done - then->done;
	double total = s->progress_ratio > 0 ? s->progress_done / s->progress_ratio : 0;

	if (now - then->at < PROGRESS_PACE_NS || done <= 0)
		return NAN;
	return fmax(0, (total - s->progress_done) / (done / seconds));
}

void progress_fini(struct progress_memory *memory)
{
	size_t i;

	for (i = 0; i < memory->n; i++)
		free(memory->phases[i].name);
	free(memory->phases);
	memset(memory, 0, sizeof(*memory));
}

void progress_estimate(struct progress_memory *memory, struct db_snapshot *snapshot, int64_t now)
{
	struct progress_memory seen = { NULL, 0 };
	struct progress_phase *then, *phase;
	struct db_session *s;
	size_t i;

	for (i = 0; i < snapshot->n_sessions; i++) {
		s = &snapshot->sessions[i];
		if (isnan(s->progress_ratio))
			continue;
		then = progress_find(memory, s);
		/* What went back began anew: another index of the same statement. */
		if (then && then->done > s->progress_done)
			then = NULL;
		if (then)
			s->progress_left_s = progress_left(then, s, now);
		seen.phases = mem_realloc(seen.phases, seen.n + 1, sizeof(*seen.phases));
		phase = &seen.phases[seen.n++];
		phase->pid = s->pid;
		phase->name = mem_strndup(s->progress, progress_name_len(s->progress));
		phase->done = then ? then->done : s->progress_done;
		phase->at = then ? then->at : now;
	}
	progress_fini(memory);
	*memory = seen;
}
