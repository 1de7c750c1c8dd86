/*
 * The ring: an array of lines that doubles while the bytes allow, used in circles. Index i is found
 * by one addition.
 */
#include <pgoncall/logs/ring.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

enum {
	SLOTS_MIN = 64 /* a power of two, as every size after it */
};

struct log_ring {
	struct log_line *slots;
	size_t n_slots; /* a power of two */
	size_t head;    /* slot of line 0 */
	size_t count;
	size_t bytes;
	size_t max_bytes;
	uint64_t first; /* number of line 0 */
	uint64_t dropped;
};

struct log_ring *log_ring_new(size_t max_bytes)
{
	struct log_ring *ring = mem_calloc(1, sizeof(*ring));

	ring->max_bytes = max_bytes ? max_bytes : LOG_RING_BYTES;
	ring->n_slots = SLOTS_MIN;
	ring->slots = mem_calloc(ring->n_slots, sizeof(*ring->slots));
	ring->first = 1;
	return ring;
}

static struct log_line *slot(const struct log_ring *ring, size_t i)
{
	return &ring->slots[(ring->head + i) & (ring->n_slots - 1)];
}

static void drop_oldest(struct log_ring *ring)
{
	ring->bytes -= log_line_size(slot(ring, 0));
	log_line_fini(slot(ring, 0));
	ring->head = (ring->head + 1) & (ring->n_slots - 1);
	ring->count--;
	ring->first++;
}

void log_ring_clear(struct log_ring *ring)
{
	while (ring->count)
		drop_oldest(ring);
	ring->dropped = 0;
}

void log_ring_free(struct log_ring *ring)
{
	if (!ring)
		return;
	log_ring_clear(ring);
	free(ring->slots);
	free(ring);
}

static void grow(struct log_ring *ring)
{
	struct log_line *slots = mem_calloc(ring->n_slots * 2, sizeof(*slots));
	size_t before_wrap = ring->n_slots - ring->head;

	memcpy(slots, ring->slots + ring->head, before_wrap * sizeof(*slots));
	memcpy(slots + before_wrap, ring->slots, ring->head * sizeof(*slots));
	free(ring->slots);
	ring->slots = slots;
	ring->n_slots *= 2;
	ring->head = 0;
}

void log_ring_drop(struct log_ring *ring)
{
	ring->dropped += slot(ring, 0)->kind == LOG_LINE_TEXT;
	drop_oldest(ring);
}

void log_ring_front_take(struct log_ring *ring, struct log_line *line)
{
	if (ring->count == ring->n_slots)
		grow(ring);
	ring->head = (ring->head - 1) & (ring->n_slots - 1);
	ring->first--;
	ring->count++;
	ring->bytes += log_line_size(line);
	*slot(ring, 0) = *line;
	memset(line, 0, sizeof(*line));
}

uint64_t log_ring_add_take(struct log_ring *ring, struct log_line *line)
{
	size_t size = log_line_size(line);

	while (ring->count && ring->bytes + size > ring->max_bytes)
		log_ring_drop(ring);
	if (ring->count == ring->n_slots)
		grow(ring);
	*slot(ring, ring->count++) = *line;
	ring->bytes += size;
	memset(line, 0, sizeof(*line));
	return ring->first + ring->count - 1;
}

size_t log_ring_count(const struct log_ring *ring)
{
	return ring->count;
}

size_t log_ring_bytes(const struct log_ring *ring)
{
	return ring->bytes;
}

const struct log_line *log_ring_at(const struct log_ring *ring, size_t i)
{
	return slot(ring, i);
}

uint64_t log_ring_first(const struct log_ring *ring)
{
	return ring->first;
}

const struct log_line *log_ring_find(const struct log_ring *ring, uint64_t number)
{
	if (number < ring->first || number - ring->first >= ring->count)
		return NULL;
	return slot(ring, (size_t)(number - ring->first));
}

uint64_t log_ring_dropped(const struct log_ring *ring)
{
	return ring->dropped;
}
