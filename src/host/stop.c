/*
 * The script that ends a marked command, and its report. The script prints a line for each process:
 * "sent PID NAME", "denied PID NAME", "apart PID NAME", "stray PID NAME", later "left PID"; "unseen N"
 * where there was none; and "end" as the last. Where it cannot look: "lacks WHAT", and no "end".
 */
#include <pgoncall/host/stop.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>

/*
 * look: state, parent, session and start of a process; fails when it is gone. A name may hold a newline.
 * marked: it carries the mark, and is the same process before and after that was read; q is then its
 * step's shell by number, "-" where it is that shell or a fork of it. A process is written
 * PID:START:SESSION, oldest first, and find adds ":" and q. own_is: the step's session; fails when it
 * cannot be known. kids: what of that session is below a process of ours and may not be looked into.
 * There are no single quotes in it, so that it stays legible when it is quoted.
 */
static const char stop_look_text[] =
	"for t in grep tr sort xargs date; do\n"
	"  command -v $t >/dev/null || { echo lacks $t; exit; }; done\n"
	"N=\"\n\"\n"
	"look() { l=; { while read -r k; do l=\"$l$k \"; done </proc/$1/stat; } 2>/dev/null\n"
	"  set -- ${l##*) }; z=$1 u=$2 s=$4 b=${20}; [ \"$b\" ] && [ \"$z\" != Z ]; }\n"
	"look $$ && [ -r /proc/$$/environ ] || { echo lacks /proc; exit; }\n"
	/* busybox' grep reads to the first NUL only */
	"if printf \"a\\0b\" | grep -qF b; then\n"
	"  with() { printf \"%s\\n\" /proc/[0-9]*/environ | xargs grep -lsF -e $m; }\n"
	"else with() { for f in /proc/[0-9]*/environ; do\n"
	"  { tr \"\\0\" \"\\n\" <$f; } 2>/dev/null | grep -qxF -e $m && echo $f; done; }\n"
	"fi\n"
	"shut() { ! { true </proc/$1/environ; } 2>/dev/null; }\n"
	"blind() { n=0; for f in /proc/[0-9]*; do l=; { read -r l <$f/cmdline; } 2>/dev/null\n"
	"  [ \"$l\" ] && shut ${f#/proc/} && n=$((n+1)); done\n"
	"  [ -e /proc/1/stat ] || n=$((n+1)); [ $n = 0 ] || echo unseen $n; }\n";

static const char stop_text[] =
	"marked() { look $1 && a=$b && e=$N$({ tr \"\\0\" \"\\n\" </proc/$1/environ; } "
	"2>/dev/null)$N &&\n"
	"  case $e in *\"$N$m$N\"*) ;; *) false;; esac && look $1 && [ $a = $b ] || return 1\n"
	"  q=${e#*\"$N\"" HOST_STOP_SHELL "=}; [ \"$q\" != \"$e\" ] && q=${q%%\"$N\"*} || q=-\n"
	"  case $q in -) ;; \"\"|*[!0-9]*) return 1;; esac; }\n"
	"find() { for f in $(with); do\n"
	"  f=${f#/proc/}; f=${f%/*}; marked $f && echo $f:$b:$s:$q; done | sort -t: -k2n -k1n; }\n"
	"members() { for f in /proc/[0-9]*; do f=${f#/proc/}\n"
	"  look $f && [ $s = $own ] && echo $f:$b:$s; done | sort -t: -k2n -k1n; }\n"
	"own_is() { for p; do q=${p##*:} p=${p%:*}; s=${p##*:}\n"
	"  case $q in -|$s|${p%%:*}) own=$s; return;; esac; done; false; }\n"
	"kids() { for p in $(members); do shut ${p%%:*} && look ${p%%:*} &&\n"
	"  case \" $all\" in *\" $u:\"*) echo $p;; esac; done; }\n"
	"same() { look ${1%%:*} && [ $1 = ${1%%:*}:$b:$s ]; }\n"
	"tell() { n=; read -r n </proc/${2%%:*}/comm; echo \"$1 ${2%%:*} $n\"; } 2>/dev/null\n"
	"end() { case \" $had \" in *\" $1 \"*) return;; esac; had=\"$had $1\"\n"
	"  same $1 || return; tell sent $1; kill -TERM ${1%%:*} 2>/dev/null && return\n"
	"  same $1 && tell denied $1; }\n"
	"had= own= all=$(find); all=$(echo $all); set -- $all\n"
	"[ $# = 0 ] && { blind; echo end; exit; }\n"
	"own_is $all || {\n"
	"  for p; do tell stray ${p%:*}; done; echo end; exit; }\n"
	"led= kids=; for p; do [ ${p%%:*} = $own ] && led=$(members); done\n"
	"[ \"$led\" ] || kids=$(kids)\n"
	"for p in $led; do end $p; done\n"
	"for p; do p=${p%:*}\n"
	"  if [ ${p##*:} = $own ]; then end $p; else tell apart $p; fi; done\n"
	"alive() { left=; for p in $had; do same $p && left=\"$left $p\"; done; [ \"$left\" ]; }\n"
	"i=0 more=2 t=$(date +%s)\n"
	"while [ $i -lt 25 ] && [ $(($(date +%s)-t)) -lt 5 ]; do i=$((i+1))\n"
	"  if alive; then sleep 0.2 2>/dev/null || sleep 1; continue; fi\n"
	"  [ $more = 0 ] && break; more=$((more-1)) old=$had\n"
	"  for p in $(find); do p=${p%:*}; [ ${p##*:} = $own ] && end $p; done\n"
	"  [ \"$old\" = \"$had\" ] && break; done\n"
	"alive; for p in $left; do echo left ${p%%:*}; done\n"
	"for p in $kids; do same $p && tell denied $p; done; echo end";

void host_stop_script(const char *mark, struct buf *out)
{
	buf_printf(out, "m=%s\n%s%s", mark, stop_look_text, stop_text);
}

void host_stop_look_script(const char *mark, struct buf *out)
{
	buf_printf(out, "m=%s\n%s", mark, stop_look_text);
	buf_add_str(out, "all=$(with); for f in $all; do f=${f%/*}; echo at ${f#/proc/}; done\n"
			 "[ \"$all\" ] || blind; echo end");
}

/* --- what it printed ------------------------------------------------------------------------- */

enum stop_fate { STOP_ENDED, STOP_LEFT, STOP_DENIED, STOP_APART, STOP_STRAY };

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
	{ "stray", STOP_STRAY },
};

/* What is said besides. */
struct stop_rest {
	size_t unseen;   /* could not be looked into */
	bool whole;      /* it was looked to the end: it is the last line */
	struct buf lack; /* what is missing there; sanitised */
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

/* What follows `word` and a space in the line, or NULL. */
static const char *stop_after(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len > n + 1 && memcmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

/* The lines that are about no process, in both reports; false: it is another one. */
static bool stop_take_rest(struct stop_rest *rest, const char *line, size_t len)
{
	const char *after;

	rest->whole = len == 3 && memcmp(line, "end", 3) == 0;
	if ((after = stop_after(line, len, "unseen")))
		rest->unseen = strtoul(after, NULL, 10);
	else if ((after = stop_after(line, len, "lacks")))
		utf8_sanitise(&rest->lack, after, (size_t)(line + len - after), UTF8_ONE_LINE);
	return rest->whole || after;
}

static void stop_add_none(size_t unseen, struct buf *sentences)
{
	if (unseen)
		buf_printf(sentences,
			"No process of it was found there, and nothing was sent; but of other "
			"users' processes %zu or more may not be looked into.\n",
			unseen);
	else
		buf_add_str(sentences, "No process of it runs there any more: nothing was sent.\n");
}

static const struct {
	enum stop_fate fate;
	const char *what;
	const char *cut; /* where it was not looked to the end; NULL: the same */
} stop_sentences[] = {
	{ STOP_ENDED, "TERM was sent there, and it ended: ",
		"TERM was sent there, and whether it ended is not known: " },
	{ STOP_LEFT, "TERM was sent there, and it goes on after 5 s: ", NULL },
	{ STOP_DENIED, "It goes on there, and we may not end it (another user's): ", NULL },
	{ STOP_APART, "Left alone there, as it has a session of its own: ", NULL },
	{ STOP_STRAY,
		"Left alone there, as the step's shell is gone and this may be a service: ", NULL },
};

void host_stop_read(const char *printed, struct host_stop_report *report, struct buf *sentences)
{
	struct stop_rest rest = { 0, false, BUF_INIT };
	struct stop_list list = { NULL, 0, 0 };
	size_t i, len, n[sizeof(stop_sentences) / sizeof(stop_sentences[0])];

	for (; *printed; printed += len + (printed[len] == '\n')) {
		len = strcspn(printed, "\n");
		if (!stop_take_rest(&rest, printed, len))
			stop_take(&list, printed, len);
	}
	for (i = 0; i < sizeof(stop_sentences) / sizeof(stop_sentences[0]); i++)
		n[stop_sentences[i].fate] = stop_add(&list, stop_sentences[i].fate,
			!rest.whole && stop_sentences[i].cut ? stop_sentences[i].cut
							     : stop_sentences[i].what,
			sentences);
	*report = (struct host_stop_report){ .ended = n[STOP_ENDED],
		.left = n[STOP_LEFT],
		.denied = n[STOP_DENIED],
		.apart = n[STOP_APART],
		.stray = n[STOP_STRAY],
		.unseen = rest.unseen,
		.whole = rest.whole };
	if (rest.lack.len)
		buf_printf(sentences, "It cannot be looked for there: %s is missing.\n",
			buf_str(&rest.lack));
	if (!rest.whole)
		buf_add_str(sentences, list.n ? "What else of it runs there is not known.\n"
					      : "Whether it still runs there is not known.\n");
	else if (!list.n)
		stop_add_none(rest.unseen, sentences);
	for (i = 0; i < list.n; i++)
		free(list.items[i].name);
	free(list.items);
	buf_fini(&rest.lack);
}

void host_stop_look_read(const char *printed, struct buf *sentence)
{
	struct stop_rest rest = { 0, false, BUF_INIT };
	size_t len, n = 0;

	for (; *printed; printed += len + (printed[len] == '\n')) {
		len = strcspn(printed, "\n");
		if (!stop_take_rest(&rest, printed, len))
			n += stop_after(printed, len, "at") != NULL;
	}
	if (n)
		buf_printf(sentence, "still running there: %zu process%s that it started\n", n,
			n > 1 ? "es" : "");
	else if (rest.lack.len)
		buf_printf(sentence,
			"whether a process of it runs there is not known: %s is missing there\n",
			buf_str(&rest.lack));
	else if (!rest.whole)
		buf_add_str(sentence, "whether a process of it runs there is not known\n");
	else if (rest.unseen)
		buf_printf(sentence,
			"no process that it started was found there; of other users' processes "
			"%zu or more may not be looked into\n",
			rest.unseen);
	else
		buf_add_str(sentence, "no process that it started runs there any more\n");
	buf_fini(&rest.lack);
}
