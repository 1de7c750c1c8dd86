/*
 * Whether a host key is the right one. What known_hosts says is read through `ssh-keygen -F`, which
 * knows hashed names, wildcards and @revoked; the verdict is a pure function. libssh2's own checker
 * is not used: it ignores @revoked and gives up on one bad line.
 */
#ifndef PGONCALL_SSH_HOSTKEY_H
#define PGONCALL_SSH_HOSTKEY_H

#include <stdbool.h>
#include <stddef.h>

#include <pgoncall/base/err.h>

struct ssh_config;
struct ssh_wait;

enum hostkey_marker { HOSTKEY_PLAIN, HOSTKEY_MARKED_REVOKED, HOSTKEY_MARKED_CA };

/* One line of a known_hosts file that is about the host. */
struct hostkey_line {
	char *file;
	int line;
	enum hostkey_marker marker;
	/* Found under the bare name of a host on another port: as in ssh it may confirm a key, but
	 * not contradict one. */
	bool portless;
	char *type;   /* "ssh-ed25519" … */
	char *base64; /* the key blob */
};

struct hostkey_list {
	struct hostkey_line *items;
	size_t n;
	size_t cap;
};

enum hostkey_verdict {
	HOSTKEY_KNOWN,
	HOSTKEY_UNKNOWN,   /* `line`: a key of another type that is known, or NULL */
	HOSTKEY_CERTIFIED, /* unknown, and the file trusts a certificate authority for it */
	HOSTKEY_CHANGED,   /* `line`: the key of the same type that was expected */
	HOSTKEY_REVOKED
};

void hostkey_list_fini(struct hostkey_list *list);

/* Appends what `ssh-keygen -F NAME -f file` printed; lines it cannot read are skipped. */
void hostkey_parse(struct hostkey_list *list, const char *file, bool portless, const char *text);

/* Looks the host up in all its known_hosts files; a file that is not there knows nothing. For a
 * worker. */
int hostkey_look_up(struct hostkey_list *list, const struct ssh_config *config,
	const struct ssh_wait *wait, struct err *err);

/* The host key methods (comma separated) with the known types first: so that a server with several
 * keys shows the one that is recorded. For the caller to free. */
char *hostkey_preference(const struct hostkey_list *list, const char *methods);

/* Pure. *line may be NULL; it points into the list. */
enum hostkey_verdict hostkey_judge(const struct hostkey_list *list, const char *type,
	const char *base64, const struct hostkey_line **line);

/* The sentence for every verdict but HOSTKEY_KNOWN; returns -1 with ERR_HOSTKEY. */
int hostkey_explain(enum hostkey_verdict verdict, const struct ssh_config *config,
	const struct hostkey_line *line, const char *type, const char *fingerprint,
	struct err *err);

/* Adds an accepted key to the user's first known_hosts file. */
int hostkey_add(
	const struct ssh_config *config, const char *type, const char *base64, struct err *err);

#endif
