/*
 * The script that ends a marked command, and its report. The script prints a line for each process:
 * "sent PID NAME", "denied PID NAME", "apart PID NAME", later "left PID", and "end" as the last.
 */
#include <pgoncall/host/stop.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

/*
 * look: state, session and start of a process; fails when it is gone. marked: it carries the mark, and
 * is the same process before and after that was read. A process is written PID:START:SESSION, oldest
 * first. There are no single quotes in it, so that it stays legible when it is quoted.
 */
static const char stop_text[] =
	"look() { { read -r l </proc/$1/stat; } 2>/dev/null || return 1\n"
	"  set -- ${l##*) }; z=$1 s=$4 b=${20}; [ $z != Z ]; }\n"
	"marked() { look $1 && a=$b && { tr \"\\0\" \"\\n\" </proc/$1/environ; } 2>/dev/null |\n"
	"  grep -qxF $m && look $1 && [ $a = $b ]; }\n"
	"find() { for f in $(grep -lsF $m /proc/[0-9]*/environ); do\n"
	"  f=${f#/proc/}; f=${f%/*}; marked $f && echo $f:$b:$s; done | sort -t: -k2n -k1n; }\n"
	"members() { for f in /proc/[0-9]*; do f=${f#/proc/}\n"
	"  look $f && [ $s = $1 ] && echo $f:$b:$s; done | sort -t: -k2n -k1n; }\n"
	"same() { look ${1%%:*} && [ $1 = ${1%%:*}:$b:$s ]; }\n"
	"tell() { n=; read -r n </proc/${2%%:*}/comm; echo \"$1 ${2%%:*} $n\"; } 2>/dev/null\n"
	"end() { case \" $had \" in *\" $1 \"*) return;; esac; had=\"$had $1\"\n"
	"  same $1 || return; tell sent $1; kill -TERM ${1%%:*} 2>/dev/null && return\n"
	"  same $1 && tell denied $1; }\n"
	"had= all=$(find); set -- $all\n"
	"[ $# = 0 ] && echo end && exit\n"
	"own=${1##*:} led=; [ ${1%%:*} = $own ] && led=$(members $own)\n"
	"for p in $led $all; do\n"
	"  if [ ${p##*:} = $own ]; then end $p; else tell apart $p; fi; done\n"
	"i=0; while [ $i -lt 25 ]; do i=$((i+1)) left=\n"
	"  for p in $(find); do [ ${p##*:} = $own ] && end $p; done\n"
	"  for p in $had; do same $p && left=\"$left $p\"; done\n"
	"  [ \"$left\" ] || break; sleep 0.2 2>/dev/null || sleep 1; done\n"
	"for p in $left; do echo left ${p%%:*}; done; echo end";

void host_stop_script(const char *mark, struct buf *out)
{
	buf_add_str(out, "m=");
	buf_add_str(out, mark);
	buf_add_char(out, '\n');
	buf_add_str(out, stop_text);
}

/* --- what it printed ------------------------------------------------------------------------- */

enum stop_fate { STOP_ENDED, STOP_LEFT, STOP_DENIED, STOP_APART, STOP_FATES };

struct stop_process {
	long pid;
	char *name; /* sanitised */
	enum stop_fate fate;
};

struct stop_list {
	struct stop_process *items;
	size_t n, cap;
};

static const struct {
	const char *word;
	enum stop_fate fate;
} stop_words[] = {
	{ "sent", STOP_ENDED }, /* until it is said that it is left, or denied */
	{ "left", STOP_LEFT },
	{ "denied", STOP_DENIED },
	{ "apart", STOP_APART },
};

static struct stop_process *stop_find(struct stop_list *list, long pid)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->items[i].pid == pid)
			return &list->items[i];
	list->items = mem_grow(list->items, list->n, &list->cap, sizeof(*list->items));
	memset(&list->items[list->n], 0, sizeof(*list->items));
	list->items[list->n].pid = pid;
	return &list->items[list->n++];
}

/* "WORD PID NAME" or "WORD PID"; anything else is not ours, and ignored. A denied one is left, too. */
static void stop_take(struct stop_list *list, const char *line, size_t len)
{
	size_t i, word = strcspn(line, " \n");
	struct stop_process *process;
	struct buf name = BUF_INIT;
	char *end;
	long pid;

	if (word >= len)
		return;
	for (i = 0; i < sizeof(stop_words) / sizeof(stop_words[0]); i++)
		if (strlen(stop_words[i].word) == word &&
			memcmp(stop_words[i].word, line, word) == 0)
			break;
	pid = strtol(line + word, &end, 10);
	if (i == sizeof(stop_words) / sizeof(stop_words[0]) || pid <= 0)
		return;
	process = stop_find(list, pid);
	if (process->fate != STOP_DENIED)
		process->fate = stop_words[i].fate;
	end += *end == ' ';
	if (end < line + len && !process->name) {
		utf8_sanitise(&name, end, (size_t)(line + len - end), UTF8_ONE_LINE);
		process->name = buf_steal(&name);
	}
	buf_fini(&name);
}

static size_t stop_add(
	const struct stop_list *list, enum stop_fate fate, const char *what, struct buf *sentences)
{
	size_t i, n = 0;

	for (i = 0; i < list->n; i++) {
		if (list->items[i].fate != fate)
			continue;
		buf_printf(sentences, "%s%ld %s", n ? ", " : what, list->items[i].pid,
			list->items[i].name ? list->items[i].name : "");
		n++;
	}
	if (n)
		buf_add_char(sentences, '\n');
	return n;
}

void host_stop_read(const char *printed, struct host_stop_report *report, struct buf *sentences)
{
	struct stop_list list = { NULL, 0, 0 };
	size_t i, len;

	memset(report, 0, sizeof(*report));
	for (; *printed; printed += len + (printed[len] == '\n')) {
		len = strcspn(printed, "\n");
		report->whole = len == 3 && memcmp(printed, "end", 3) == 0;
		stop_take(&list, printed, len);
	}
	report->ended =
		stop_add(&list, STOP_ENDED, "TERM was sent there, and it ended: ", sentences);
	report->left = stop_add(
		&list, STOP_LEFT, "TERM was sent there, and it goes on after 5 s: ", sentences);
	report->denied = stop_add(&list, STOP_DENIED,
		"It goes on there, and we may not end it (another user's): ", sentences);
	report->apart = stop_add(
		&list, STOP_APART, "Left alone there, as it has a session of its own: ", sentences);
	if (!report->whole)
		buf_add_str(sentences, "What else of it runs there is not known.\n");
	else if (!list.n)
		buf_add_str(sentences, "No process of it runs there any more: nothing was sent.\n");
	for (i = 0; i < list.n; i++)
		free(list.items[i].name);
	free(list.items);
}
