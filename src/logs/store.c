/*
 * Rings and the order of their lines; see the header. The order is a sorted array: lines mostly come
 * in order, so that putting some in moves little, and a place is found by halving.
 *
 * A full ring gives up a sixteenth at a time, so that going over the order, which then must be done,
 * costs little per line.
 */
#include "store_impl.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

#define NUMBER_BITS 48
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)

struct source {
	char *name;
	struct log_ring *ring;
	size_t errors;
	uint8_t last_level[2]; /* of stdout and stderr: for lines that go on */
};

struct waiting {
	struct log_ref ref;
	int64_t since; /* monotonic; ascending */
};

struct log_store {
	size_t max_bytes;
	struct source sources[LOG_SOURCES_MAX];
	size_t n_sources;
	struct log_ref *order;
	size_t n, cap;
	struct waiting *waiting;
	size_t n_waiting, cap_waiting;
	struct log_view *view;
};

int log_ref_compare(struct log_ref a, struct log_ref b)
{
	if (a.time_ns != b.time_ns)
		return a.time_ns < b.time_ns ? -1 : 1;
	return a.id < b.id ? -1 : a.id > b.id;
}

size_t log_ref_source(struct log_ref ref)
{
	return (size_t)(ref.id >> NUMBER_BITS);
}

struct log_store *log_store_new(size_t max_bytes)
{
	struct log_store *store = mem_calloc(1, sizeof(*store));

	store->max_bytes = max_bytes ? max_bytes : LOG_RING_BYTES;
	return store;
}

void log_store_free(struct log_store *store)
{
	size_t i;

	if (!store)
		return;
	for (i = 0; i < store->n_sources; i++) {
		free(store->sources[i].name);
		log_ring_free(store->sources[i].ring);
	}
	free(store->order);
	free(store->waiting);
	free(store);
}

void log_store_set_view(struct log_store *store, struct log_view *view)
{
	store->view = view;
}

int log_store_add_source(struct log_store *store, const char *name)
{
	struct source *source;

	if (store->n_sources == LOG_SOURCES_MAX)
		return -1;
	source = &store->sources[store->n_sources];
	source->name = mem_strdup(name);
	source->ring = log_ring_new(store->max_bytes);
	return (int)store->n_sources++;
}

size_t log_store_sources(const struct log_store *store)
{
	return store->n_sources;
}

const char *log_store_name(const struct log_store *store, size_t source)
{
	return store->sources[source].name;
}

const struct log_ring *log_store_ring(const struct log_store *store, size_t source)
{
	return store->sources[source].ring;
}

size_t log_store_errors(const struct log_store *store, size_t source)
{
	return store->sources[source].errors;
}

const struct log_line *log_store_line(const struct log_store *store, struct log_ref ref)
{
	size_t source = log_ref_source(ref);

	if (source >= store->n_sources)
		return NULL;
	return log_ring_find(store->sources[source].ring, ref.id & NUMBER_MASK);
}

/* --- adding and dropping --------------------------------------------------------------------- */

static bool counts_as_error(const struct log_line *line)
{
	return line->level == LOG_LEVEL_ERROR && !line->continues;
}

static bool is_gone(const struct log_store *store, struct log_ref ref)
{
	return !log_store_line(store, ref);
}

static void forget_gone(struct log_store *store, struct log_ref note)
{
	size_t i, kept = 0;

	for (i = 0; i < store->n; i++)
		if (!is_gone(store, store->order[i]))
			store->order[kept++] = store->order[i];
	store->n = kept;
	for (i = kept = 0; i < store->n_waiting; i++)
		if (!is_gone(store, store->waiting[i].ref))
			store->waiting[kept++] = store->waiting[i];
	store->n_waiting = kept;
	if (store->view)
		log_view_on_dropped(store->view, note);
}

/* Makes room for `size` bytes; a line that says so takes the place of the last one dropped. */
static void make_room(struct log_store *store, struct source *source, size_t size)
{
	struct log_ring *ring = source->ring;
	size_t goal = store->max_bytes - store->max_bytes / 16;
	uint16_t index = (uint16_t)(source - store->sources);
	struct log_line note;
	int64_t last_ns = 0;

	if (!log_ring_count(ring) || log_ring_bytes(ring) + size <= store->max_bytes)
		return;
	goal = goal > size ? goal - size : 0;
	while (log_ring_count(ring) && log_ring_bytes(ring) > goal) {
		source->errors -= counts_as_error(log_ring_at(ring, 0));
		last_ns = log_ring_at(ring, 0)->time_ns;
		log_ring_drop(ring);
	}
	log_line_note(&note, LOG_LINE_DROPPED, last_ns, "%llu older lines are no longer kept",
		(unsigned long long)log_ring_dropped(ring));
	note.source = index;
	log_ring_front_take(ring, &note);
	forget_gone(store,
		(struct log_ref){ last_ns, (uint64_t)index << NUMBER_BITS | log_ring_first(ring) });
}

/* Lines of a traceback and the like begin with blanks and have the level of what they belong to. */
static void inherit_level(struct source *source, struct log_line *line)
{
	uint8_t *last = &source->last_level[line->stream == LOG_STDERR];

	if (line->kind != LOG_LINE_TEXT)
		return;
	if (line->level == LOG_LEVEL_UNKNOWN && line->len &&
		(line->text[0] == ' ' || line->text[0] == '\t')) {
		line->continues = true;
		line->level = *last;
	} else {
		*last = line->level;
	}
}

void log_store_add_take(struct log_store *store, size_t source, struct log_line *line, int64_t now)
{
	struct source *to = &store->sources[source];
	struct waiting *waiting;

	inherit_level(to, line);
	line->source = (uint16_t)source;
	make_room(store, to, log_line_size(line));
	to->errors += counts_as_error(line);
	store->waiting = mem_grow(
		store->waiting, store->n_waiting, &store->cap_waiting, sizeof(*store->waiting));
	waiting = &store->waiting[store->n_waiting++];
	waiting->since = now;
	waiting->ref.time_ns = line->time_ns;
	waiting->ref.id = (uint64_t)source << NUMBER_BITS | log_ring_add_take(to->ring, line);
}

size_t log_store_waiting(const struct log_store *store)
{
	return store->n_waiting;
}

/* --- the order ------------------------------------------------------------------------------- */

size_t log_store_count(const struct log_store *store)
{
	return store->n;
}

struct log_ref log_store_at(const struct log_store *store, size_t i)
{
	return store->order[i];
}

size_t log_store_find(const struct log_store *store, struct log_ref ref)
{
	size_t low = 0, high = store->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (log_ref_compare(store->order[middle], ref) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int compare_waiting(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	return log_ref_compare(x->ref, y->ref);
}

/* Sorts the first k; they mostly are. */
static void sort_waiting(struct waiting *items, size_t k)
{
	size_t i;

	for (i = 1; i < k; i++) {
		if (log_ref_compare(items[i - 1].ref, items[i].ref) > 0) {
			qsort(items, k, sizeof(*items), compare_waiting);
			return;
		}
	}
}

/* Merges the first k of the waiting, sorted, into the order, from the end backwards. */
static void merge(struct log_store *store, size_t k)
{
	size_t a = store->n, b = k, at = store->n + k;
	struct log_ref first = store->waiting[0].ref;
	bool behind = store->n && log_ref_compare(first, store->order[store->n - 1]) < 0;

	while (store->n + k > store->cap)
		store->order =
			mem_grow(store->order, store->cap, &store->cap, sizeof(*store->order));
	while (b > 0) {
		if (a > 0 && log_ref_compare(store->order[a - 1], store->waiting[b - 1].ref) > 0)
			store->order[--at] = store->order[--a];
		else
			store->order[--at] = store->waiting[--b].ref;
	}
	store->n += k;
	if (behind && store->view)
		log_view_on_inserted(store->view, first);
}

bool log_store_settle(struct log_store *store, int64_t now, bool all)
{
	size_t k = 0;

	while (k < store->n_waiting && (all || now - store->waiting[k].since >= LOG_REORDER_NS))
		k++;
	if (!k)
		return false;
	sort_waiting(store->waiting, k);
	merge(store, k);
	store->n_waiting -= k;
	memmove(store->waiting, store->waiting + k, store->n_waiting * sizeof(*store->waiting));
	return true;
}
