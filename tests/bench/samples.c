/*
 * Medians and elapsed time; see the header.
 */
#include "samples.h"

#include <stdlib.h>

#include <pgoncall/base/clock.h>

void samples_add(struct samples *samples, double value)
{
	if (samples->n < SAMPLES_MAX)
		samples->values[samples->n++] = value;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_median(struct samples *samples)
{
	size_t half = samples->n / 2;

	if (!samples->n)
		return 0;
	qsort(samples->values, samples->n, sizeof(samples->values[0]), compare_doubles);
	if (samples->n % 2)
		return samples->values[half];
	return (samples->values[half - 1] + samples->values[half]) / 2;
}

double samples_percentile(struct samples *samples, double percent)
{
	size_t rank = (size_t)((double)samples->n * percent / 100);

	if (!samples->n)
		return 0;
	qsort(samples->values, samples->n, sizeof(samples->values[0]), compare_doubles);
	return samples->values[rank < samples->n ? rank : samples->n - 1];
}

double ms_since(int64_t start_ns)
{
	return (double)(clock_monotonic() - start_ns) / CLOCK_NS_PER_MS;
}
