/*
 * libFuzzer: a log stream through splitter, sanitiser, ring and matcher, and what is made of lines:
 * entries of the journal, own timestamps, JSON. The first byte chooses the chunk size and whether
 * lines have timestamps. `make fuzz` builds and runs it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/journal.h>
#include <pgoncall/logs/json.h>
#include <pgoncall/logs/match.h>
#include <pgoncall/logs/ring.h>
#include <pgoncall/logs/stamp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing in it that a terminal would take for more than a character. */
static void check_safe(const char *text, size_t len)
{
	size_t at, used;
	uint32_t cp;

	if (strlen(text) != len)
		abort();
	for (at = 0; at < len; at += used) {
		used = utf8_decode(text + at, len - at, &cp);
		if (!used || utf8_width(cp) < 0)
			abort();
	}
}

static void check_field(void *arg, const char *name, const char *value)
{
	(void)arg;
	check_safe(name, strlen(name));
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 && *value != '\n')
			abort();
}

static void check_line(const struct log_line *line)
{
	size_t i;

	check_safe(line->text, line->len);
	for (i = 0; i < line->n_spans; i++)
		if (line->spans[i].start >= line->spans[i].end || line->spans[i].end > line->len ||
			(i && line->spans[i].start < line->spans[i - 1].end) ||
			line->spans[i].attr.fg > 16 || line->spans[i].attr.bg > 16)
			abort();
}

static void take_line(const struct log_raw *raw, void *arg);

/* An entry of the journal has lines of its own; they are no entries. */
static void take_entry_line(const struct log_raw *raw, void *arg)
{
	struct log_line line;

	(void)arg;
	log_line_init(&line, raw, 0, 0);
	check_line(&line);
	log_line_fini(&line);
}

static void take_line(const struct log_raw *raw, void *arg)
{
	struct buf text = BUF_INIT;
	struct log_raw copy = *raw;
	struct log_line line;
	struct log_match match;
	size_t i;
	bool has_time;
	int64_t ns;

	log_line_init(&line, raw, 0, 0);
	check_line(&line);
	log_match_line(line.text, line.len, &match);
	for (i = 0; i < match.n_captures; i++)
		if (match.captures[i].s < line.text ||
			match.captures[i].s + match.captures[i].len > line.text + line.len)
			abort();
	if (log_stamp_read(line.text, line.len, &has_time, &ns) > line.len)
		abort();
	if (log_json_readable(line.text, line.len, &text))
		check_safe(buf_str(&text), text.len);
	log_json_fields(line.text, line.len, check_field, NULL);
	log_journal_entry(raw, take_entry_line, NULL);
	log_stamp_github(&copy, &text);
	buf_fini(&text);
	log_ring_add_take(arg, &line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log_ring *ring = log_ring_new(4096);
	struct log_splitter splitter;
	size_t chunk, n;

	if (size) {
		chunk = (size_t)(*data >> 1) + 1;
		log_splitter_init(&splitter, LOG_STDOUT, *data & 1, 512);
		for (data++, size--; size; data += n, size -= n) {
			n = size < chunk ? size : chunk;
			log_splitter_feed(&splitter, (const char *)data, n, take_line, ring);
		}
		log_splitter_flush(&splitter, take_line, ring);
		log_splitter_fini(&splitter);
	}
	log_ring_free(ring);
	return 0;
}
