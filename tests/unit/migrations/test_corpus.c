/*
 * The fuzzer's corpus, run through the fuzz target without the fuzzer: what once was a finding, or
 * reached a line of its own, is tried at every check, and under the sanitisers by `make sanitize`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>

#include "../../fuzz/fuzz_revision.c"

#define CORPUS "tests/fuzz/corpus/revision"

static void corpus_gives_no_report(void **state)
{
	static uint8_t data[1 << 16];
	DIR *dir = opendir(CORPUS);
	struct dirent *entry;
	char path[512];
	size_t len;
	int n = 0;
	FILE *file;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", entry->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		len = fread(data, 1, sizeof(data), file);
		fclose(file);
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
		n++;
	}
	closedir(dir);
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus_gives_no_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
