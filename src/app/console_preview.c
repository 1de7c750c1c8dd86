/*
 * The SQL a revision would run, on the page about it: Alembic's offline mode in an image that has the
 * file, on request, shown as it is printed. It asks no database. Ends by itself, by Ctrl-C, or when
 * the page is left.
 */
#include "console_app.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/host/runtime.h>
#include <pgoncall/host/stream.h>
#include <pgoncall/migrations/offline.h>
#include <pgoncall/ui/pane_revisions.h>

/* env.py imports the whole application first. */
#define PREVIEW_TIMEOUT_MS 60000
#define PREVIEW_MAX        (1u << 20) /* bytes of either output; more ends it */

struct app_preview {
	struct app *app;
	struct host_stream *stream; /* NULL: it ended */
	struct loop_timer *timer;
	char *id, *where;
	bool down;
	struct buf out, err;
	bool failed;
	int64_t begun;
	char *state;
};

static void preview_show(struct app_preview *preview)
{
	struct buf part = BUF_INIT;
	struct revisions_preview shown = {
		.id = preview->id,
		.down = preview->down,
		.state = preview->state,
		.running = preview->stream != NULL,
		.failed = preview->failed,
	};

	migration_offline_part(
		buf_str(&preview->out), preview->out.len, preview->id, preview->down, &part);
	shown.text = buf_str(&part);
	console_set_preview(preview->app->console, &shown);
	app_dirty(preview->app);
	buf_fini(&part);
}

static void preview_set_state(struct app_preview *preview, bool failed, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void preview_set_state(struct app_preview *preview, bool failed, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	free(preview->state);
	preview->state = buf_steal(&text);
	preview->failed = failed;
}

static void preview_stop(struct app_preview *preview)
{
	host_stream_stop(preview->stream);
	preview->stream = NULL;
	loop_timer_stop(preview->timer);
	preview->timer = NULL;
}

/* The last line that says something. */
static char *preview_last_line(const struct buf *text)
{
	char *copy = mem_strdup(buf_str(text)), *kept = str_trim(copy), *line = strrchr(kept, '\n');
	char *last = mem_strdup(line ? line + 1 : kept);

	free(copy);
	return last;
}

static void preview_on_end(void *arg, int status, const struct err *err)
{
	struct app_preview *preview = arg;
	char *last = preview_last_line(preview->err.len ? &preview->err : &preview->out);
	double seconds = (double)(clock_monotonic() - preview->begun) / 1e9;
	struct buf part = BUF_INIT;

	preview->stream = NULL;
	preview_stop(preview);
	if (err->code != ERR_OK)
		preview_set_state(preview, true, "alembic in %s: %s", preview->where, err->text);
	else if (status != 0)
		preview_set_state(preview, true, "alembic in %s failed (exit %d): %s%s",
			preview->where, status, last,
			preview->out.len ? "; what it printed until then:" : "");
	else if (!migration_offline_part(buf_str(&preview->out), preview->out.len, preview->id,
			 preview->down, &part))
		preview_set_state(preview, false,
			"alembic in %s printed nothing for this revision alone; all it printed:",
			preview->where);
	else
		preview_set_state(preview, false,
			"printed by alembic in %s in %.1f s, without a database: what depends on "
			"data "
			"is not in it",
			preview->where, seconds);
	preview_show(preview);
	buf_fini(&part);
	free(last);
}

static void preview_on_data(void *arg, enum host_source source, const char *bytes, size_t len)
{
	struct app_preview *preview = arg;
	struct buf *into = source == HOST_STDERR ? &preview->err : &preview->out;

	if (into->len + len > PREVIEW_MAX) {
		preview_stop(preview);
		preview_set_state(preview, true, "more than 1 MiB was printed; it was ended there");
	} else {
		buf_add(into, bytes, len);
	}
	preview_show(preview);
}

static void preview_on_timeout(struct loop_timer *timer, void *arg)
{
	struct app_preview *preview = arg;

	(void)timer;
	preview_stop(preview);
	preview_set_state(preview, true, "alembic in %s did not end within %d s", preview->where,
		PREVIEW_TIMEOUT_MS / 1000);
	preview_show(preview);
}

bool app_preview_interrupt(struct app *app)
{
	struct app_preview *preview = app->preview;

	if (!preview || !preview->stream)
		return false;
	preview_stop(preview);
	preview_set_state(preview, true, "interrupted; what was printed until then:");
	preview_show(preview);
	app_message(app, CONSOLE_INFO, "the SQL preview was ended");
	return true;
}

void app_preview_fini(struct app *app)
{
	struct app_preview *preview = app->preview;

	if (!preview)
		return;
	app->preview = NULL;
	preview_stop(preview);
	free(preview->id);
	free(preview->where);
	free(preview->state);
	buf_fini(&preview->out);
	buf_fini(&preview->err);
	free(preview);
}

/* The first image that has the file; NULL: none. */
static const struct migration_source *preview_image(
	const struct app *app, const struct migration_revision *revision)
{
	const struct migration_sources *sources = target_sources(app->target);
	size_t i;

	for (i = 0; i < sources->n; i++)
		if (sources->items[i].image && revision->sources >> i & 1)
			return &sources->items[i];
	return NULL;
}

static int preview_command(const struct app *app, const struct migration_source *image,
	const struct migration_revision *revision, bool down, struct buf *command, struct err *err)
{
	struct host_runtime runtime = { .command =
						config_get(app->section, CONFIG_RUNTIME_COMMAND) };
	struct host_exec exec = { .container = image->where };
	struct strlist argv;
	int rc;

	host_runtime_parse(config_get(app->section, CONFIG_RUNTIME), &runtime.kind);
	strlist_init(&argv);
	strlist_add_words(&argv, config_get(app->section, CONFIG_ALEMBIC));
	migration_offline_args(revision, down, &argv);
	exec.argv = &argv;
	rc = host_runtime_exec(&runtime, &exec, command, err);
	strlist_fini(&argv);
	return rc;
}

static void preview_start(struct app *app, const struct migration_source *image,
	const struct migration_revision *revision, bool down, const char *command)
{
	struct app_preview *preview = mem_calloc(1, sizeof(*preview));
	struct host_stream_events events = { preview_on_data, preview_on_end, preview };

	app_preview_fini(app);
	app->preview = preview;
	preview->app = app;
	preview->id = mem_strdup(revision->id);
	preview->where = mem_strdup(image->where);
	preview->down = down;
	preview->begun = clock_monotonic();
	preview->stream = host_stream_start(
		app->loop, target_transport(app->target), command, NULL, 0, &events);
	preview->timer =
		loop_timer_start(app->loop, PREVIEW_TIMEOUT_MS, 0, preview_on_timeout, preview);
	preview_set_state(preview, false, "asking alembic in %s (Ctrl-C ends it)", image->where);
	preview_show(preview);
}

void app_preview(struct app *app, const char *id, bool down)
{
	const struct migration_graph *graph = target_graph(app->target);
	const struct migration_revision *revision = graph ? migration_graph_find(graph, id) : NULL;
	const struct migration_source *image = revision ? preview_image(app, revision) : NULL;
	struct buf command = BUF_INIT;
	struct err err;

	if (!image)
		app_message(app, CONSOLE_WARNING,
			"no image has a file of %s, so none can print its SQL", id);
	else if (!target_transport(app->target))
		app_message(app, CONSOLE_WARNING, "not connected: Alembic cannot be asked now");
	else if (preview_command(app, image, revision, down, &command, &err) < 0)
		app_message(app, CONSOLE_ERROR, "%s", err.text);
	else
		preview_start(app, image, revision, down, buf_str(&command));
	buf_fini(&command);
}
