/*
 * Appending to a journal. The one promise: when journal_write returns a number, the record is on
 * disk; when it does not, nothing of it is, and no later call pretends otherwise.
 */
#include <pgoncall/journal/journal.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/journal/log.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* The texts of struct journal_meta, as owned copies. */
enum meta_field {
	META_INCIDENT,
	META_USER,
	META_TARGET,
	META_HOST,
	META_HOST_KEY,
	META_DATABASE,
	META_ROLE,
	META_COUNT
};

struct journal {
	int fd;
	char *path;
	char *meta[META_COUNT];
	int64_t seq;     /* of the last record */
	off_t size;      /* up to the end of the last record: what the file is cut back to */
	bool needs_feed; /* the file ends in a line that was cut off */
	bool failed;
	struct err why; /* when failed */
	char head[JOURNAL_HASH_HEX + 1];
};

int journal_directory(struct buf *out, struct err *err)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const struct passwd *user;

	if (state && state[0] == '/') {
		buf_printf(out, "%s/pgoncall/journal", state);
		return 0;
	}
	if (!home || home[0] != '/') {
		user = getpwuid(getuid());
		home = user ? user->pw_dir : NULL;
	}
	if (!home || home[0] != '/')
		return err_set(err, ERR_SYSTEM,
			"there is no home directory for the journal: set XDG_STATE_HOME or HOME");
	buf_printf(out, "%s/.local/state/pgoncall/journal", home);
	return 0;
}

void journal_make_incident(const char *target, int64_t wall_ns, struct buf *out)
{
	time_t seconds = (time_t)(wall_ns / CLOCK_NS_PER_S);
	unsigned char random[2] = { 0, 0 };
	char stamp[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	/* Without randomness O_EXCL still finds a free name, or says so. */
	if (getrandom(random, sizeof(random), 0) < 0)
		random[0] = (unsigned char)(wall_ns / 1000);
	buf_printf(out, "%s-", stamp);
	for (; *target; target++)
		buf_add_char(out, strchr(NAME_CHARS, *target) ? *target : '_');
	buf_printf(out, "-%02x%02x", random[0], random[1]);
}

/* --- opening --------------------------------------------------------------------------------- */

static int journal_sync_directory(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_system(err, errno, "cannot write the directory %s", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Makes what is missing of the path, readable for its owner only. */
static int journal_make_directory(const char *directory, struct err *err)
{
	char *path = mem_strdup(directory), *slash = path;
	struct stat st;
	bool last = false;
	int rc = 0;

	while (!last && rc == 0) {
		slash = strchr(slash + 1, '/');
		last = !slash;
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			rc = err_system(err, errno, "cannot make the directory %s", path);
		if (slash)
			*slash = '/';
	}
	free(path);
	if (rc == 0 && (stat(directory, &st) < 0 || !S_ISDIR(st.st_mode)))
		rc = err_set(err, ERR_SYSTEM, "%s is not a directory", directory);
	return rc;
}

static bool journal_is_name(const char *incident)
{
	return *incident && *incident != '.' && !incident[strspn(incident, NAME_CHARS)];
}

/* The process that holds the file's lock, or 0: not seen from here. Format: proc(5), /proc/locks. */
static int journal_holder(int fd)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned major_number, minor_number;
	unsigned long inode;
	struct stat st;
	char line[256];
	int pid = 0, holder = 0;

	if (locks && fstat(fd, &st) == 0)
		while (!holder && fgets(line, sizeof(line), locks))
			if (sscanf(line, "%*d: FLOCK %*s WRITE %d %x:%x:%lu", &pid, &major_number,
				    &minor_number, &inode) == 4 &&
				inode == st.st_ino && major_number == major(st.st_dev) &&
				minor_number == minor(st.st_dev))
				holder = pid;
	if (locks)
		fclose(locks);
	return holder;
}

static int journal_refuse_held(const struct journal *journal, struct err *err)
{
	int holder = journal_holder(journal->fd);
	char who[32] = "";

	if (holder > 0)
		snprintf(who, sizeof(who), " (pid %d)", holder);
	return err_set(err, ERR_REFUSED,
		"another console%s is writing the journal %s: leave that one first", who,
		journal->path);
}

#define LOCK_TRIES   20
#define LOCK_WAIT_NS (10 * 1000 * 1000)

/* Whoever only looks whether it is live (journal_is_live) holds it for a moment. */
static int journal_lock(int fd)
{
	const struct timespec moment = { 0, LOCK_WAIT_NS };
	int i, rc = -1;

	for (i = 0; i < LOCK_TRIES && rc < 0; i++) {
		if (i)
			nanosleep(&moment, NULL);
		rc = flock(fd, LOCK_EX | LOCK_NB);
		if (rc < 0 && errno != EWOULDBLOCK)
			break;
	}
	return rc;
}

/* Opens the incident's file: a new one, or (meta->incident) the one that is there. */
static int journal_open_file(struct journal *journal, const char *directory,
	const struct journal_meta *meta, struct err *err)
{
	struct buf incident = BUF_INIT;
	int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, rc = 0;

	if (meta->incident) {
		buf_add_str(&incident, meta->incident);
	} else {
		journal_make_incident(meta->target ? meta->target : "", clock_wall(), &incident);
		flags |= O_EXCL;
	}
	journal->meta[META_INCIDENT] = buf_steal(&incident);
	if (!journal_is_name(journal->meta[META_INCIDENT]))
		return err_set(err, ERR_USAGE, "\"%s\" is not an incident's name",
			journal->meta[META_INCIDENT]);
	journal->path = mem_printf("%s/%s.jsonl", directory, journal->meta[META_INCIDENT]);
	journal->fd = open(journal->path, flags, 0600);
	if (journal->fd < 0)
		return err_system(err, errno, "cannot open the journal %s", journal->path);
	if (journal_lock(journal->fd) < 0)
		rc = errno == EWOULDBLOCK
			     ? journal_refuse_held(journal, err)
			     : err_system(err, errno, "cannot lock the journal %s", journal->path);
	return rc;
}

/* Goes on where the file ends. */
static int journal_resume(struct journal *journal, struct err *err)
{
	struct journal_log log;
	struct stat st;
	int rc = 0;

	if (journal_load(journal->path, &log, err) < 0)
		return -1;
	if (log.broken_line)
		rc = err_set(err, ERR_REFUSED, "%s: nothing is added to it; begin a new incident",
			log.broken.text);
	else if (fstat(journal->fd, &st) < 0)
		rc = err_system(err, errno, "cannot read the journal %s", journal->path);
	else
		journal->size = st.st_size;
	journal->seq = (int64_t)log.n;
	journal->needs_feed = log.torn_at_end;
	memcpy(journal->head, log.head, sizeof(journal->head));
	journal_log_fini(&log);
	return rc;
}

static void journal_set_meta(struct journal *journal, enum meta_field field, const char *text)
{
	if (!text)
		return;
	free(journal->meta[field]);
	journal->meta[field] = mem_strdup(text);
}

void journal_update_meta(struct journal *journal, const struct journal_meta *meta)
{
	journal_set_meta(journal, META_USER, meta->user);
	journal_set_meta(journal, META_TARGET, meta->target);
	journal_set_meta(journal, META_HOST, meta->host);
	journal_set_meta(journal, META_HOST_KEY, meta->host_key);
	journal_set_meta(journal, META_DATABASE, meta->database);
	journal_set_meta(journal, META_ROLE, meta->role);
}

int journal_open(const char *directory, const struct journal_meta *meta, struct journal **journal,
	struct err *err)
{
	struct journal *new = mem_calloc(1, sizeof(*new));
	int rc = -1;

	*journal = NULL;
	new->fd = -1;
	journal_update_meta(new, meta);
	if (journal_make_directory(directory, err) < 0 ||
		journal_open_file(new, directory, meta, err) < 0 || journal_resume(new, err) < 0)
		goto out;
	if (fchmod(new->fd, 0600) < 0) {
		err_system(err, errno, "cannot protect the journal %s", new->path);
		goto out;
	}
	if (journal_sync_directory(directory, err) < 0)
		goto out;
	*journal = new;
	new = NULL;
	rc = 0;
out:
	journal_close(new);
	return rc;
}

void journal_close(struct journal *journal)
{
	int i;

	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	for (i = 0; i < META_COUNT; i++)
		free(journal->meta[i]);
	free(journal->path);
	free(journal);
}

/* --- writing --------------------------------------------------------------------------------- */

const char *journal_incident(const struct journal *journal)
{
	return journal->meta[META_INCIDENT];
}

const char *journal_path(const struct journal *journal)
{
	return journal->path;
}

const char *journal_head(const struct journal *journal)
{
	return journal->head;
}

bool journal_ok(const struct journal *journal)
{
	return journal && !journal->failed;
}

/* The file must be as we left it: still there, and no longer than our last record. */
static int journal_check_file(const struct journal *journal, struct err *err)
{
	struct stat st;

	if (fstat(journal->fd, &st) < 0)
		return err_system(err, errno, "cannot read the journal %s", journal->path);
	if (st.st_nlink == 0)
		return err_set(err, ERR_SYSTEM, "the journal %s was removed", journal->path);
	if (st.st_size != journal->size)
		return err_set(err, ERR_SYSTEM, "the journal %s was changed by another program",
			journal->path);
	return 0;
}

/* Writes and syncs; what was written in part is cut off again. */
static int journal_append(const struct journal *journal, const struct buf *bytes, struct err *err)
{
	size_t done = 0;
	int saved = 0;
	ssize_t n;

	while (done < bytes->len && !saved) {
		n = write(journal->fd, bytes->data + done, bytes->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			saved = ENOSPC;
		else if (errno != EINTR)
			saved = errno;
	}
	if (!saved && fsync(journal->fd) < 0)
		saved = errno;
	if (!saved)
		return 0;
	err_system(err, saved, "the journal %s cannot be written", journal->path);
	if (ftruncate(journal->fd, journal->size) < 0 || fsync(journal->fd) < 0) {
		/* Then a torn line stays, which readers know as such. */
	}
	return -1;
}

static int64_t journal_fail(struct journal *journal, const struct err *why, struct err *err)
{
	if (!journal->failed) {
		journal->failed = true;
		journal->why = *why;
	}
	return err_set(err, ERR_REFUSED,
		"%s: writes are refused, reading goes on; mend it, then leave and start again: "
		"that begins a new incident",
		journal->why.text);
}

int64_t journal_write(struct journal *journal, const struct journal_entry *entry, struct err *err)
{
	const struct journal_meta meta = {
		.incident = journal->meta[META_INCIDENT],
		.user = journal->meta[META_USER],
		.target = journal->meta[META_TARGET],
		.host = journal->meta[META_HOST],
		.host_key = journal->meta[META_HOST_KEY],
		.database = journal->meta[META_DATABASE],
		.role = journal->meta[META_ROLE],
	};
	char hash[JOURNAL_HASH_HEX + 1];
	struct buf bytes = BUF_INIT;
	struct err why = { .code = ERR_OK };
	int rc;

	if (journal->failed)
		return journal_fail(journal, &journal->why, err);
	if (journal->needs_feed)
		buf_add_char(&bytes, '\n');
	journal_record_write(
		entry, &meta, journal->seq + 1, clock_wall(), journal->head, &bytes, hash);
	buf_add_char(&bytes, '\n');
	rc = journal_check_file(journal, &why);
	if (rc == 0)
		rc = journal_append(journal, &bytes, &why);
	if (rc == 0) {
		journal->size += (off_t)bytes.len;
		journal->needs_feed = false;
		memcpy(journal->head, hash, sizeof(hash));
	}
	buf_fini(&bytes);
	return rc < 0 ? journal_fail(journal, &why, err) : ++journal->seq;
}
