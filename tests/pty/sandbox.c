/*
 * Owns the temporary home and the environment of programs under test. It starts nothing.
 */
#include "sandbox.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>

/* In an order in which each can be made with mkdir. */
static const char *const sandbox_dirs[] = {
	".config",
	".local",
	".local/state",
	".local/share",
	".cache",
	"run",
};

/* Taken over from the caller as they are, where set. */
static const char *const sandbox_inherited[] = {
	"PATH",

	"UBSAN_OPTIONS",
	"LSAN_OPTIONS",
	"TSAN_OPTIONS",
	"LD_LIBRARY_PATH",
};

#define N_ITEMS(a) (sizeof(a) / sizeof((a)[0]))

char *sandbox_new(struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = mem_printf("%s/pgoncall-test-XXXXXX", str_empty(tmp) ? "/tmp" : tmp);

	if (mkdtemp(dir) == NULL) {
		err_system(err, errno, "cannot make the temporary directory %s", dir);
		free(dir);
		return NULL;
	}
	for (size_t i = 0; i < N_ITEMS(sandbox_dirs); i++) {
		char *path = mem_printf("%s/%s", dir, sandbox_dirs[i]);
		int failed = mkdir(path, 0700);

		if (failed != 0)
			err_system(err, errno, "cannot make %s", path);
		free(path);
		if (failed != 0) {
			sandbox_remove_take(dir);
			return NULL;
		}
	}
	return dir;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void sandbox_remove_take(char *dir)
{
	if (dir == NULL)
		return;
	if (getenv("PGONCALL_TEST_KEEP") != NULL)
		fprintf(stderr, "kept: %s\n", dir);
	else
		nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(dir);
}

static void env_set_take(struct strlist *env, char *entry)
{
	size_t name = strcspn(entry, "=");

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->items[i], entry, name) == 0 && env->items[i][name] == '=') {
			free(env->items[i]);
			env->items[i] = entry;
			return;
		}
	}
	strlist_add_take(env, entry);
}

/* Without the bare names ("KEY" with no "="), which stand for "not set". */
static char **env_finish(struct strlist *env)
{
	char **out = mem_calloc(env->n + 1, sizeof(*out));
	size_t n = 0;

	for (size_t i = 0; i < env->n; i++) {
		if (strchr(env->items[i], '=') != NULL)
			out[n++] = env->items[i];
		else
			free(env->items[i]);
	}
	free(env->items);
	return out;
}

/* "ASAN_OPTIONS=…": the caller's, where to write, and that what is preloaded may come before it. The
 * other sanitisers share this setting. */
static char *checker_options(const char *dir)
{
	const char *given = getenv("ASAN_OPTIONS");

	return mem_printf("ASAN_OPTIONS=%s%sverify_asan_link_order=0:log_path=%s/checker",
		str_empty(given) ? "" : given, str_empty(given) ? "" : ":", dir);
}

char **sandbox_env(const char *dir, const char *const *additions)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *user = pw == NULL ? "nobody" : pw->pw_name;
	struct strlist env;

	strlist_init(&env);
	for (size_t i = 0; i < N_ITEMS(sandbox_inherited); i++) {
		const char *value = getenv(sandbox_inherited[i]);

		if (value != NULL)
			env_set_take(&env, mem_printf("%s=%s", sandbox_inherited[i], value));
	}
	env_set_take(&env, mem_printf("HOME=%s", dir));
	env_set_take(&env, mem_printf("XDG_CONFIG_HOME=%s/.config", dir));
	env_set_take(&env, mem_printf("XDG_STATE_HOME=%s/.local/state", dir));
	env_set_take(&env, mem_printf("XDG_DATA_HOME=%s/.local/share", dir));
	env_set_take(&env, mem_printf("XDG_CACHE_HOME=%s/.cache", dir));
	env_set_take(&env, mem_printf("XDG_RUNTIME_DIR=%s/run", dir));
	env_set_take(&env, mem_printf("USER=%s", user));
	env_set_take(&env, mem_printf("LOGNAME=%s", user));
	env_set_take(&env, checker_options(dir));
	env_set_take(&env, mem_printf("VALGRIND_OPTS=--log-file=%s/checker.%%p", dir));
	env_set_take(&env, mem_strdup("TERM=xterm-256color"));
	env_set_take(&env, mem_strdup("LANG=C.UTF-8"));
	env_set_take(&env, mem_strdup("TZ=UTC"));
	for (size_t i = 0; additions != NULL && additions[i] != NULL; i++)
		env_set_take(&env, mem_strdup(additions[i]));
	return env_finish(&env);
}

void sandbox_env_free(char **env)
{
	for (size_t i = 0; env != NULL && env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf text = BUF_INIT;
	char bytes[4096];
	size_t n;

	while (file != NULL && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buf_add(&text, bytes, n);
	if (file != NULL)
		fclose(file);
	return text.data == NULL ? mem_strdup("") : buf_steal(&text);
}

static bool is_report(const char *text)
{
	static const char *const words[] = {
		"ERROR: ",
		"runtime error: ",
		"Invalid ",
		"uninitialised",
		"definitely lost",
		"possibly lost",
		"ThreadSanitizer: ",
	};

	for (size_t i = 0; i < N_ITEMS(words); i++)
		if (strstr(text, words[i]) != NULL)
			return true;
	return false;
}

bool sandbox_has_report(const char *dir)
{
	char *pattern = mem_printf("%s/checker.*", dir);
	bool found = false;
	glob_t files;

	if (glob(pattern, 0, NULL, &files) == 0) {
		for (size_t i = 0; i < files.gl_pathc; i++) {
			char *text = file_read(files.gl_pathv[i]);

			if (is_report(text)) {
				fprintf(stderr, "%s\n", text);
				found = true;
			}
			free(text);
		}
		globfree(&files);
	}
	free(pattern);
	return found;
}

/* Names with a slash become absolute, because programs may be started elsewhere. */
static int add_path(struct strlist *argv, const char *name, struct err *err)
{
	char *path;

	if (strchr(name, '/') == NULL) {
		strlist_add(argv, name);
		return 0;
	}
	path = realpath(name, NULL);
	if (path == NULL)
		return err_system(err, errno, "%s cannot be started", name);
	strlist_add_take(argv, path);
	return 0;
}

int sandbox_program(struct strlist *argv, struct err *err)
{
	const char *wrapper = getenv("PGONCALL_WRAPPER");
	const char *build = getenv("BUILD");
	const char *name = getenv("PGONCALL_BIN");
	struct strlist words;
	char *path;
	int ret = 0;

	strlist_init(&words);
	strlist_add_words(&words, wrapper == NULL ? "" : wrapper);
	for (size_t i = 0; i < words.n && ret == 0; i++)
		ret = add_path(argv, words.items[i], err);
	strlist_fini(&words);
	if (str_empty(name))
		path = mem_printf("%s/pgoncall", str_empty(build) ? "build" : build);
	else
		path = mem_strdup(name);
	if (ret == 0)
		ret = add_path(argv, path, err);
	free(path);
	return ret;
}

char *sandbox_built(const char *name)
{
	const char *build = getenv("BUILD");
	char *path = mem_printf("%s/%s", str_empty(build) ? "build" : build, name);
	char *absolute = realpath(path, NULL);

	if (absolute == NULL) {
		fprintf(stderr, "%s is not there\n", path);
		abort();
	}
	free(path);
	return absolute;
}

int sandbox_slowness(void)
{
	const char *text = getenv("PGONCALL_TEST_SLOW");
	long factor;

	if (text != NULL && str_to_long(text, 1, 100, &factor) == 0)
		return (int)factor;
	return str_empty(getenv("PGONCALL_WRAPPER")) ? 1 : 10;
}
