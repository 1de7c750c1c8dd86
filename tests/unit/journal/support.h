/*
 * For the tests of this layer: a directory of their own, a journal in it, and ways to damage it.
 */
#ifndef TESTS_UNIT_JOURNAL_SUPPORT_H
#define TESTS_UNIT_JOURNAL_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/journal/journal.h>

static const struct journal_meta meta_prod = {
	.user = "ada@desk",
	.target = "prod",
	.host = "deploy@server",
	.host_key = "SHA256:abc",
	.database = "boardofone",
	.role = "bo1",
};

static inline char *make_directory(void)
{
	char path[] = "/tmp/test_journal.XXXXXX";

	return mkdtemp(path) ? mem_printf("%s/state/journal", path) : NULL;
}

static inline void remove_directory(char *directory)
{
	char *command = mem_printf(
		"rm -rf '%.*s'", (int)(strlen(directory) - strlen("/state/journal")), directory);

	if (system(command) != 0)
		abort();
	free(command);
	free(directory);
}

static inline struct journal *open_journal(const char *directory, const char *incident)
{
	struct journal_meta meta = meta_prod;
	struct journal *journal;
	struct err err;

	meta.incident = incident;
	if (journal_open(directory, &meta, &journal, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return journal;
}

/* Writes an event with a command and its intent's number; returns its seq. */
static inline int64_t put(struct journal *journal, enum journal_event event, int64_t intent,
	const char *command, const char *text)
{
	struct journal_entry entry = JOURNAL_ENTRY_INIT;

	entry.event = event;
	entry.intent = intent;
	entry.command = command;
	entry.text = text;
	return journal_write(journal, &entry, NULL);
}

static inline void read_file(const char *path, struct buf *out)
{
	char block[4096];
	FILE *file = fopen(path, "r");
	size_t n;

	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		buf_add(out, block, n);
	fclose(file);
}

static inline void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	fwrite(bytes, 1, len, file);
	fclose(file);
}

/* Runs a script with the file's path as $1. */
static inline void damage(const char *path, const char *script)
{
	char *command = mem_printf("set -- '%s'; %s", path, script);

	if (system(command) != 0)
		abort();
	free(command);
}

#endif
