/*
 * libFuzzer: a log stream through splitter, sanitiser, ring and matcher. The first byte chooses the
 * chunk size and whether lines have timestamps.
 * Build with clang -fsanitize=fuzzer,address,undefined and the sources of logs and base.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/utf8.h>
#include <pgoncall/logs/match.h>
#include <pgoncall/logs/ring.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct log_line *line)
{
	size_t at, used, i;
	uint32_t cp;

	if (strlen(line->text) != line->len)
		abort();
	for (at = 0; at < line->len; at += used) {
		used = utf8_decode(line->text + at, line->len - at, &cp);
		if (!used || utf8_width(cp) < 0)
			abort();
	}
	for (i = 0; i < line->n_spans; i++)
		if (line->spans[i].start >= line->spans[i].end || line->spans[i].end > line->len ||
			(i && line->spans[i].start < line->spans[i - 1].end) ||
			line->spans[i].attr.fg > 16 || line->spans[i].attr.bg > 16)
			abort();
}

static void take_line(const struct log_raw *raw, void *arg)
{
	struct log_line line;
	struct log_match match;
	size_t i;

	log_line_init(&line, raw, 0, 0);
	check_line(&line);
	log_match_line(line.text, line.len, &match);
	for (i = 0; i < match.n_captures; i++)
		if (match.captures[i].s < line.text ||
			match.captures[i].s + match.captures[i].len > line.text + line.len)
			abort();
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
