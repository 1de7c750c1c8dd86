/*
 * The order of several logs by time, and what is dropped from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/logs/store.h>

static void add(
	struct log_store *store, size_t source, int64_t time_ns, const char *text, int64_t now)
{
	struct log_raw raw = {
		.text = text, .len = strlen(text), .has_time = true, .time_ns = time_ns
	};
	struct log_line line;

	log_line_init(&line, &raw, 0, 0);
	log_store_add_take(store, source, &line, now);
}

static const char *text_at(const struct log_store *store, size_t i)
{
	return log_store_line(store, log_store_at(store, i))->text;
}

static void expect_order(const struct log_store *store, const char *want)
{
	char got[256] = "";
	size_t i;

	for (i = 0; i < log_store_count(store); i++)
		strncat(got, text_at(store, i), sizeof(got) - strlen(got) - 1);
	assert_string_equal(got, want);
}

static void store_merges_by_time(void **state)
{
	struct log_store *store = log_store_new(0);

	(void)state;
	assert_int_equal(log_store_add_source(store, "a"), 0);
	assert_int_equal(log_store_add_source(store, "b"), 1);
	add(store, 0, 10, "A", 0);
	add(store, 0, 30, "C", 0);
	add(store, 1, 20, "B", 1);
	add(store, 1, 40, "D", 1);
	/* The first two have waited long enough, the others not yet. */
	assert_true(log_store_settle(store, LOG_REORDER_NS, false));
	expect_order(store, "AC");
	assert_int_equal(log_store_waiting(store), 2);
	assert_false(log_store_settle(store, LOG_REORDER_NS, false));
	assert_true(log_store_settle(store, LOG_REORDER_NS + 1, false));
	expect_order(store, "ABCD");
	/* Later than the window, a line is still put where it belongs. */
	add(store, 1, 15, "x", 0);
	assert_true(log_store_settle(store, 0, true));
	expect_order(store, "AxBCD");
	assert_int_equal(log_ref_source(log_store_at(store, 1)), 1);
	assert_int_equal(log_store_find(store, (struct log_ref){ 20, 0 }), 2);
	log_store_free(store);
}

static void store_keeps_equal_times_in_their_order(void **state)
{
	struct log_store *store = log_store_new(0);
	char text[2] = "a";

	(void)state;
	log_store_add_source(store, "a");
	for (; *text <= 'z'; (*text)++)
		add(store, 0, 7, text, 0);
	log_store_settle(store, 0, true);
	expect_order(store, "abcdefghijklmnopqrstuvwxyz");
	log_store_free(store);
}

static void store_says_what_it_dropped_and_where(void **state)
{
	struct log_store *store = log_store_new(20000);
	const struct log_line *first;
	size_t i, texts = 0, notes = 0, n_old = 0;
	char text[64];

	(void)state;
	log_store_add_source(store, "flood");
	log_store_add_source(store, "quiet");
	add(store, 1, 1, "quiet and old", 0);
	for (i = 1; i <= 3000; i++) {
		snprintf(text, sizeof(text), "line %zu of the flood", i);
		add(store, 0, (int64_t)i * 10, text, 0);
		if (i % 7 == 0)
			log_store_settle(store, 0, true);
		assert_true(log_ring_bytes(log_store_ring(store, 0)) <= 20000);
	}
	log_store_settle(store, 0, true);
	for (i = 0; i < log_store_count(store); i++) {
		first = log_store_line(store, log_store_at(store, i));
		assert_non_null(first);
		if (first->kind == LOG_LINE_DROPPED) {
			notes++;
			snprintf(text, sizeof(text), "%llu older lines are no longer kept",
				(unsigned long long)log_ring_dropped(log_store_ring(store, 0)));
			assert_string_equal(first->text, text);
			/* Right before the oldest line of its log. */
			assert_int_equal(i, 1);
		} else if (first->source == 0) {
			texts++;
		} else {
			n_old++;
		}
	}
	assert_int_equal(notes, 1);
	assert_int_equal(n_old, 1);
	assert_true(texts > 50);
	assert_int_equal(texts + log_ring_dropped(log_store_ring(store, 0)), 3000);
	log_store_free(store);
}

static void store_counts_errors_once(void **state)
{
	struct log_store *store = log_store_new(0);

	(void)state;
	log_store_add_source(store, "a");
	add(store, 0, 1, "ERROR it broke", 0);
	add(store, 0, 2, "  File \"x.py\", line 3", 0);
	add(store, 0, 3, "INFO fine", 0);
	add(store, 0, 4, "  part of what is fine", 0);
	log_store_settle(store, 0, true);
	assert_int_equal(log_store_errors(store, 0), 1);
	assert_int_equal(log_store_line(store, log_store_at(store, 1))->level, LOG_LEVEL_ERROR);
	assert_true(log_store_line(store, log_store_at(store, 1))->continues);
	assert_int_equal(log_store_line(store, log_store_at(store, 3))->level, LOG_LEVEL_INFO);
	log_store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_merges_by_time),
		cmocka_unit_test(store_keeps_equal_times_in_their_order),
		cmocka_unit_test(store_says_what_it_dropped_and_where),
		cmocka_unit_test(store_counts_errors_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
