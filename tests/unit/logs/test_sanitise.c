/*
 * Raw lines into safe ones. The expected text shows spans as "{fg,bg,flags:text}".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/clock.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/sanitise.h>

static void make(struct log_line *line, const char *bytes, size_t len)
{
	struct log_raw raw = { .text = bytes, .len = len };

	log_line_init(line, &raw, 3, 7);
}

static void describe(const struct log_line *line, struct buf *out)
{
	static const struct {
		int flag;
		char letter;
	} flags[] = { { LOG_ATTR_BOLD, 'b' }, { LOG_ATTR_DIM, 'd' }, { LOG_ATTR_UNDERLINE, 'u' },
		{ LOG_ATTR_REVERSE, 'r' } };
	const struct log_span *span;
	size_t at = 0, i, k;

	for (i = 0; i < line->n_spans; i++) {
		span = &line->spans[i];
		assert_true(span->start >= at && span->end > span->start && span->end <= line->len);
		buf_add(out, line->text + at, span->start - at);
		buf_printf(out, "{%d,%d,", span->attr.fg, span->attr.bg);
		for (k = 0; k < 4; k++)
			if (span->attr.flags & flags[k].flag)
				buf_add_char(out, flags[k].letter);
		buf_add_char(out, ':');
		buf_add(out, line->text + span->start, span->end - span->start);
		buf_add_char(out, '}');
		at = span->end;
	}
	buf_add_str(out, line->text + at);
}

static void expect_bytes(const char *bytes, size_t len, const char *want)
{
	struct buf got = BUF_INIT;
	struct log_line line;

	make(&line, bytes, len);
	describe(&line, &got);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	log_line_fini(&line);
}

static void expect(const char *text, const char *want)
{
	expect_bytes(text, strlen(text), want);
}

static void sanitise_keeps_plain_text(void **state)
{
	struct log_line line;
	struct log_raw raw = { .text = "x",
		.len = 1,
		.cut = 9,
		.has_time = true,
		.time_ns = 5,
		.stream = LOG_STDERR };

	(void)state;
	expect("", "");
	expect("naïve 日本 ✅ e\xCC\x81", "naïve 日本 ✅ e\xCC\x81");
	expect("a\tb\t\tc", "a       b               c");
	expect("日\tx", "日      x");
	make(&line, "x", 1);
	assert_int_equal(line.time_ns, 7);
	assert_false(line.own_time);
	assert_int_equal(line.source, 3);
	log_line_fini(&line);
	log_line_init(&line, &raw, 0, 7);
	assert_int_equal(line.time_ns, 5);
	assert_true(line.own_time);
	assert_int_equal(line.cut, 9);
	assert_int_equal(line.stream, LOG_STDERR);
	log_line_fini(&line);
}

static void sanitise_turns_sgr_into_spans(void **state)
{
	(void)state;
	expect("\x1b[31mred\x1b[0m plain", "{2,0,:red} plain");
	expect("\x1b[1;4;92;44mx\x1b[mz", "{11,5,bu:x}z");
	expect("\x1b[2;7mx\x1b[22my\x1b[27mz", "{0,0,dr:x}{0,0,r:y}z");
	expect("\x1b[31m\x1b[32mx", "{3,0,:x}");
	expect("\x1b[31mx\x1b[31my", "{2,0,:xy}");
	expect("\x1b[31mx\x1b[39m\x1b[49my", "{2,0,:x}y");
	expect("\xC2\x9B"
	       "35mx",
		"{6,0,:x}");
	expect("\x1b[4mu\x1b[4:0mn\x1b[4:3mu", "{0,0,u:u}n{0,0,u:u}");
}

static void sanitise_maps_colours_to_sixteen(void **state)
{
	(void)state;
	expect("\x1b[38;5;9mx", "{10,0,:x}");
	expect("\x1b[38;5;196mx", "{10,0,:x}");
	expect("\x1b[48;5;232mx", "{0,1,:x}");
	expect("\x1b[38;2;0;200;0mx", "{3,0,:x}");
	expect("\x1b[38:2::255:255:255mx", "{16,0,:x}");
	expect("\x1b[38:2:255:255:255mx", "{16,0,:x}");
	expect("\x1b[38:5:4;1mx", "{5,0,b:x}");
	expect("\x1b[38;5;300mx", "x");
	expect("\x1b[38;9;1mx", "x");
	expect("\x1b[38mx", "x");
	expect("\x1b[58;5;1;31mx", "{2,0,:x}");
	expect("\x1b[99999999999999999999mx", "x");
	expect("\x1b[?31mx\x1b[>4;2my", "xy");
}

static void sanitise_drops_other_sequences(void **state)
{
	(void)state;
	expect("a\x1b[2Jb\x1b[10;20Hc\x1b[?1049hd\x1b[6ne", "abcde");
	expect("a\x1b]52;c;ZXZpbA==\x07"
	       "b",
		"ab");
	expect("a\x1b]0;title\x1b\\b", "ab");
	expect("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb");
	expect("a\x1bPq#0\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x1b\\d\x1bXsos\x1b\\e", "abcde");
	expect("a\xC2\x9D"
	       "52;c;x\xC2\x9C"
	       "b",
		"ab");
	expect("a\x1b(Bb\x1b"
	       "cc\x1b=d\x1b#8e",
		"abcde");
	expect("a\x1b[31 qb", "ab");
}

/* Nothing hides the rest of a line. */
static void sanitise_shows_sequences_that_do_not_end(void **state)
{
	(void)state;
	expect("a\x1b]0;evil text", "a^[]0;evil text");
	expect("a\x1bPevil", "a^[Pevil");
	expect("a\x1b[31", "a^[[31");
	expect("a\x1b", "a^[");
	expect("a\x1b[3\x01mb", "a^[[3^Amb");
	expect("a\xC2\x9D"
	       "evil",
		"a<U+009D>evil");
}

static void sanitise_makes_controls_visible(void **state)
{
	(void)state;
	expect_bytes("a\0b\x08\x7F\x07", 6, "a^@b^H^?^G");
	expect("\xFF\xC0\x80\xE9x", "<FF><C0><80><E9>x");
	expect("\x9B"
	       "31mx",
		"<9B>31mx");
	expect("\xC2\x85", "<U+0085>");
	expect("\xE2\x80\xAE"
	       "txt.exe\xE2\x81\xA6",
		"<U+202E>txt.exe<U+2066>");
	expect("\xE2\x80\x8F\xD8\x9C\xE2\x80\xA8", "<U+200F><U+061C><U+2028>");
	expect("f\xE2\x80\x8Bo\xC2\xADo\xEF\xBB\xBF", "foo");
	expect("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xA7", "\xF0\x9F\x91\xA9\xF0\x9F\x94\xA7");
}

static void sanitise_bounds_marks_text_and_spans(void **state)
{
	struct buf bytes = BUF_INIT;
	struct log_line line;
	int i;

	(void)state;
	expect("e\xCC\x81\xCC\x81\xCC\x81\xCC\x81\xCC\x81\xCC\x81x",
		"e\xCC\x81\xCC\x81\xCC\x81\xCC\x81x");
	for (i = 0; i < LOG_LINE_MAX; i++)
		buf_add_char(&bytes, '\t');
	make(&line, bytes.data, bytes.len);
	assert_true(line.len >= LOG_TEXT_MAX && line.len < LOG_TEXT_MAX + 16);
	assert_int_equal(line.cut, LOG_LINE_MAX - line.len / 8);
	log_line_fini(&line);
	buf_clear(&bytes);
	for (i = 0; i < 2000; i++)
		buf_printf(&bytes, "\x1b[3%dmx", i % 2 + 1);
	make(&line, bytes.data, bytes.len);
	assert_int_equal(line.len, 2000);
	assert_int_equal(line.n_spans, LOG_SPANS_MAX);
	log_line_fini(&line);
	buf_fini(&bytes);
}

static void sanitise_detects_levels(void **state)
{
	static const struct {
		const char *text;
		enum log_level level;
	} lines[] = {
		{ "INFO  [alembic.runtime.migration] Running upgrade a -> b, fix ERROR",
			LOG_LEVEL_INFO },
		{ "ERROR [alembic.util.messaging] Multiple head revisions", LOG_LEVEL_ERROR },
		{ "WARNI [py.warnings] x", LOG_LEVEL_WARNING },
		{ "FAILED: Can't locate revision identified by 'x'", LOG_LEVEL_ERROR },
		{ "2025-01-27 10:00:00.000 UTC [123] ERROR:  relation \"x\" does not exist",
			LOG_LEVEL_ERROR },
		{ "2025-01-27 10:00:00.000 UTC [123] LOG:  statement: SELECT 'ERROR'",
			LOG_LEVEL_INFO },
		{ "2025-01-27 10:00:00 UTC [1] FATAL:  sorry, too many clients already",
			LOG_LEVEL_ERROR },
		{ "INFO:     127.0.0.1:5000 - \"GET /api/health HTTP/1.1\" 200 OK",
			LOG_LEVEL_INFO },
		{ "{\"time\":\"x\",\"level\":\"error\",\"msg\":\"INFO\"}", LOG_LEVEL_ERROR },
		{ "ts=1 level=warn msg=\"x\"", LOG_LEVEL_WARNING },
		{ "ts=1 lvl=dbg", LOG_LEVEL_UNKNOWN },
		{ "{\"levelname\": \"DEBUG\"}", LOG_LEVEL_DEBUG },
		{ "Traceback (most recent call last):", LOG_LEVEL_ERROR },
		{ "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout",
			LOG_LEVEL_ERROR },
		{ "❌ Migration failed!", LOG_LEVEL_ERROR },
		{ "✅ Migrations completed successfully", LOG_LEVEL_INFO },
		{ "the level of water", LOG_LEVEL_UNKNOWN },
		{ "NO_ERROR_HERE", LOG_LEVEL_UNKNOWN },
		{ "", LOG_LEVEL_UNKNOWN },
	};
	struct log_line line;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		make(&line, lines[i].text, strlen(lines[i].text));
		if (line.level != lines[i].level)
			fail_msg("%s: %s", lines[i].text, log_level_name(line.level));
		log_line_fini(&line);
	}
	expect("\x1b[31mERROR\x1b[0m x", "{2,0,:ERROR} x");
}

/* xorshift: the same lines in every run. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Bytes with many of those that matter. */
static size_t random_line(uint32_t *seed, char *out, size_t max)
{
	static const char *const pieces[] = { "\x1b[", "\x1b]", "\x1bP", "\x1b\\", "\x07", "m", ";",
		"38;5;1", "48:2::1:2:3", "\xC2\x9B", "\xC2\x9D", "\xC2\x9C", "\xE2\x80\xAE",
		"\xE2\x81\xA9", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98\x80", "\xCC\x81",
		"ERROR", "level=", "\t", "\r", "\0" };
	size_t len = 0, want = next_random(seed) % max, n;
	const char *piece;

	while (len < want) {
		if (next_random(seed) % 2) {
			out[len++] = (char)next_random(seed);
			continue;
		}
		piece = pieces[next_random(seed) % (sizeof(pieces) / sizeof(pieces[0]))];
		n = *piece ? strlen(piece) : 1;
		if (len + n > max)
			break;
		memcpy(out + len, piece, n);
		len += n;
	}
	return len;
}

static void assert_safe(const struct log_line *line)
{
	size_t at = 0, used, i;
	uint32_t cp;

	assert_int_equal(strlen(line->text), line->len);
	while (at < line->len) {
		used = utf8_decode(line->text + at, line->len - at, &cp);
		assert_true(used > 0);
		assert_true(cp >= 0x20 && cp != 0x7F && !(cp >= 0x80 && cp <= 0x9F));
		assert_false((cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069));
		assert_false(cp == 0x200E || cp == 0x200F || cp == 0x061C);
		assert_true(utf8_width(cp) >= 0);
		at += used;
	}
	for (i = 0; i < line->n_spans; i++) {
		assert_true(line->spans[i].start < line->spans[i].end);
		assert_true(line->spans[i].end <= line->len);
		assert_true(i == 0 || line->spans[i].start >= line->spans[i - 1].end);
		assert_true((line->text[line->spans[i].start] & 0xC0) != 0x80);
		assert_true(line->spans[i].attr.fg <= 16 && line->spans[i].attr.bg <= 16);
	}
}

static void sanitise_is_safe_for_100000_random_lines(void **state)
{
	uint32_t seed = 20250127;
	struct log_line line;
	char bytes[200], *copy;
	size_t len;
	int i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		len = random_line(&seed, bytes, sizeof(bytes));
		copy = malloc(len + 1); /* so that the sanitisers see a read beyond the end */
		memcpy(copy, bytes, len);
		make(&line, copy, len);
		free(copy);
		assert_safe(&line);
		log_line_fini(&line);
	}
}

/* Processor time for a total of LOG_LINE_MAX * 32 bytes, in lines of that length full of introducers. */
static clock_t time_of_introducers(size_t len)
{
	char *bytes = malloc(len);
	clock_t start = clock();
	struct log_line line;
	size_t i;

	for (i = 0; i + 2 <= len; i += 2)
		memcpy(bytes + i, "\x1b]", 2);
	for (i = 0; i < 32 * (size_t)LOG_LINE_MAX / len; i++) {
		make(&line, bytes, len);
		log_line_fini(&line);
	}
	free(bytes);
	return clock() - start;
}

/* An introducer must not make each of them look for its end anew: the same bytes in lines 64 times as
 * long take about the same time, not 64 times as much. */
static void sanitise_is_linear(void **state)
{
	clock_t few = time_of_introducers(LOG_LINE_MAX / 64), many = time_of_introducers(LOG_LINE_MAX);

	(void)state;
	assert_true(many < 8 * few + CLOCKS_PER_SEC / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sanitise_keeps_plain_text),
		cmocka_unit_test(sanitise_turns_sgr_into_spans),
		cmocka_unit_test(sanitise_maps_colours_to_sixteen),
		cmocka_unit_test(sanitise_drops_other_sequences),
		cmocka_unit_test(sanitise_shows_sequences_that_do_not_end),
		cmocka_unit_test(sanitise_makes_controls_visible),
		cmocka_unit_test(sanitise_bounds_marks_text_and_spans),
		cmocka_unit_test(sanitise_detects_levels),
		cmocka_unit_test(sanitise_is_safe_for_100000_random_lines),
		cmocka_unit_test(sanitise_is_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
