/*
 * Reading clocks, and the ways durations are written on screen and read from configuration.
 */
#include <pgoncall/base/clock.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_read(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (int64_t)ts.tv_sec * CLOCK_NS_PER_S + ts.tv_nsec;
}

int64_t clock_monotonic(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_wall(void)
{
	return clock_read(CLOCK_REALTIME);
}

int64_t clock_boottime(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

/* A span cut into whole units; anything above some centuries is shown as that. */
struct clock_parts {
	long long days, hours, minutes, seconds;
};

static struct clock_parts clock_split(double seconds)
{
	long long total = seconds > 1e10 ? 10000000000LL : (long long)seconds;
	struct clock_parts parts;

	parts.days = total / 86400;
	parts.hours = total / 3600 % 24;
	parts.minutes = total / 60 % 60;
	parts.seconds = total % 60;
	return parts;
}

char *clock_format_age(double seconds, char *out, size_t size)
{
	struct clock_parts p;

	if (isnan(seconds) || seconds < 0) {
		snprintf(out, size, "-");
		return out;
	}
	p = clock_split(seconds);
	if (seconds < 9.95)
		snprintf(out, size, "%.1fs", seconds);
	else if (p.days)
		snprintf(out, size, "%lldd%02lldh", p.days, p.hours);
	else if (p.hours)
		snprintf(out, size, "%lldh%02lld", p.hours, p.minutes);
	else if (p.minutes)
		snprintf(out, size, "%lldm%02lld", p.minutes, p.seconds);
	else
		snprintf(out, size, "%llds", p.seconds);
	return out;
}

char *clock_format_span(double seconds, char *out, size_t size)
{
	struct clock_parts p;

	if (isnan(seconds) || seconds < 0) {
		snprintf(out, size, "an unknown time");
		return out;
	}
	p = clock_split(seconds);
	if (p.days)
		snprintf(out, size, "%lld d %lld h", p.days, p.hours);
	else if (p.hours)
		snprintf(out, size, "%lld h %lld min", p.hours, p.minutes);
	else if (p.minutes)
		snprintf(out, size, "%lld min %lld s", p.minutes, p.seconds);
	else
		snprintf(out, size, "%lld s", p.seconds);
	return out;
}

char *clock_format_time(int64_t wall_ns, char *out, size_t size)
{
	time_t t = (time_t)(wall_ns / CLOCK_NS_PER_S);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, size, "%H:%M:%S", &tm))
		snprintf(out, size, "--:--:--");
	return out;
}

char *clock_format_rfc3339(int64_t wall_ns, char *out, size_t size)
{
	time_t t = (time_t)(wall_ns / CLOCK_NS_PER_S);
	int ms = (int)(wall_ns / CLOCK_NS_PER_MS % 1000);
	char date[32];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(date, sizeof(date), "1970-01-01T00:00:00");
	snprintf(out, size, "%s.%03dZ", date, ms);
	return out;
}

static const struct {
	const char *suffix;
	int64_t ns;
} clock_units[] = {
	{ "", CLOCK_NS_PER_S },
	{ "ms", CLOCK_NS_PER_MS },
	{ "s", CLOCK_NS_PER_S },
	{ "m", 60 * CLOCK_NS_PER_S },
	{ "min", 60 * CLOCK_NS_PER_S },
	{ "h", 3600 * CLOCK_NS_PER_S },
	{ "d", 86400 * CLOCK_NS_PER_S },
};

int clock_parse_duration(const char *text, int64_t *ns)
{
	char *end;
	double value;
	size_t i;

	errno = 0;
	value = strtod(text, &end);
	if (end == text || errno || !isfinite(value) || value < 0 || value > 1e9)
		return -1;
	while (*end == ' ')
		end++;
	for (i = 0; i < sizeof(clock_units) / sizeof(clock_units[0]); i++) {
		if (strcmp(end, clock_units[i].suffix) == 0) {
			*ns = (int64_t)(value * (double)clock_units[i].ns);
			return 0;
		}
	}
	return -1;
}
