/*
 * What of a stream begun again is new; see the header.
 */
#include <pgoncall/logs/resume.h>

#include <pgoncall/base/clock.h>

/* stdout and stderr of one container come over two channels: one may lag that far behind. */
#define LAG_NS (5 * CLOCK_NS_PER_S)

void log_resume_begin(struct log_resume *resume)
{
	int i;

	for (i = 0; i < 2; i++) {
		resume->of[i].until_ns = resume->of[i].last_ns;
		resume->of[i].skip = resume->of[i].at_last;
	}
}

bool log_resume_is_new(struct log_resume *resume, const struct log_raw *raw)
{
	int i = raw->stream == LOG_STDERR;

	if (!raw->has_time)
		return true;
	if (resume->of[i].until_ns && raw->time_ns < resume->of[i].until_ns)
		return false;
	if (resume->of[i].skip && raw->time_ns == resume->of[i].until_ns) {
		resume->of[i].skip--;
		return false;
	}
	if (raw->time_ns > resume->of[i].last_ns) {
		resume->of[i].last_ns = raw->time_ns;
		resume->of[i].at_last = 0;
	}
	resume->of[i].at_last += raw->time_ns == resume->of[i].last_ns;
	return true;
}

int64_t log_resume_last(const struct log_resume *resume)
{
	int64_t a = resume->of[0].last_ns, b = resume->of[1].last_ns;

	return a > b ? a : b;
}

int64_t log_resume_since(const struct log_resume *resume)
{
	int64_t a = resume->of[0].last_ns, b = resume->of[1].last_ns, newest = a > b ? a : b;
	int64_t oldest = a && b && a < b ? a : b && a ? b : newest;

	return oldest > newest - LAG_NS ? oldest : newest - LAG_NS;
}

/* FNV-1a. */
uint64_t log_tail_hash(const char *text, size_t len)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

void log_tail_add(struct log_tail *tail, uint64_t hash)
{
	tail->hashes[tail->n++ % LOG_TAIL_LINES] = hash;
}

size_t log_tail_overlap(const struct log_tail *tail, const uint64_t *fresh, size_t n)
{
	size_t known = tail->n < LOG_TAIL_LINES ? tail->n : LOG_TAIL_LINES, k, i;

	for (k = n; k > 0; k--) {
		for (i = 0; i < known && i < k; i++)
			if (tail->hashes[(tail->n - 1 - i) % LOG_TAIL_LINES] != fresh[k - 1 - i])
				break;
		if (i == known || i == k)
			return i ? k : 0;
	}
	return 0;
}
