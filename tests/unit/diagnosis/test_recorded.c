/*
 * Findings from recorded pictures: every file of tests/golden/diagnosis is one picture of a server,
 * written so that a person can read and change it, and below a line of dashes what must be said of
 * it. RECORD=1 writes the latter anew; read the difference before committing it.
 *
 *   server role=oncall database=boardofone max=100 reserved=3 used=12 [may_signal] [standby] …
 *   session 8123 user=bo1 app=boardofone-api state='idle in transaction' for=724 query='…'
 *   session 8140 … waits='AccessExclusive on users' wait=192 by=8123 migration
 *   prepared GID user=bo1 for=4000
 *   migrators 0
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/db/locktree.h>
#include <pgoncall/diagnosis/findings.h>

#define RECORDED "tests/golden/diagnosis"

/* Cuts the next word off the line: key=value, key='value', or a bare key with value "". */
static bool next_word(char **line, char **key, char **value)
{
	char *s = *line + strspn(*line, " \t"), end;

	if (!*s)
		return false;
	*key = s;
	s += strcspn(s, "= \t");
	*value = s + strlen(s);
	if (*s == '=') {
		*s++ = '\0';
		end = *s == '\'' ? '\'' : ' ';
		*value = end == ' ' ? s : ++s;
		s = strchr(s, end) ? strchr(s, end) : s + strlen(s);
	}
	if (*s)
		*s++ = '\0';
	*line = s;
	return true;
}

static void read_server(struct db_snapshot *snapshot, char *line)
{
	struct db_server *server = &snapshot->server;
	char *key, *value;

	while (next_word(&line, &key, &value)) {
		if (strcmp(key, "role") == 0)
			db_snapshot_set(&server->role, value);
		else if (strcmp(key, "database") == 0)
			db_snapshot_set(&server->database, value);
		else if (strcmp(key, "max") == 0)
			server->max_connections = atoi(value);
		else if (strcmp(key, "reserved") == 0)
			server->reserved_connections = atoi(value);
		else if (strcmp(key, "used") == 0)
			server->used_connections = atoi(value);
		else if (strcmp(key, "standby") == 0)
			server->standby = true;
		else if (strcmp(key, "may_signal") == 0)
			server->may_signal = true;
		else if (strcmp(key, "superuser") == 0)
			server->superuser = true;
		else
			fail_msg("server: what is %s?", key);
	}
}

static void read_waits(struct db_session *s, char *value)
{
	char *on = strstr(value, " on ");

	assert_non_null(on);
	*on = '\0';
	db_snapshot_set(&s->waits_for.mode, value);
	db_snapshot_set(&s->waits_for.relation, on + 4);
}

static void read_blockers(struct db_session *s, char *value)
{
	char *word;

	for (word = strtok(value, ","); word; word = strtok(NULL, ",")) {
		db_session_add_blocker(s, atoi(word));
		if (!atoi(word))
			strlist_add(&s->blocked_by_gids, word);
	}
}

static void read_session(struct db_session *s, char *line)
{
	char *key, *value;

	while (next_word(&line, &key, &value)) {
		if (strcmp(key, "user") == 0)
			db_snapshot_set(&s->user, value);
		else if (strcmp(key, "database") == 0)
			db_snapshot_set(&s->database, value);
		else if (strcmp(key, "app") == 0)
			db_snapshot_set(&s->application, value);
		else if (strcmp(key, "type") == 0)
			db_snapshot_set(&s->backend_type, value);
		else if (strcmp(key, "state") == 0)
			db_snapshot_set(&s->state, value);
		else if (strcmp(key, "event") == 0)
			db_snapshot_set(&s->wait_event, value);
		else if (strcmp(key, "query") == 0)
			db_snapshot_set(&s->query, value);
		else if (strcmp(key, "progress") == 0)
			db_snapshot_set(&s->progress, value);
		else if (strcmp(key, "left") == 0)
			s->progress_left_s = atof(value);
		else if (strcmp(key, "for") == 0)
			s->state_age_s = s->xact_age_s = atof(value);
		else if (strcmp(key, "xact") == 0)
			s->xact_age_s = atof(value);
		else if (strcmp(key, "waits") == 0)
			read_waits(s, value);
		else if (strcmp(key, "wait") == 0)
			s->wait_age_s = atof(value);
		else if (strcmp(key, "by") == 0)
			read_blockers(s, value);
		else if (strcmp(key, "migration") == 0)
			s->migration = true;
		else if (strcmp(key, "superuser") == 0)
			s->superuser = true;
		else if (strcmp(key, "hidden") == 0)
			s->hidden = true;
		else
			fail_msg("session: what is %s?", key);
	}
}

static void read_line(struct db_snapshot *snapshot, struct finding_input *in, char *line)
{
	char *key, *value, *name;
	struct db_session *s;

	if (*line == '#' || !next_word(&line, &key, &value))
		return;
	if (strcmp(key, "server") == 0) {
		read_server(snapshot, line);
		return;
	}
	assert_true(next_word(&line, &name, &value));
	if (strcmp(key, "migrators") == 0) {
		in->migrators_asked = true;
		in->n_migrators = (size_t)atoi(name);
		return;
	}
	s = db_snapshot_add(snapshot);
	s->pid = strcmp(key, "session") == 0 ? atoi(name) : 0;
	db_snapshot_set(&s->gid, s->pid ? "" : name);
	db_snapshot_set(&s->backend_type, s->pid ? "client backend" : "prepared transaction");
	db_snapshot_set(&s->backend_start, s->pid ? "2025-01-27 10:00:00.5+00" : "");
	read_session(s, line);
	snapshot->n_hidden += s->hidden;
}

static void say(const struct finding_input *in, struct buf *out)
{
	struct findings findings = { NULL, 0, 0 };
	size_t i;

	findings_compute(&findings, in);
	for (i = 0; i < findings.n; i++)
		buf_printf(out, "%s %s [%s] %d\n  %s\n",
			finding_severity_name(findings.items[i].severity), findings.items[i].code,
			findings.items[i].runbook, findings.items[i].pid, findings.items[i].text);
	findings_fini(&findings);
}

static void check_file(const char *path)
{
	struct db_snapshot *snapshot = db_snapshot_new();
	struct finding_input in = { .snapshot = snapshot };
	struct buf head = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	FILE *file = fopen(path, "r");
	bool below = false;
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	snapshot->version_table = DB_VERSION_TABLE_FOUND;
	while (getline(&line, &size, file) > 0) {
		buf_add_str(below ? &want : &head, line);
		if (strncmp(line, "---", 3) == 0)
			below = true;
		line[strcspn(line, "\n")] = '\0';
		if (!below)
			read_line(snapshot, &in, line);
	}
	fclose(file);
	free(line);
	db_locktree_mark(snapshot);
	say(&in, &got);
	if (getenv("RECORD")) {
		file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "%s%s", buf_str(&head), buf_str(&got));
		fclose(file);
	} else if (strcmp(buf_str(&got), buf_str(&want)) != 0) {
		fail_msg("%s: found\n%s", path, buf_str(&got));
	}
	db_snapshot_free(snapshot);
	buf_fini(&head);
	buf_fini(&want);
	buf_fini(&got);
}

static void findings_of_recorded_pictures(void **state)
{
	DIR *dir = opendir(RECORDED);
	struct dirent *entry;
	size_t n = 0;
	char *path;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!strstr(entry->d_name, ".txt"))
			continue;
		path = mem_printf("%s/%s", RECORDED, entry->d_name);
		check_file(path);
		free(path);
		n++;
	}
	closedir(dir);
	assert_true(n >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_of_recorded_pictures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
