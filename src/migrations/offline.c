/*
 * What Alembic prints offline: BEGIN, for each revision a comment "-- Running upgrade A -> B", its
 * statements and that of the version row, COMMIT (1.8 to 1.19). Not what is in it: print() in a
 * migration comes out among the statements.
 */
#include <pgoncall/migrations/offline.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>

void migration_offline_args(
	const struct migration_revision *revision, bool down, struct strlist *out)
{
	const char *parent = revision->down.n ? revision->down.items[0] : NULL;

	strlist_add(out, down ? "downgrade" : "upgrade");
	strlist_add(out, "--sql");
	/* An id is what a file says, and could look like an option. */
	strlist_add(out, "--");
	if (down)
		strlist_add_take(out, mem_printf("%s:%s", revision->id, parent ? parent : "base"));
	else if (parent)
		strlist_add_take(out, mem_printf("%s:%s", parent, revision->id));
	else
		strlist_add(out, revision->id);
}

/* Whether the line begins the part of a revision; *ours: of the one that is looked for. */
static bool begins_part(const char *line, size_t len, const char *id, bool down, bool *ours)
{
	static const char up_words[] = "-- Running upgrade ",
			  down_words[] = "-- Running downgrade ";
	const char *words = down ? down_words : up_words, *at, *arrow;
	size_t n = strlen(id);

	if (len < strlen("-- Running ") || strncmp(line, "-- Running ", strlen("-- Running ")) != 0)
		return false;
	*ours = false;
	if (len < strlen(words) || strncmp(line, words, strlen(words)) != 0)
		return true;
	at = line + strlen(words);
	arrow = memmem(at, (size_t)(line + len - at), "-> ", 3);
	if (!down)
		at = arrow ? arrow + 3 : line + len;
	*ours = (size_t)(line + len - at) >= n && strncmp(at, id, n) == 0 &&
		(at + n == line + len || at[n] == ',' || at[n] == ' ');
	return true;
}

/* The end of the transaction all revisions share, and empty lines. */
static void cut_end(struct buf *out)
{
	static const char commit[] = "COMMIT;";

	while (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	if (out->len < strlen(commit) || !str_ends(buf_str(out), commit))
		return;
	out->len -= strlen(commit);
	out->data[out->len] = '\0';
	while (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
}

bool migration_offline_part(
	const char *text, size_t len, const char *id, bool down, struct buf *out)
{
	const char *line = text, *end = text + len, *stop;
	bool within = false, found = false, ours;
	size_t n;

	for (; line < end; line = stop + 1) {
		stop = memchr(line, '\n', (size_t)(end - line));
		n = (size_t)((stop ? stop : end) - line);
		if (begins_part(line, n, id, down, &ours)) {
			within = ours;
			found = found || ours;
		}
		if (within) {
			buf_add(out, line, n);
			buf_add_char(out, '\n');
		}
		if (!stop)
			break;
	}
	if (!found)
		buf_add(out, text, len);
	cut_end(out);
	return found;
}
