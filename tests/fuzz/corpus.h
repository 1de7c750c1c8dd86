/*
 * A fuzzer's corpus, run through the fuzz target without the fuzzer: what once was a finding, or
 * reached a line of its own, is tried at every check, and under the sanitisers by `make sanitize`.
 * Include after the fuzz target and cmocka.
 */
#ifndef PGONCALL_TESTS_FUZZ_CORPUS_H
#define PGONCALL_TESTS_FUZZ_CORPUS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_FILE_MAX (1 << 16)

/* In memory of just its size, so that the sanitisers see a byte read too far. */
static void corpus_run_file(const char *path)
{
	static uint8_t data[CORPUS_FILE_MAX];
	FILE *file = fopen(path, "rb");
	uint8_t *exact;
	size_t len;

	assert_non_null(file);
	len = fread(data, 1, sizeof(data), file);
	fclose(file);
	exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, data, len);
	assert_int_equal(LLVMFuzzerTestOneInput(exact, len), 0);
	free(exact);
}

/* How many files there were. */
static int corpus_run(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512];
	int n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		corpus_run_file(path);
		n++;
	}
	closedir(dir);
	return n;
}

#endif
