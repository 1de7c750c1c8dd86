/*
 * The revisions of a target: the files of each source read as tar streams, or, on this machine, from
 * their folder (target_here.c), parsed into a graph each, merged, and marked from the version rows of
 * each snapshot. Where an identifier is computed when a file is run, Alembic in the app's container is
 * asked. The checkout's own commands are target_checkout.c's.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/quote.h>
#include <pgoncall/host/tar.h>
#include <pgoncall/migrations/settings.h>
#include <pgoncall/migrations/told.h>

#include "revision_files.h"

#define FILES_TIMEOUT_MS 20000
/* Alembic imports the whole application first. */
#define TOLD_TIMEOUT_MS 30000
/* Bytes of what a command says on stderr. */
#define COMPLAINT_MAX 4096
/* How often files are read again while the database has a revision that none of them knows. */
#define FILES_AGAIN_NS (10 * CLOCK_NS_PER_S)

static void read_begin(struct target_read *read);
static void read_next(struct target_read *read);

static struct migration_source *read_source(const struct target_read *read)
{
	return &read->target->revisions.sources.items[read->source];
}

static bool read_is_busy(const struct target_read *read)
{
	return read->run || read->found;
}

static struct transport *read_transport(const struct target_read *read)
{
	const struct target *target = read->target;

	if (!read_source(read)->image)
		return target->revisions.here_up ? target->revisions.here : NULL;
	return target->main.up ? target->main.transport : NULL;
}

/* --- telling --------------------------------------------------------------------------------- */

bool target_migrations_settled(const struct target *target)
{
	const struct target_revisions *r = &target->revisions;
	size_t i;

	for (i = 0; i < r->sources.n; i++)
		if (!r->reads[i].settled)
			return false;
	if (r->log_run)
		return false;
	return r->sources.n ? r->legacy.settled : r->error != NULL;
}

/* The first image's reason stands for all. */
static void migrations_note_error(struct target *target)
{
	struct target_revisions *r = &target->revisions;
	size_t i;

	if (!r->sources.n)
		return;
	free(r->error);
	r->error = NULL;
	for (i = 0; i < r->sources.n && !r->sources.merged && !r->error; i++)
		r->error = mem_strdup_opt(r->sources.items[i].error);
}

void target_migrations_tell(struct target *target)
{
	migrations_note_error(target);
	if (target->events.on_migrations)
		target->events.on_migrations(target->events.arg);
}

static void read_forget(struct target_read *read)
{
	size_t i;

	for (i = 0; i < read->n; i++)
		migration_revision_fini(&read->found[i]);
	if (read->found)
		migration_problems_fini(&read->problems);
	free(read->found);
	migration_compiled_fini(&read->compiled);
	read->found = NULL;
	read->n = read->cap = 0;
}

/* A source's reading came to its end. */
static void read_settle(
	struct target_read *read, struct migration_graph *graph_take, const char *error)
{
	struct target *target = read->target;

	migration_sources_set(&target->revisions.sources, read->source, graph_take, error);
	read->settled = true;
	target_migrations_mark(target);
	target_migrations_tell(target);
}

static void read_fail(struct target_read *read, const struct err *why)
{
	read_forget(read);
	read_settle(read, NULL, why->text);
}

/* --- what Alembic itself says ---------------------------------------------------------------- */

static void read_on_told(void *arg, const struct host_output *output, const struct err *err)
{
	struct target_read *read = arg;
	struct target *target = read->target;
	struct migration_source *source = read_source(read);
	struct migration_graph *filled = NULL;
	struct migration_told told;
	char *who = mem_printf("alembic in %s", source->where);
	struct err why;

	read->run = NULL;
	if (host_output_check(output, err, "alembic history", &why) == 0) {
		migration_told_init(
			&told, output->out.data ? output->out.data : "", output->out.len);
		filled = migration_told_apply(source->graph, &told, who);
		migration_told_fini(&told);
	} else {
		migration_graph_mark(source->graph, NULL);
		migration_problems_add(&source->graph->problems, "dynamic-value", false, "", 0,
			"%s could not be asked for what is computed or compiled: %s", who, why.text);
		migration_graph_keep_problems(source->graph);
	}
	free(who);
	/* The same graph again, where nothing was told: its new problem is to be shown. */
	if (!filled) {
		filled = source->graph;
		source->graph = NULL;
		if (target->revisions.sources.merged == filled)
			target->revisions.sources.merged = NULL;
	}
	read_settle(read, filled, NULL);
}

/* Returns whether Alembic was asked. */
static bool read_ask_alembic(struct target_read *read)
{
	struct target *target = read->target;
	const struct migration_source *source = read_source(read);
	struct host_run_options options = { .timeout_ms = TOLD_TIMEOUT_MS };
	struct host_exec exec = { .container = source->where };
	struct buf command = BUF_INIT;
	struct strlist argv;
	struct err err;

	if (!source->image || !source->graph || !migration_told_is_wanted(source->graph))
		return false;
	strlist_init(&argv);
	strlist_add_words(&argv, config_get(target->section, CONFIG_ALEMBIC));
	strlist_add(&argv, "history");
	strlist_add(&argv, "--verbose");
	exec.argv = &argv;
	if (host_runtime_exec(&target->runtime, &exec, &command, &err) == 0)
		read->run = host_run_start(target->loop, target->main.transport, buf_str(&command),
			&options, read_on_told, read);
	strlist_fini(&argv);
	buf_fini(&command);
	return read->run != NULL;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool read_want(void *arg, const char *path)
{
	const char *name = strrchr(path, '/');
	struct target_read *read = arg;

	migration_compiled_note(&read->compiled, path, read->recursive);
	return migration_is_revision_file(name ? name + 1 : path);
}

/* Alembic never looks into these, also where it goes through folders. */
static bool is_in_cache(const char *path)
{
	return str_starts(path, "__pycache__/") || strstr(path, "/__pycache__/");
}

static void read_parse(struct target_read *read, const struct host_tar_file *file)
{
	const char *dir = read->dirs.n > 1 ? read->dirs.items[read->next_dir] : "";
	char *path = mem_printf("%s%s%s", dir, *dir ? "/" : "", file->path);

	read->found = mem_grow(read->found, read->n, &read->cap, sizeof(*read->found));
	if (migration_revision_parse(
		    path, file->data, file->len, &read->found[read->n], &read->problems) == 0) {
		if (read->target->wants & TARGET_TEXTS)
			migration_revision_keep(&read->found[read->n], file->data, file->len);
		read->n++;
	}
	free(path);
}

static void read_on_file(void *arg, const struct host_tar_file *file)
{
	struct target_read *read = arg;

	if (is_in_cache(file->path))
		return;
	if (strchr(file->path, '/') && !read->recursive)
		read->in_folders = true;
	else
		read_parse(read, file);
}

static void read_end(struct target_read *read)
{
	struct migration_graph *graph;

	migration_compiled_report(
		&read->compiled, read->sourceless, read->found, read->n, &read->problems);
	graph = migration_graph_new_take(read->found, read->n, &read->problems);

	read->found = NULL;
	read->n = 0;
	read_forget(read);
	read->target->revisions.read_at = clock_monotonic();
	migration_sources_set(&read->target->revisions.sources, read->source, graph, NULL);
	if (read_ask_alembic(read)) {
		/* Shown at once, settled when the answer came. */
		target_migrations_mark(read->target);
		target_migrations_tell(read->target);
		return;
	}
	read->settled = true;
	target_migrations_mark(read->target);
	target_migrations_tell(read->target);
}

/* Whether folders below count stands in Alembic's own settings; both files may be absent. */
static void read_on_settings(void *arg, const struct host_output *output, const struct err *err)
{
	struct target_read *read = arg;
	struct migration_settings settings;

	read->run = NULL;
	if (err->code == ERR_OK && output->out.len) {
		migration_settings_init(&settings, output->out.data, output->out.len);
		read->recursive = settings.recursive;
		read->sourceless = settings.sourceless ? MIGRATION_SOURCELESS_YES
						       : MIGRATION_SOURCELESS_NO;
		migration_settings_fini(&settings);
	}
	if (read->recursive) {
		read_begin(read);
	} else {
		read->next_dir++;
	}
	read_next(read);
}

static bool read_ask_settings(struct target_read *read)
{
	static const char script[] = "cat alembic.ini pyproject.toml 2>/dev/null || :";
	struct target *target = read->target;
	const struct migration_source *source = read_source(read);
	struct host_run_options options = { .timeout_ms = FILES_TIMEOUT_MS };
	struct host_exec exec = { .container = source->where };
	struct buf command = BUF_INIT;
	struct strlist argv;
	struct err err;

	strlist_init(&argv);
	strlist_add(&argv, "sh");
	strlist_add(&argv, "-c");
	strlist_add(&argv, script);
	exec.argv = &argv;
	read->asked_settings = true;
	if (!source->image) {
		buf_printf(&command, "cd ");
		host_quote_word(&command, source->where);
		buf_printf(&command, " && %s", script);
		read->run = host_run_start(target->loop, read_transport(read), buf_str(&command),
			&options, read_on_settings, read);
	} else if (host_runtime_exec(&target->runtime, &exec, &command, &err) == 0) {
		read->run = host_run_start(target->loop, read_transport(read), buf_str(&command),
			&options, read_on_settings, read);
	}
	strlist_fini(&argv);
	buf_fini(&command);
	return read->run != NULL;
}

static void read_close_stream(struct target_read *read)
{
	target_here_stop(read);
	host_stream_stop(read->stream);
	read->stream = NULL;
	loop_timer_stop(read->timer);
	read->timer = NULL;
	host_tar_feed_fini(&read->feed);
	buf_fini(&read->complaint);
}

/* From the first directory on. */
static void read_again(struct target_read *read)
{
	read_close_stream(read);
	read_begin(read);
	read_next(read);
}

/* The stream broke off, or holds what cannot be read. */
static void read_break(struct target_read *read, const struct err *why)
{
	if (read->feed.lost_link && !read->hold) {
		read->hold = true;
		read_again(read);
		return;
	}
	read_close_stream(read);
	read_fail(read, why);
}

static void read_on_data(void *arg, enum host_source source, const char *bytes, size_t len)
{
	struct target_read *read = arg;
	struct err err;

	if (source == HOST_STDERR) {
		if (read->complaint.len < COMPLAINT_MAX)
			buf_add(&read->complaint, bytes, len);
	} else if (host_tar_feed_add(&read->feed, bytes, len, &err) < 0) {
		read_break(read, &err);
	}
}

static bool read_has_compiled(const struct target_read *read)
{
	return migration_compiled_count(
		       &read->compiled, read->found, read->n, &read->problems) > 0;
}

static void read_end_directory(struct target_read *read)
{
	read_close_stream(read);
	/* Whether folders below count was not known: from the beginning, once it is. Nor whether
	 * compiled files do. */
	if (!read->asked_settings && (read->in_folders || read_has_compiled(read)) &&
		read_ask_settings(read))
		return;
	read->next_dir++;
	read_next(read);
}

static void read_on_end(void *arg, int status, const struct err *err)
{
	struct target_read *read = arg;
	struct host_output output = { .status = status, .err = read->complaint };
	struct err why;

	read->stream = NULL;
	if (host_output_check(&output, err, read->what, &why) < 0 ||
		host_tar_feed_end(&read->feed, &why) < 0) {
		read_break(read, &why);
		return;
	}
	read_end_directory(read);
}

/* Behind those of the directories before. */
static void read_append(struct target_read *read, struct revision_files *files)
{
	if (!read->n && files->n) {
		free(read->found);
		read->found = files->revisions;
		files->revisions = NULL;
	} else if (files->n) {
		read->found =
			mem_realloc(read->found, read->n + files->n, sizeof(*read->found));
		memcpy(read->found + read->n, files->revisions,
			files->n * sizeof(*files->revisions));
	}
	read->n += files->n;
	if (files->n)
		read->cap = read->n;
	files->n = 0;
}

void target_read_take(
	struct target_read *read, struct revision_files *files, const struct err *why)
{
	struct err err;

	if (why) {
		err_set(&err, why->code, "%s: %s", read->what, why->text);
		read_break(read, &err);
		return;
	}
	read_append(read, files);
	migration_problems_append(&read->problems, &files->problems);
	migration_compiled_append(&read->compiled, &files->compiled);
	read->in_folders |= files->left_out;
	read_end_directory(read);
}

static void read_on_timeout(struct loop_timer *timer, void *arg)
{
	struct target_read *read = arg;
	struct err err;

	(void)timer;
	err_set(&err, ERR_TIMEOUT, "%s: no end within %d s", read->what, FILES_TIMEOUT_MS / 1000);
	read_break(read, &err);
}

static void read_open_stream(struct target_read *read, const char *command)
{
	struct host_stream_events events = { read_on_data, read_on_end, read };

	snprintf(read->what, sizeof(read->what), "reading %s of %s",
		read->dirs.items[read->next_dir], read_source(read)->where);
	host_tar_feed_init(&read->feed, read->what, read_want, read_on_file, read);
	read->feed.hold = read->hold;
	read->timer =
		loop_timer_start(read->target->loop, FILES_TIMEOUT_MS, 0, read_on_timeout, read);
	if (target_here_start(read))
		return;
	read->stream = host_stream_start(
		read->target->loop, read_transport(read), command, NULL, 0, &events);
}

/* The next directory, or the end. */
static void read_next(struct target_read *read)
{
	struct target *target = read->target;
	const struct migration_source *source = read_source(read);
	struct buf command = BUF_INIT;
	const char *dir;
	struct err err;
	int rc;

	if (read->next_dir == read->dirs.n) {
		read_end(read);
		return;
	}
	dir = read->dirs.items[read->next_dir];
	rc = source->image
		     ? host_runtime_files(&target->runtime, source->where, dir, &command, &err)
		     : target_checkout_files(target, dir, &command, &err);
	if (rc < 0)
		read_fail(read, &err);
	else
		read_open_stream(read, buf_str(&command));
	buf_fini(&command);
}

/* What was found is held while it is read. */
static void read_begin(struct target_read *read)
{
	read_forget(read);
	migration_problems_init(&read->problems);
	read->found = mem_grow(NULL, 0, &read->cap, sizeof(*read->found));
	read->next_dir = 0;
	read->in_folders = false;
}

void target_read_start(struct target_read *read)
{
	if (read_is_busy(read) || !read_transport(read))
		return;
	read_begin(read);
	read->asked_settings = false;
	read->sourceless = MIGRATION_SOURCELESS_UNKNOWN;
	read_next(read);
}

/* --- the sources ----------------------------------------------------------------------------- */

static void add_source(struct target *target, const char *name, bool image, const char *where)
{
	struct target_revisions *r = &target->revisions;
	struct target_read *read = &r->reads[r->sources.n];

	if (!*where)
		return;
	read->target = target;
	strlist_add_words(&read->dirs, config_get(target->section, CONFIG_MIGRATIONS));
	read->source = migration_sources_add(&r->sources, name, image, where);
}

void target_migrations_init(struct target *target)
{
	const struct config_section *s = target->section;
	bool colours = config_is_set(s, CONFIG_APP_BLUE) || config_is_set(s, CONFIG_APP_GREEN);

	if (!(target->wants & TARGET_MIGRATIONS) || target->revisions.sources.n)
		return;
	add_source(target, "app", true, colours ? "" : config_get(s, CONFIG_APP));
	add_source(target, "blue", true, config_get(s, CONFIG_APP_BLUE));
	add_source(target, "green", true, config_get(s, CONFIG_APP_GREEN));
	if (target->wants & TARGET_SIDES)
		add_source(target, "git", false, config_get(s, CONFIG_REPOSITORY));
	target->revisions.legacy.settled =
		!(target->wants & TARGET_SIDES) || !config_is_set(s, CONFIG_SQL_MIGRATIONS);
}

void target_migrations_fini(struct target *target)
{
	struct target_revisions *r = &target->revisions;
	size_t i;

	for (i = 0; i < r->sources.n; i++) {
		host_run_cancel(r->reads[i].run);
		r->reads[i].run = NULL;
		read_close_stream(&r->reads[i]);
		target_here_leave(&r->reads[i]);
		read_forget(&r->reads[i]);
		strlist_fini(&r->reads[i].dirs);
	}
	target_checkout_stop(target);
	migration_sources_fini(&r->sources);
	target_legacy_fini(target);
	free(r->error);
	free(r->began);
}

void target_migrations_start(struct target *target)
{
	struct target_revisions *r = &target->revisions;
	size_t i;

	if (!(target->wants & TARGET_MIGRATIONS))
		return;
	target_migrations_init(target);
	if (!r->sources.n && target->main.up && !r->error) {
		r->error = mem_strdup(
			"no 'app' is configured: set it to the container with the revision files");
		target_migrations_tell(target);
		return;
	}
	for (i = 0; i < r->sources.n; i++)
		target_read_start(&r->reads[i]);
	target_checkout_start(target);
	target_legacy_start(target);
}

void target_migrations_stop(struct target *target)
{
	struct target_revisions *r = &target->revisions;
	size_t i;

	for (i = 0; i < r->sources.n; i++) {
		if (!r->sources.items[i].image)
			continue;
		host_run_cancel(r->reads[i].run);
		r->reads[i].run = NULL;
		read_close_stream(&r->reads[i]);
		read_forget(&r->reads[i]);
	}
	target_legacy_stop(target);
}

/* --- marking --------------------------------------------------------------------------------- */

static bool is_applied(const struct migration_revision *revision)
{
	return revision &&
	       (revision->state == MIGRATION_APPLIED || revision->state == MIGRATION_CURRENT);
}

/* Blocked: each migration's session waits for a lock. */
static void look_for_migration(const struct db_snapshot *snapshot, bool *runs, bool *blocked)
{
	const struct db_session *s = snapshot->sessions;
	size_t i;

	*runs = false;
	*blocked = true;
	for (i = 0; i < snapshot->n_sessions; i++) {
		if (!s[i].migration)
			continue;
		*runs = true;
		*blocked = *blocked && s[i].waits_for.mode[0];
	}
	*blocked = *blocked && *runs;
}

void target_migrations_note(struct target *target, const struct log_match *match)
{
	struct target_revisions *r = &target->revisions;

	if (match->kind != LOG_MATCH_UPGRADE && match->kind != LOG_MATCH_DOWNGRADE)
		return;
	free(r->began);
	r->began_down = match->kind == LOG_MATCH_DOWNGRADE;
	r->began = log_capture_dup(match, r->began_down ? 0 : 1);
}

/* A log keeps old lines: one counts while a migration's session lives and its end is not seen. */
struct target_running target_running(const struct target *target)
{
	const struct target_revisions *r = &target->revisions;
	const struct migration_graph *graph = r->sources.merged;
	const struct migration_revision *revision;

	if (!graph || !r->runs)
		return (struct target_running){ .id = NULL };
	revision = r->began ? migration_graph_find(graph, r->began) : NULL;
	if (revision && is_applied(revision) == r->began_down)
		return (struct target_running){ revision->id, r->began_down, true, r->blocked };
	if (graph->pending.n)
		return (struct target_running){ graph->revisions[graph->pending.items[0]].id, false,
			false, r->blocked };
	return (struct target_running){ .id = NULL };
}

void target_migrations_mark(struct target *target)
{
	struct target_revisions *r = &target->revisions;
	enum db_version_table table;
	bool changed = false, ran = r->runs, was_blocked = r->blocked, known;

	if (!target->snapshot)
		return;
	look_for_migration(target->snapshot, &r->runs, &r->blocked);
	if (!r->sources.merged)
		return;
	table = target->snapshot->version_table;
	known = table == DB_VERSION_TABLE_FOUND || table == DB_VERSION_TABLE_MISSING;
	/* While a migration holds it, what was known stands. */
	if (table != DB_VERSION_TABLE_LOCKED)
		changed = migration_sources_mark(
			&r->sources, known ? &target->snapshot->versions : NULL);
	if (r->sources.merged->unknown_rows.n && clock_monotonic() - r->read_at > FILES_AGAIN_NS)
		target_migrations_start(target);
	if (changed || ran != r->runs || was_blocked != r->blocked)
		target_migrations_tell(target);
}

/* --- accessors ------------------------------------------------------------------------------- */

const struct migration_sources *target_sources(const struct target *target)
{
	return &target->revisions.sources;
}

const char *target_version_table(const struct target *target)
{
	return target->version_table;
}

const char *target_version_note(const struct target *target)
{
	return target->version_note;
}
