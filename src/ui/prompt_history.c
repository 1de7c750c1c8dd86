/*
 * Loading and appending the prompt's history file; see the header.
 */
#include "prompt_history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>

static void history_write_all(int fd, const char *bytes, size_t len)
{
	ssize_t put;

	while (len && (put = write(fd, bytes, len)) > 0) {
		bytes += put;
		len -= (size_t)put;
	}
}

/* Replaces the file by its last entries, through a new file: a crash leaves one or the other. */
static void history_cut(const char *path, const struct strlist *lines)
{
	char *fresh = mem_printf("%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct buf text = BUF_INIT;
	size_t i;

	if (fd >= 0) {
		for (i = 0; i < lines->n; i++)
			buf_printf(&text, "%s\n", lines->items[i]);
		history_write_all(fd, buf_str(&text), text.len);
		close(fd);
		if (rename(fresh, path) < 0)
			unlink(fresh);
	}
	buf_fini(&text);
	free(fresh);
}

void prompt_history_load(const char *path, struct strlist *lines)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, total = 0, drop, i;
	char *line = NULL;
	ssize_t len;

	if (!file)
		return;
	while ((len = getline(&line, &size, file)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line) {
			strlist_add(lines, line);
			total++;
		}
	}
	free(line);
	fclose(file);
	if (total <= PROMPT_HISTORY_MAX)
		return;
	drop = total - PROMPT_HISTORY_MAX;
	for (i = 0; i < drop; i++)
		free(lines->items[i]);
	memmove(lines->items, lines->items + drop, (lines->n - drop) * sizeof(*lines->items));
	lines->n -= drop;
	if (total > 2 * PROMPT_HISTORY_MAX)
		history_cut(path, lines);
}

static void history_make_dirs(const char *path)
{
	char *copy = mem_strdup(path), *slash;

	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0700);
		*slash = '/';
	}
	free(copy);
}

void prompt_history_append(const char *path, const char *line)
{
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
	int fd = open(path, flags, 0600);
	char *text;

	if (fd < 0) {
		history_make_dirs(path);
		fd = open(path, flags, 0600);
	}
	if (fd < 0)
		return;
	text = mem_printf("%s\n", line);
	history_write_all(fd, text, strlen(text));
	free(text);
	close(fd);
}
