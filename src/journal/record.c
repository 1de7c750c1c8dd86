/*
 * A record as a line of JSON and back. One table names the text fields, so that the writer, the
 * reader and the order of keys cannot drift apart. The hash is over the line's own bytes: reading
 * never has to make the same bytes again.
 */
#include <pgoncall/journal/record.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include <pgoncall/base/clock.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/utf8.h>

#define HASH_KEY ",\"hash\":\""

static const char *const event_names[JOURNAL_EVENT_COUNT] = {
	[JOURNAL_INTENT] = "intent",
	[JOURNAL_RESULT] = "result",
	[JOURNAL_UNKNOWN] = "unknown",
	[JOURNAL_NOTE] = "note",
	[JOURNAL_ARM] = "arm",
	[JOURNAL_DISARM] = "disarm",
};

const char *journal_event_name(enum journal_event event)
{
	return event_names[event];
}

int journal_event_parse(const char *name, enum journal_event *event)
{
	int i;

	for (i = 0; i < JOURNAL_EVENT_COUNT; i++) {
		if (strcmp(name, event_names[i]) == 0) {
			*event = (enum journal_event)i;
			return 0;
		}
	}
	return -1;
}

void journal_sha256(const void *bytes, size_t len, char hex[JOURNAL_HASH_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0, i;

	/* Fails only without memory or without SHA-256 itself. */
	if (EVP_Digest(bytes, len, digest, &n, EVP_sha256(), NULL) != 1)
		abort();
	for (i = 0; i < n; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[2 * n] = '\0';
}

/* --- writing --------------------------------------------------------------------------------- */

/* Bytes that are not UTF-8, which JSON cannot hold, become <FF>. */
static void record_add_utf8(struct buf *out, const char *text)
{
	size_t len = strlen(text), n;
	uint32_t cp;

	while (len) {
		n = utf8_decode(text, len, &cp);
		if (n)
			buf_add(out, text, n);
		else
			buf_printf(out, "<%02X>", (unsigned int)cp & 0xff);
		n = n ? n : 1;
		text += n;
		len -= n;
	}
}

/* NULL becomes null. */
static json_t *record_text(const char *text)
{
	struct buf utf8 = BUF_INIT;
	json_t *value;

	if (!text)
		return json_null();
	record_add_utf8(&utf8, text);
	value = json_stringn(buf_str(&utf8), utf8.len);
	buf_fini(&utf8);
	return value;
}

static json_t *record_secret_text(const char *text)
{
	struct buf safe = BUF_INIT;
	json_t *value;

	if (!text)
		return json_null();
	journal_redact(&safe, text);
	value = record_text(buf_str(&safe));
	buf_fini(&safe);
	return value;
}

static json_t *record_number(int64_t number, int64_t none)
{
	return number == none ? json_null() : json_integer(number);
}

static json_t *record_vars(const struct journal_entry *entry)
{
	json_t *object, *value;
	const char *name;
	size_t i;

	if (!entry->n_vars)
		return json_null();
	object = json_object();
	for (i = 0; i < entry->n_vars; i++) {
		name = entry->vars[i].name;
		if (entry->vars[i].value && journal_name_is_secret(name, strlen(name)))
			value = json_string("***");
		else
			value = record_secret_text(entry->vars[i].value);
		json_object_set_new(object, name, value);
	}
	return object;
}

/* Keys in the order of the file; jansson keeps the order of insertion. */
static json_t *record_build(const struct journal_entry *entry, const struct journal_meta *meta,
	int64_t seq, const char *ts, const char *prev)
{
	json_t *object = json_object();

	json_object_set_new(object, "v", json_integer(JOURNAL_VERSION));
	json_object_set_new(object, "seq", json_integer(seq));
	json_object_set_new(object, "ts", json_string(ts));
	json_object_set_new(object, "event", json_string(event_names[entry->event]));
	json_object_set_new(object, "intent", record_number(entry->intent, 0));
	json_object_set_new(object, "incident", record_text(meta->incident));
	json_object_set_new(object, "user", record_text(meta->user));
	json_object_set_new(object, "target", record_text(meta->target));
	json_object_set_new(object, "host", record_text(meta->host));
	json_object_set_new(object, "host_key", record_text(meta->host_key));
	json_object_set_new(object, "database", record_text(meta->database));
	json_object_set_new(object, "role", record_text(meta->role));
	json_object_set_new(object, "runbook", record_text(entry->runbook));
	json_object_set_new(object, "step", record_text(entry->step));
	json_object_set_new(object, "command", record_secret_text(entry->command));
	json_object_set_new(object, "vars", record_vars(entry));
	json_object_set_new(object, "confirm", record_text(entry->confirm));
	json_object_set_new(object, "exit", record_number(entry->exit, JOURNAL_NONE));
	json_object_set_new(object, "rows", record_number(entry->rows, JOURNAL_NONE));
	json_object_set_new(object, "duration_ms", record_number(entry->duration_ms, JOURNAL_NONE));
	json_object_set_new(object, "output_sha256", record_text(entry->output_sha256));
	json_object_set_new(object, "text", record_secret_text(entry->text));
	json_object_set_new(object, "prev", json_string(prev));
	return object;
}

void journal_record_write(const struct journal_entry *entry, const struct journal_meta *meta,
	int64_t seq, int64_t wall_ns, const char *prev, struct buf *out,
	char hash[JOURNAL_HASH_HEX + 1])
{
	json_t *object;
	char *line;
	char ts[40];

	clock_format_rfc3339(wall_ns, ts, sizeof(ts));
	object = record_build(entry, meta, seq, ts, prev);
	line = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	if (!line)
		abort(); /* only without memory: all text in it is UTF-8 */
	journal_sha256(line, strlen(line), hash);
	buf_add(out, line, strlen(line) - 1);
	buf_printf(out, HASH_KEY "%s\"}", hash);
	free(line);
}

/* --- reading --------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	size_t at; /* of a char * in struct journal_record */
} text_fields[] = {
	{ "ts", offsetof(struct journal_record, ts) },
	{ "incident", offsetof(struct journal_record, incident) },
	{ "user", offsetof(struct journal_record, user) },
	{ "target", offsetof(struct journal_record, target) },
	{ "host", offsetof(struct journal_record, host) },
	{ "host_key", offsetof(struct journal_record, host_key) },
	{ "database", offsetof(struct journal_record, database) },
	{ "role", offsetof(struct journal_record, role) },
	{ "runbook", offsetof(struct journal_record, runbook) },
	{ "step", offsetof(struct journal_record, step) },
	{ "command", offsetof(struct journal_record, command) },
	{ "confirm", offsetof(struct journal_record, confirm) },
	{ "output_sha256", offsetof(struct journal_record, output_sha256) },
	{ "text", offsetof(struct journal_record, text) },
};

static char **record_text_field(struct journal_record *record, size_t i)
{
	return (char **)((char *)record + text_fields[i].at);
}

#define N_TEXT_FIELDS (sizeof(text_fields) / sizeof(text_fields[0]))

void journal_record_fini(struct journal_record *record)
{
	size_t i;

	for (i = 0; i < N_TEXT_FIELDS; i++)
		free(*record_text_field(record, i));
	free(record->vars);
	memset(record, 0, sizeof(*record));
}

static int64_t record_get_number(const json_t *object, const char *key, int64_t none)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? (int64_t)json_integer_value(value) : none;
}

static void record_fill(struct journal_record *record, const json_t *object)
{
	const json_t *vars = json_object_get(object, "vars");
	size_t i;

	for (i = 0; i < N_TEXT_FIELDS; i++)
		*record_text_field(record, i) = mem_strdup_opt(
			json_string_value(json_object_get(object, text_fields[i].key)));
	record->vars = json_is_object(vars) ? json_dumps(vars, JSON_COMPACT) : NULL;
	record->v = record_get_number(object, "v", 0);
	record->seq = record_get_number(object, "seq", 0);
	record->intent = record_get_number(object, "intent", 0);
	record->exit = record_get_number(object, "exit", JOURNAL_NONE);
	record->rows = record_get_number(object, "rows", JOURNAL_NONE);
	record->duration_ms = record_get_number(object, "duration_ms", JOURNAL_NONE);
}

static int record_get_hash(const json_t *object, const char *key, char hex[JOURNAL_HASH_HEX + 1])
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) != JOURNAL_HASH_HEX ||
		strspn(text, "0123456789abcdef") != JOURNAL_HASH_HEX)
		return -1;
	memcpy(hex, text, JOURNAL_HASH_HEX + 1);
	return 0;
}

/* The line must end in its hash, and what stands before must have that hash. */
static int record_check_hash(const char *bytes, size_t len, const char *hash, struct err *err)
{
	const size_t tail = sizeof(HASH_KEY) - 1 + JOURNAL_HASH_HEX + 2;
	char have[JOURNAL_HASH_HEX + 1];
	struct buf body = BUF_INIT;

	if (len <= tail || memcmp(bytes + len - tail, HASH_KEY, sizeof(HASH_KEY) - 1) != 0 ||
		memcmp(bytes + len - 2 - JOURNAL_HASH_HEX, hash, JOURNAL_HASH_HEX) != 0)
		return err_set(err, ERR_PARSE, "the record does not end in its hash");
	buf_add(&body, bytes, len - tail);
	buf_add_char(&body, '}');
	journal_sha256(body.data, body.len, have);
	buf_fini(&body);
	if (strcmp(have, hash) != 0)
		return err_set(err, ERR_PARSE,
			"the record was changed: its content does not match its hash");
	return 0;
}

int journal_record_read(
	const char *bytes, size_t len, struct journal_record *record, struct err *err)
{
	json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	const char *event = json_string_value(json_object_get(object, "event"));
	int rc = 0;

	memset(record, 0, sizeof(*record));
	if (!json_is_object(object)) {
		err_set(err, ERR_PARSE, "not a whole record");
		rc = -2;
	} else if (record_get_number(object, "v", 0) != JOURNAL_VERSION)
		rc = err_set(err, ERR_PARSE, "not a record of version %d", JOURNAL_VERSION);
	else if (record_get_hash(object, "prev", record->prev) < 0 ||
		 record_get_hash(object, "hash", record->hash) < 0)
		rc = err_set(err, ERR_PARSE, "the record has no prev or hash");
	else if (record_check_hash(bytes, len, record->hash, err) < 0)
		rc = -1;
	else if (!event || journal_event_parse(event, &record->event) < 0)
		rc = err_set(err, ERR_PARSE, "the record's event is unknown");
	else
		record_fill(record, object);
	json_decref(object);
	return rc;
}
