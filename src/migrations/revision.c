/*
 * A revision file's identifiers out of what its module defines. Owns: what Alembic accepts as an
 * identifier, and what we tell where it would not. Does not own Python (python_module.c).
 */
#include <pgoncall/migrations/revision.h>

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/migrations/python_module.h>

enum {
	VERSION_NUM_MAX = 32 /* Alembic creates version_num as VARCHAR(32) */
};

/* Alembic 1.8 forbids "@", "-" and "+" in an id. */
static const char illegal_in_id[] = "@-+";

static const char *const state_names[] = {
	[MIGRATION_UNKNOWN] = "unknown",
	[MIGRATION_APPLIED] = "applied",
	[MIGRATION_CURRENT] = "current",
	[MIGRATION_PENDING] = "pending",
	[MIGRATION_UNDEPLOYED] = "unknown",
};

struct reading {
	const char *path;
	struct py_module module;
	struct migration_revision *out;
	struct migration_problems *problems;
};

const char *migration_state_name(enum migration_state state)
{
	return state_names[state];
}

bool migration_is_revision_file(const char *name)
{
	return str_ends(name, ".py") && !str_starts(name, ".#") && !str_starts(name, "__init__");
}

/* --- the docstring --- */

static char *trimmed_n(const char *s, size_t len)
{
	static const char space[] = " \t\r\n\v\f";

	while (len && strchr(space, s[len - 1]))
		len--;
	while (len && strchr(space, *s)) {
		s++;
		len--;
	}
	return mem_strndup(s, len);
}

/* What follows the label at the beginning of a line of the docstring; "" where there is none. */
static char *docstring_field(const char *docstring, const char *label)
{
	const char *s = docstring;

	for (; s; s = strchr(s, '\n')) {
		s += strspn(s, " \t\n");
		if (str_starts(s, label)) {
			s += strlen(label);
			return trimmed_n(s, strcspn(s, "\n"));
		}
	}
	return mem_strdup("");
}

static void read_docstring(struct reading *r)
{
	const struct py_binding *doc = py_module_find(&r->module, "__doc__");
	const char *text = r->module.docstring ? r->module.docstring : "", *end;

	if (doc && doc->value->type == PY_STR)
		text = doc->value->str;
	r->out->docstring = trimmed_n(text, strlen(text));
	end = strstr(r->out->docstring, "\n\n");
	r->out->message = end ? mem_strndup(r->out->docstring, (size_t)(end - r->out->docstring))
			      : mem_strdup(r->out->docstring);
	r->out->created = docstring_field(r->out->docstring, "Create Date:");
}

/* --- identifiers --- */

/* `guessed`: the docstring told something instead. */
static void note_dynamic(struct reading *r, const char *name, int line, bool guessed)
{
	r->out->dynamic = true;
	if (r->module.error_line)
		return;
	migration_problems_add(r->problems, "dynamic-value", false, r->path, line,
		"%s is computed when the file is run, so %s; compare it with `alembic history`",
		name, guessed ? "what the docstring says is shown" : "it is not known here");
}

static void note_bad_type(struct reading *r, const char *name, int line, const char *what)
{
	migration_problems_add(r->problems, "bad-value", true, r->path, line,
		"%s is of type %s; Alembic wants a string, a list of strings, or None, and fails "
		"on "
		"every command",
		name, what);
}

/* Appends a value's strings; bad-value where there is anything else. Returns whether one of them is
 * dynamic. */
static bool add_strings(struct reading *r, const char *name, const struct py_binding *b,
	const struct py_value *value, struct strlist *out)
{
	bool dynamic = false;
	size_t i;

	switch (value->type) {
	case PY_NONE:
		return false;
	case PY_STR:
		strlist_add(out, value->str);
		return false;
	case PY_OTHER:
		note_bad_type(r, name, b->line, value->what);
		return false;
	case PY_DYNAMIC:
		return true;
	case PY_LIST:
		break;
	}
	for (i = 0; i < value->n; i++) {
		if (value->items[i]->type == PY_STR)
			strlist_add(out, value->items[i]->str);
		else if (value->items[i]->type == PY_DYNAMIC)
			dynamic = true;
		else
			note_bad_type(r, name, b->line,
				value->items[i]->type == PY_OTHER ? value->items[i]->what
								  : "list within a list");
	}
	return dynamic;
}

static void read_list(struct reading *r, const char *name, struct strlist *out, int *line)
{
	const struct py_binding *b = py_module_find(&r->module, name);

	*line = b ? b->line : 0;
	if (b && add_strings(r, name, b, b->value, out))
		note_dynamic(r, name, b->line, false);
}

/* Words separated by ", " as Alembic's template writes them after "Revises:". */
static void add_revises(struct strlist *out, const char *text)
{
	size_t len;

	while (*(text += strspn(text, ", \t"))) {
		len = strcspn(text, ", \t");
		strlist_add_n(out, text, len);
		text += len;
	}
}

static void read_down_revision(struct reading *r)
{
	const struct py_binding *b = py_module_find(&r->module, "down_revision");
	char *revises;

	if (!b) {
		if (!r->module.error_line)
			migration_problems_add(r->problems, "no-down-revision", true, r->path, 0,
				"down_revision is not set, so no alembic command works; a first "
				"revision has down_revision = None");
		return;
	}
	r->out->down_line = b->line;
	if (!add_strings(r, "down_revision", b, b->value, &r->out->down))
		return;
	revises = docstring_field(r->out->docstring, "Revises:");
	note_dynamic(r, "down_revision", b->line, *revises);
	if (*revises) {
		strlist_fini(&r->out->down);
		add_revises(&r->out->down, revises);
	}
	free(revises);
}

/* Alembic before 0.2 had the id in the file's name: hexadecimal digits, then ".py". NULL: not so. */
static char *id_of_legacy_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strspn(name, "0123456789abcdef");

	return len && strcmp(name + len, ".py") == 0 ? mem_strndup(name, len) : NULL;
}

static char *read_unbound_id(struct reading *r)
{
	char *id = id_of_legacy_name(r->path);

	if (!id && !r->module.error_line)
		migration_problems_add(r->problems, "no-revision", true, r->path, 0,
			"`revision` is not set, so no alembic command works; a file that is no "
			"revision does not belong into this directory");
	return id;
}

static void check_id(struct reading *r, const char *id)
{
	size_t bad = strcspn(id, illegal_in_id);

	if (id[bad])
		migration_problems_add(r->problems, "bad-revision-id", true, r->path, r->out->line,
			"'%c' is not allowed in the revision id '%s', so no alembic command works",
			id[bad], id);
	else if (strlen(id) > VERSION_NUM_MAX)
		migration_problems_add(r->problems, "bad-revision-id", false, r->path, r->out->line,
			"the revision id '%s' is longer than the %d characters the version table "
			"holds, so its upgrade will fail",
			id, VERSION_NUM_MAX);
}

/* NULL where there is no id to be had. */
static char *read_id(struct reading *r)
{
	const struct py_binding *b = py_module_find(&r->module, "revision");
	char *id = NULL;

	if (!b)
		return read_unbound_id(r);
	r->out->line = b->line;
	if (b->value->type == PY_STR) {
		id = mem_strdup(b->value->str);
	} else if (b->value->type == PY_DYNAMIC) {
		id = docstring_field(r->out->docstring, "Revision ID:");
		note_dynamic(r, "revision", b->line, *id);
	} else {
		note_bad_type(r, "revision", b->line,
			b->value->type == PY_OTHER  ? b->value->what
			: b->value->type == PY_NONE ? "None"
						    : "list");
	}
	if (str_empty(id)) {
		if (b->value->type == PY_STR)
			migration_problems_add(r->problems, "bad-revision-id", true, r->path,
				b->line, "`revision` is the empty string");
		free(id);
		return NULL;
	}
	check_id(r, id);
	return id;
}

/* --- the rest --- */

/* upgrade = something, or imported: there is one, and what it does is not known. */
static void read_function(struct reading *r, const char *name,
	const struct migration_function *found, struct migration_function *out)
{
	const struct py_binding *b = py_module_find(&r->module, name);

	*out = *found;
	if (b && (!found->present || b->line != found->line)) {
		out->present = true;
		out->empty = false;
		out->line = out->last_line = b->line;
	}
}

/* Tells files apart, not attackers: FNV-1a over words of eight bytes, mixed. */
static uint64_t digest_of(const char *text, size_t len)
{
	uint64_t digest = 0xcbf29ce484222325u ^ len, word;
	size_t step;

	for (; len; text += step, len -= step) {
		word = 0;
		step = len < sizeof(word) ? len : sizeof(word);
		memcpy(&word, text, step);
		digest = (digest ^ word) * 0x100000001b3u;
		digest ^= digest >> 29;
	}
	return digest;
}

int migration_revision_parse(const char *path, const char *text, size_t len,
	struct migration_revision *out, struct migration_problems *problems)
{
	struct reading r = { .path = path, .out = out, .problems = problems };

	memset(out, 0, sizeof(*out));
	py_module_init(&r.module, text, len);
	if (r.module.error_line)
		migration_problems_add(problems, "parse-error", true, path, r.module.error_line,
			"SyntaxError: %s; no alembic command works while this file is there",
			r.module.error);
	out->path = mem_strdup(path);
	out->digest = digest_of(text, len);
	read_docstring(&r);
	out->id = read_id(&r);
	if (out->id) {
		read_down_revision(&r);
		read_list(&r, "depends_on", &out->depends_on, &out->depends_line);
		read_list(&r, "branch_labels", &out->labels, &out->labels_line);
		read_function(&r, "upgrade", &r.module.upgrade, &out->upgrade);
		read_function(&r, "downgrade", &r.module.downgrade, &out->downgrade);
	}
	py_module_fini(&r.module);
	if (out->id)
		return 0;
	migration_revision_fini(out);
	return -1;
}

void migration_revision_fini(struct migration_revision *revision)
{
	free(revision->path);
	free(revision->id);
	free(revision->message);
	free(revision->docstring);
	free(revision->created);
	free(revision->text);
	free(revision->commit);
	strlist_fini(&revision->branches);
	strlist_fini(&revision->down);
	strlist_fini(&revision->depends_on);
	strlist_fini(&revision->labels);
	memset(revision, 0, sizeof(*revision));
}

void migration_revision_keep(struct migration_revision *revision, const char *text, size_t len)
{
	free(revision->text);
	revision->text = mem_strndup(text, len);
}

void migration_revision_copy(struct migration_revision *to, const struct migration_revision *from)
{
	memset(to, 0, sizeof(*to));
	to->path = mem_strdup(from->path);
	to->id = mem_strdup(from->id);
	strlist_copy(&to->down, &from->down);
	strlist_copy(&to->depends_on, &from->depends_on);
	strlist_copy(&to->labels, &from->labels);
	to->message = mem_strdup(from->message);
	to->docstring = mem_strdup(from->docstring);
	to->created = mem_strdup(from->created);
	to->line = from->line;
	to->down_line = from->down_line;
	to->depends_line = from->depends_line;
	to->labels_line = from->labels_line;
	to->dynamic = from->dynamic;
	to->told = from->told;
	to->digest = from->digest;
	to->text = mem_strdup_opt(from->text);
	to->upgrade = from->upgrade;
	to->downgrade = from->downgrade;
}
