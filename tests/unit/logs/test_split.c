/*
 * Bytes into lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/logs/split.h>

/* Each line as "[text]", with "+N" for what was cut and "@S.NS" for its time. */
static void record(const struct log_raw *raw, void *arg)
{
	struct buf *out = arg;

	buf_add_char(out, '[');
	buf_add(out, raw->text, raw->len);
	if (raw->cut)
		buf_printf(out, "+%zu", raw->cut);
	if (raw->has_time)
		buf_printf(out, "@%lld.%09lld", (long long)(raw->time_ns / CLOCK_NS_PER_S),
			(long long)(raw->time_ns % CLOCK_NS_PER_S));
	buf_add_char(out, ']');
}

/* The same for every way to cut the input into chunks of `chunk` bytes. */
static void expect_chunked(
	const char *bytes, size_t len, size_t chunk, bool timestamps, size_t max, const char *want)
{
	struct log_splitter splitter;
	struct buf got = BUF_INIT;
	char *part;
	size_t at, n;

	log_splitter_init(&splitter, LOG_STDERR, timestamps, max);
	for (at = 0; at < len; at += n) {
		n = len - at < chunk ? len - at : chunk;
		part = malloc(n);
		memcpy(part, bytes + at, n);
		log_splitter_feed(&splitter, part, n, record, &got);
		free(part);
	}
	log_splitter_flush(&splitter, record, &got);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	log_splitter_fini(&splitter);
}

static void expect(const char *text, bool timestamps, size_t max, const char *want)
{
	size_t len = strlen(text), chunk;

	for (chunk = 1; chunk <= len + 1; chunk++)
		expect_chunked(text, len, chunk, timestamps, max, want);
}

static void split_ends_lines_at_line_feeds(void **state)
{
	(void)state;
	expect("one\ntwo\n\nthree", false, 0, "[one][two][][three]");
	expect("", false, 0, "");
	expect("\n", false, 0, "[]");
}

static void split_handles_carriage_returns(void **state)
{
	(void)state;
	expect("dos\r\nmore\r\r\n\r\nend\r", false, 0, "[dos][more][][end]");
	expect("10%\r20%\r\r30%\rdone\nnext\n", false, 0, "[10%][20%][30%][done][next]");
	expect("hidden\rshown\r\n", false, 0, "[hidden][shown]");
}

static void split_bounds_a_line(void **state)
{
	(void)state;
	expect("0123456789abc\nxy\n", false, 10, "[0123456789+3][xy]");
	expect("0123456789\n", false, 10, "[0123456789]");
	expect("0123456789ab", false, 10, "[0123456789+2]");
}

static void split_cuts_off_timestamps(void **state)
{
	(void)state;
	expect("2025-01-27T10:00:00.123456789Z hello\n"
	       "2025-01-27T11:00:00.5+01:00 offset\n"
	       "2025-01-27T10:00:00Z \n"
	       "no time\n"
	       "2025-01-27T10:00:01Z 1%\r2%\n"
	       "2025-01-27T10:00:02Z",
		true, 0,
		"[hello@1737972000.123456789][offset@1737972000.500000000]"
		"[@1737972000.000000000][no time]"
		"[1%@1737972001.000000000][2%@1737972001.000000000]");
	expect("2025-01-27T10:00:00Z kept\n", false, 0, "[2025-01-27T10:00:00Z kept]");
}

/* `n` pieces of `size` bytes with a timestamp before each, the last one shorter. */
static void add_pieces(struct buf *out, size_t n, size_t size, const char *stamp)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		buf_add_str(out, stamp);
		for (k = 0; k < (i + 1 < n ? size : 5); k++)
			buf_add_char(out, 'x');
	}
}

static void expect_pieces(size_t n, size_t size, const char *stamp)
{
	struct buf line = BUF_INIT, want = BUF_INIT;

	add_pieces(&line, n, size, stamp);
	buf_add_char(&line, '\n');
	buf_add_char(&want, '[');
	add_pieces(&want, n, size, "");
	buf_add_str(&want, "@1737972000.500000000]");
	expect_chunked(line.data, line.len, 4096, true, 0, buf_str(&want));
	buf_fini(&want);
	buf_fini(&line);
}

static void split_puts_a_long_line_together(void **state)
{
	(void)state;
	expect_pieces(3, 16384, "2025-01-27T10:00:00.500000000Z ");
	expect_pieces(5, 8192, "2025-01-27T10:00:00.500000000Z ");
	/* podman's pieces end anywhere, and each has a time of its own. */
	expect("2025-01-27T10:00:00.123456789Z coun2025-01-27T10:00:00.1234568Z t "
	       "42025-01-27T10:00:00"
	       ".923456789Z 21\n",
		true, 0, "[count 421@1737972000.123456789]");
	/* Over midnight, and the end of a year. */
	expect("2024-12-31T23:59:59.900000000Z coun2024-12-31T23:59:59.950000000Z t "
	       "42025-01-01T00:00:00.100000000Z 21\n",
		true, 0, "[count 421@1735689599.900000000]");
	expect("2024-12-31T23:59:58.500000000Z a2024-12-31T23:59:59.300000000Z b"
	       "2025-01-01T00:00:00.100000000Z c2025-01-01T00:00:00.900000000Z d\n",
		true, 0, "[abcd@1735689598.500000000]");
	expect("2024-12-31T12:59:59.900000000Z a 2025-01-01T00:00:00.100000000Z b\n", true, 0,
		"[a 2025-01-01T00:00:00.100000000Z b@1735649999.900000000]");
}

/* Times that are the text's own: taken before it was written, or not of nanoseconds, or far ahead. */
static void split_leaves_times_of_the_text(void **state)
{
	(void)state;
	expect("2025-01-27T10:00:00.123456789Z a 2025-01-27T10:00:00.123456788Z b\n", true, 0,
		"[a 2025-01-27T10:00:00.123456788Z b@1737972000.123456789]");
	expect("2025-01-27T10:00:00.123456789Z a 2025-01-27T10:00:00.123457Z b\n", true, 0,
		"[a 2025-01-27T10:00:00.123457Z b@1737972000.123456789]");
	expect("2025-01-27T10:00:00.123456789Z next 2025-01-27T10:05:00.123456789Z b\n", true, 0,
		"[next 2025-01-27T10:05:00.123456789Z b@1737972000.123456789]");
	expect("a 2025-01-27T10:00:00.123456789Z b 2025-01-27T10:00:00.123456789Z c\n", true, 0,
		"[a 2025-01-27T10:00:00.123456789Z b 2025-01-27T10:00:00.123456789Z c]");
}

static void split_reads_only_whole_timestamps(void **state)
{
	static const char *const bad[] = { "2025-01-27T10:00:00", "2025-01-27 10:00:00Z",
		"2025-13-27T10:00:00Z", "2025-01-32T10:00:00Z", "2025-01-27T24:00:00Z",
		"2025-01-27T10:00:00.5", "2025-01-27T10:00:00+1:00", "2025-01-27T10:00:00+01",
		"20250127T100000Z0000", "99999-01-27T10:00:00Z", "1969-01-01T00:00:00Z",
		"9999-01-01T00:00:00Z", "2025-01-27T10:00:00+24:00" };
	int64_t ns = 42;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(log_parse_time(bad[i], strlen(bad[i]), &ns), 0);
		assert_int_equal(ns, 42);
	}
	assert_int_equal(log_parse_time("2025-01-27T10:00:00.123456789123Z", 33, &ns), 33);
	assert_int_equal(ns, INT64_C(1737972000123456789));
	assert_int_equal(log_parse_time("2025-01-27T10:00:00-05:30x", 26, &ns), 25);
	assert_int_equal(ns, INT64_C(1737991800000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_ends_lines_at_line_feeds),
		cmocka_unit_test(split_handles_carriage_returns),
		cmocka_unit_test(split_bounds_a_line),
		cmocka_unit_test(split_cuts_off_timestamps),
		cmocka_unit_test(split_puts_a_long_line_together),
		cmocka_unit_test(split_leaves_times_of_the_text),
		cmocka_unit_test(split_reads_only_whole_timestamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
