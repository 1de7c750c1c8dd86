/*
 * The git checkout that `repository` names, on this machine: its revision files, and which commit added
 * each. A checkout may come from anywhere, so git runs nothing that its configuration or its attributes
 * name: no hook, filter, pager, signature program, file system monitor, external diff or remote.
 */
#include "target_internal.h"

#include <stdlib.h>
#include <string.h>

#include <pgoncall/base/mem.h>
#include <pgoncall/host/local.h>
#include <pgoncall/host/quote.h>

#define LOG_TIMEOUT_MS 20000
#define LOG_MAX_OUTPUT (16u << 20)

static const char *const git_safely[] = { "env", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0",
	"GIT_NO_LAZY_FETCH=1", "GIT_ATTR_NOSYSTEM=1", "LC_ALL=C.UTF-8", "git", "--no-pager",
	"--no-optional-locks", "--no-replace-objects", "--literal-pathspecs", "-c",
	"core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false",
	"-c", "core.sshCommand=false", "-c", "protocol.allow=never", "-c",
	"log.showSignature=false", "-c", "log.follow=false", NULL };

static const char *const git_log[] = { "log", "--no-show-signature", "--no-ext-diff",
	"--no-textconv", "--no-renames", "--no-color", "--no-notes", "--no-mailmap",
	"--diff-filter=A", "--name-only", "--format=" MIGRATION_GIT_FORMAT, "--", NULL };

/* "~/x" as a shell would. To be freed. */
static char *checkout_path(const struct target *target)
{
	const char *path = config_get(target->section, CONFIG_REPOSITORY);
	const char *home = getenv("HOME");

	return str_starts(path, "~/") && home ? mem_printf("%s%s", home, path + 1)
					      : mem_strdup(path);
}

/* Where in the checkout the directory may be: as it is called, or, where that is the path in an image,
 * without its leading parts. */
static void checkout_candidates(const char *directory, struct strlist *out)
{
	const char *at = directory;

	if (*directory != '/')
		strlist_add(out, directory);
	while (*directory == '/' && at) {
		at += strspn(at, "/");
		if (*at)
			strlist_add(out, at);
		at = strchr(at, '/');
	}
}

int target_checkout_files(
	const struct target *target, const char *directory, struct buf *out, struct err *err)
{
	char *path = checkout_path(target);
	struct strlist candidates;

	(void)err;
	strlist_init(&candidates);
	checkout_candidates(directory, &candidates);
	buf_add_str(out, "cd ");
	host_quote_word(out, path);
	buf_add_str(out, " && for d in");
	host_command_add_list(out, &candidates);
	buf_add_str(out, "; do [ -d \"./$d\" ] && exec tar -C \"./$d\" -cf - .; done; echo ");
	host_quote_word(out, "the checkout has no such directory");
	buf_add_str(out, " >&2; exit 1");
	strlist_fini(&candidates);
	free(path);
	return 0;
}

static void checkout_on_log(void *arg, const struct host_output *output, const struct err *err)
{
	struct target *target = arg;
	struct target_revisions *r = &target->revisions;
	struct err why;

	r->log_run = NULL;
	free(r->sources.log_error);
	r->sources.log_error = NULL;
	if (host_output_check(output, err, "git log", &why) < 0)
		r->sources.log_error = mem_strdup(why.text);
	else if (output->out.len)
		migration_sources_set_log(&r->sources, output->out.data, output->out.len);
	target_migrations_tell(target);
}

static void checkout_read_log(struct target *target)
{
	struct host_run_options options = { .timeout_ms = LOG_TIMEOUT_MS,
		.max_output = LOG_MAX_OUTPUT };
	char *path = checkout_path(target);
	struct strlist dirs, candidates;
	struct buf command = BUF_INIT;
	size_t i;

	strlist_init(&dirs);
	strlist_init(&candidates);
	strlist_add_words(&dirs, config_get(target->section, CONFIG_MIGRATIONS));
	for (i = 0; i < dirs.n; i++)
		checkout_candidates(dirs.items[i], &candidates);
	host_command_add_argv(&command, git_safely);
	host_command_add(&command, "-C");
	host_command_add(&command, path);
	host_command_add_argv(&command, git_log);
	host_command_add_list(&command, &candidates);
	target->revisions.log_run = host_run_start(target->loop, target->revisions.here,
		buf_str(&command), &options, checkout_on_log, target);
	strlist_fini(&dirs);
	strlist_fini(&candidates);
	buf_fini(&command);
	free(path);
}

static struct target_read *checkout_read(struct target *target)
{
	struct target_revisions *r = &target->revisions;

	return r->sources.n && !r->sources.items[r->sources.n - 1].image
		       ? &r->reads[r->sources.n - 1]
		       : NULL;
}

static void checkout_on_up(void *arg)
{
	struct target *target = arg;

	target->revisions.here_up = true;
	target_checkout_start(target);
}

/* Needs no link: it is read while that is being made. */
void target_checkout_start(struct target *target)
{
	struct transport_events events = { .on_up = checkout_on_up, .arg = target };
	struct target_revisions *r = &target->revisions;

	if (!checkout_read(target))
		return;
	if (!r->here) {
		r->here = local_transport_open(target->loop, &events);
	} else if (r->here_up) {
		target_read_start(checkout_read(target));
		if (!r->log_run)
			checkout_read_log(target);
	}
}

void target_checkout_stop(struct target *target)
{
	struct target_revisions *r = &target->revisions;

	host_run_cancel(r->log_run);
	r->log_run = NULL;
	if (checkout_read(target)) {
		host_run_cancel(checkout_read(target)->run);
		checkout_read(target)->run = NULL;
	}
	if (r->here)
		r->here->ops->close(r->here);
	r->here = NULL;
	r->here_up = false;
}
