/*
 * What the benchmarks measure with: a bounded set of numbers and its median.
 */
#ifndef PGONCALL_TESTS_BENCH_SAMPLES_H
#define PGONCALL_TESTS_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 4096

struct samples {
	double values[SAMPLES_MAX];
	size_t n;
};

/* Beyond SAMPLES_MAX nothing is added. */
void samples_add(struct samples *samples, double value);
/* 0 where there is none. Sorts the values. */
double samples_median(struct samples *samples);

/* The value that so many percent are not above; 0 where there is none. Sorts the values. */
double samples_percentile(struct samples *samples, double percent);

/* Milliseconds since a clock_monotonic reading. */
double ms_since(int64_t start_ns);

#endif
