/*
 * The ring of lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/logs/ring.h>

static uint64_t add(struct log_ring *ring, const char *text)
{
	struct log_raw raw = { .text = text, .len = strlen(text) };
	struct log_line line;
	uint64_t number;

	log_line_init(&line, &raw, 0, 0);
	number = log_ring_add_take(ring, &line);
	assert_null(line.text);
	return number;
}

static void ring_numbers_lines_from_one(void **state)
{
	struct log_ring *ring = log_ring_new(0);

	(void)state;
	assert_int_equal(log_ring_first(ring), 1);
	assert_int_equal(add(ring, "a"), 1);
	assert_int_equal(add(ring, "b"), 2);
	assert_int_equal(log_ring_count(ring), 2);
	assert_string_equal(log_ring_at(ring, 1)->text, "b");
	assert_string_equal(log_ring_find(ring, 1)->text, "a");
	assert_null(log_ring_find(ring, 0));
	assert_null(log_ring_find(ring, 3));
	log_ring_clear(ring);
	assert_int_equal(log_ring_count(ring), 0);
	assert_int_equal(log_ring_bytes(ring), 0);
	assert_int_equal(log_ring_first(ring), 3);
	assert_int_equal(add(ring, "c"), 3);
	assert_int_equal(log_ring_dropped(ring), 0);
	log_ring_free(ring);
	log_ring_free(NULL);
}

static void ring_drops_the_oldest_by_bytes(void **state)
{
	size_t max = 20000, i;
	struct log_ring *ring = log_ring_new(max);
	char text[32];

	(void)state;
	for (i = 1; i <= 10000; i++) {
		snprintf(text, sizeof(text), "line %zu", i);
		assert_int_equal(add(ring, text), i);
		assert_true(log_ring_bytes(ring) <= max);
	}
	assert_true(log_ring_count(ring) > 100);
	assert_int_equal(log_ring_dropped(ring) + log_ring_count(ring), 10000);
	assert_int_equal(log_ring_first(ring), log_ring_dropped(ring) + 1);
	for (i = 0; i < log_ring_count(ring); i++) {
		snprintf(text, sizeof(text), "line %zu", (size_t)log_ring_first(ring) + i);
		assert_string_equal(log_ring_at(ring, i)->text, text);
		assert_ptr_equal(
			log_ring_find(ring, log_ring_first(ring) + i), log_ring_at(ring, i));
	}
	assert_null(log_ring_find(ring, log_ring_first(ring) - 1));
	log_ring_free(ring);
}

static void ring_keeps_one_line_however_long(void **state)
{
	struct log_ring *ring = log_ring_new(10);

	(void)state;
	add(ring, "a line that alone is more than the bound allows");
	assert_int_equal(log_ring_count(ring), 1);
	assert_int_equal(add(ring, "b"), 2);
	assert_int_equal(log_ring_count(ring), 1);
	assert_int_equal(log_ring_dropped(ring), 1);
	assert_string_equal(log_ring_at(ring, 0)->text, "b");
	log_ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_numbers_lines_from_one),
		cmocka_unit_test(ring_drops_the_oldest_by_bytes),
		cmocka_unit_test(ring_keeps_one_line_however_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
