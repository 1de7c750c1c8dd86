/*
 * Reading a source's folder where it is on this machine and no container: by a worker, without a
 * process of its own. What it may read, the order and the bounds are those of a tar stream
 * (revision_files.h). A worker cannot be stopped in a read that hangs, as on a file system whose server
 * is gone: it is left to itself, and no other is started for the source before it came back.
 */
#include "target_internal.h"

#include <stdlib.h>

#include <pgoncall/base/mem.h>

#include "revision_files.h"

struct target_here_read {
	struct target_read *read; /* NULL: its target is gone */
	bool wanted;              /* somebody waits for what it brings */
	bool again;               /* something else was asked for meanwhile: then that */
	atomic_bool cancelled;
	char *folder; /* owned, as name */
	char *name;   /* what stands before the files' names; "": nothing */
	struct revision_rules rules;
	struct revision_files files;
	struct err err;
	bool failed;
};

static void here_free(struct target_here_read *here)
{
	revision_files_fini(&here->files);
	free(here->folder);
	free(here->name);
	free(here);
}

/* In a worker: touches nothing but its own. */
static void here_work(void *arg)
{
	struct target_here_read *here = arg;

	here->failed = revision_files_add(&here->files, here->folder, here->name, &here->rules,
			       &here->err) < 0;
}

static void here_done(void *arg)
{
	struct target_here_read *here = arg;
	struct target_read *read = here->read;

	if (read) {
		read->here = NULL;
		if (here->wanted)
			target_read_take(read, &here->files, here->failed ? &here->err : NULL);
		else if (here->again)
			target_here_start(read);
	}
	here_free(here);
}

/* NULL: the files are not in a folder of this machine. To be freed. */
static char *here_folder(const struct target_read *read)
{
	const struct target *target = read->target;
	const struct migration_source *source = &target->revisions.sources.items[read->source];

	if (!target->local || !source->image)
		return NULL;
	return host_runtime_folder(
		&target->runtime, source->where, read->dirs.items[read->next_dir]);
}

bool target_here_start(struct target_read *read)
{
	struct target_here_read *here;
	char *folder = here_folder(read);

	if (!folder)
		return false;
	if (read->here) {
		read->here->again = true;
		free(folder);
		return true;
	}
	here = read->here = mem_calloc(1, sizeof(*here));
	here->read = read;
	here->wanted = true;
	here->folder = folder;
	here->name = mem_strdup(read->dirs.n > 1 ? read->dirs.items[read->next_dir] : "");
	atomic_init(&here->cancelled, false);
	here->rules = (struct revision_rules){ .recursive = read->recursive,
		.as_tar = true,
		.keep_texts = read->target->wants & TARGET_TEXTS,
		.cancelled = &here->cancelled };
	loop_work(read->target->loop, here_work, here_done, here);
	return true;
}

void target_here_stop(struct target_read *read)
{
	if (!read->here)
		return;
	read->here->wanted = read->here->again = false;
	atomic_store(&read->here->cancelled, true);
}

void target_here_leave(struct target_read *read)
{
	target_here_stop(read);
	if (read->here)
		read->here->read = NULL;
	read->here = NULL;
}
