/*
 * The worker that makes a session: the order of its phases and the sentence for each way in which
 * one fails. Owns the session and its socket until the job is over; channels come later.
 */
#include <pgoncall/ssh/setup.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libssh2.h>

#include <pgoncall/base/buf.h>
#include <pgoncall/base/mem.h>
#include <pgoncall/base/str.h>
#include <pgoncall/base/utf8.h>
#include <pgoncall/loop/loop.h>
#include <pgoncall/ssh/auth.h>
#include <pgoncall/ssh/connect.h>
#include <pgoncall/ssh/hostkey.h>
#include <pgoncall/ssh/io.h>
#include <pgoncall/ssh/negotiate.h>
#include <pgoncall/ssh/wire.h>

#define SETUP_TIMEOUT_S 10
/* `ssh -G` may run programs (Match exec). */
#define SETUP_RESOLVE_MS 20000
/* How long the operator may think; most servers hang up before (LoginGraceTime). */
#define SETUP_ANSWER_MS (30 * 60 * 1000)

struct ssh_setup *setup_new(void)
{
	struct ssh_setup *setup = mem_calloc(1, sizeof(*setup));

	setup->fd = -1;
	setup->rc = -1;
	setup->wait.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	setup->answer_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&setup->lock, NULL);
	return setup;
}

static void setup_wipe_answer(struct ssh_setup *setup)
{
	if (setup->answer)
		mem_wipe(setup->answer, strlen(setup->answer));
	free(setup->answer);
	setup->answer = NULL;
}

static void setup_drop_session(struct ssh_setup *setup)
{
	if (setup->session)
		io_session_free(setup->io, setup->session, "stopped");
	io_free(setup->io);
	setup->session = NULL;
	setup->io = NULL;
}

void setup_free(struct ssh_setup *setup)
{
	setup_drop_session(setup);
	setup_wipe_answer(setup);
	if (setup->fd >= 0)
		close(setup->fd);
	if (setup->wait.cancel_fd >= 0)
		close(setup->wait.cancel_fd);
	if (setup->answer_fd >= 0)
		close(setup->answer_fd);
	pthread_mutex_destroy(&setup->lock);
	free(setup->host_key);
	free(setup);
}

void setup_cancel(struct ssh_setup *setup)
{
	eventfd_write(setup->wait.cancel_fd, 1);
}

void setup_answer(struct ssh_setup *setup, char *answer_take)
{
	pthread_mutex_lock(&setup->lock);
	setup_wipe_answer(setup);
	setup->answer = answer_take;
	eventfd_write(setup->answer_fd, 1);
	pthread_mutex_unlock(&setup->lock);
}

const struct ssh_config *setup_config(const struct ssh_setup *setup)
{
	return &setup->route->hops[setup->hop];
}

void setup_renew(struct ssh_setup *setup)
{
	const struct ssh_config *config = setup_config(setup);
	int seconds = setup->timeout_s ? setup->timeout_s : config->connect_timeout_s;

	wait_set(&setup->wait, (seconds ? seconds : SETUP_TIMEOUT_S) * INT64_C(1000));
}

bool setup_may_ask(const struct ssh_setup *setup)
{
	return setup->ask && !setup_config(setup)->batch_mode;
}

/* Until an answer is there, the job is cancelled, or the server has hung up. */
static void setup_await_answer(struct ssh_setup *setup)
{
	struct pollfd p[3] = { { setup->answer_fd, POLLIN, 0 },
		{ setup->wait.cancel_fd, POLLIN, 0 },
		{ setup->io ? setup->io->fd : -1, POLLRDHUP, 0 } };
	int n;

	wait_set(&setup->wait, SETUP_ANSWER_MS);
	do {
		n = poll(p, 3, wait_left_ms(&setup->wait));
	} while (n < 0 && errno == EINTR);
}

char *setup_ask(struct ssh_setup *setup, enum ssh_ask kind, const char *prompt, const char *detail,
	bool echo)
{
	struct ssh_question question = { .kind = kind, .echo = echo };
	char *safe_prompt, *safe_detail, *answer;
	eventfd_t drop;

	if (!setup_may_ask(setup))
		return NULL;
	pthread_mutex_lock(&setup->lock);
	setup_wipe_answer(setup);
	eventfd_read(setup->answer_fd, &drop);
	pthread_mutex_unlock(&setup->lock);
	safe_prompt = utf8_sanitised_dup(prompt, UTF8_ONE_LINE);
	safe_detail = utf8_sanitised_dup(detail, UTF8_MANY_LINES);
	question.prompt = str_trim(safe_prompt);
	question.detail = safe_detail;
	setup->ask(setup->arg, &question);
	setup_await_answer(setup);
	free(safe_prompt);
	free(safe_detail);
	pthread_mutex_lock(&setup->lock);
	answer = setup->answer;
	setup->answer = NULL;
	pthread_mutex_unlock(&setup->lock);
	setup_renew(setup);
	return answer;
}

static void setup_step(struct ssh_setup *setup, enum transport_step step, const char *detail)
{
	char *safe;

	if (step != TRANSPORT_STEP_CONFIG && setup->hop + 1 < setup->route->n)
		return;
	safe = utf8_sanitised_dup(detail, UTF8_ONE_LINE);
	setup->step(setup->arg, step, safe);
	free(safe);
}

static int setup_resolve(struct ssh_setup *setup)
{
	char *text;

	wait_set(&setup->wait, SETUP_RESOLVE_MS);
	if (route_resolve(setup->route, setup->destination, setup->config_file, &setup->wait,
		    &setup->err) < 0) {
		setup->wants_openssh = setup->route->wants_openssh;
		return -1;
	}
	text = route_describe(setup->route);
	setup_step(setup, TRANSPORT_STEP_CONFIG, text);
	free(text);
	return 0;
}

static int setup_connect(struct ssh_setup *setup)
{
	const struct ssh_config *config = setup_config(setup);
	bool tcp = setup->fd < 0;

	setup_renew(setup);
	if (tcp)
		setup->fd = connect_tcp(
			config->hostname, config->port, config->family, &setup->wait, &setup->err);
	if (setup->fd < 0 || loop_set_nonblocking(setup->fd, &setup->err) < 0)
		return -1;
	setup->io = io_new(setup->fd, tcp);
	setup->fd = -1;
	setup->session = io_session_new(setup->io);
	return 0;
}

static int setup_explain_handshake(struct ssh_setup *setup, int rc, const struct err *wait)
{
	const struct ssh_config *config = setup_config(setup);
	LIBSSH2_SESSION *session = setup->session;
	struct buf why = BUF_INIT;
	char *message = NULL;

	if (rc == LIBSSH2_ERROR_KEX_FAILURE && !setup->io->broken) {
		setup->wants_openssh = true;
		negotiate_explain(session, config, &setup->io->hello, &setup->err);
		return -1;
	}
	if (wait->code == ERR_CANCELLED)
		return err_set(&setup->err, ERR_CANCELLED, "%s", wait->text);
	if (wait->code == ERR_TIMEOUT)
		return err_set(&setup->err, ERR_TIMEOUT,
			"%s:%d took the connection but did not speak SSH in time; check that this "
			"is "
			"sshd's port and that the host is not overloaded",
			config->hostname, config->port);
	io_explain(setup->io, &why);
	libssh2_session_last_error(session, &message, NULL, 0);
	err_set(&setup->err, ERR_TRANSPORT,
		"%s:%d ended the SSH handshake: %s [%s]; check that this is sshd's port, and "
		"sshd's "
		"log there (MaxStartups, a ban)",
		config->hostname, config->port, buf_str(&why), message ? message : "");
	buf_fini(&why);
	return -1;
}

static int setup_handshake(struct ssh_setup *setup, const struct hostkey_list *known)
{
	const struct ssh_config *config = setup_config(setup);
	struct err wait = { ERR_OK, "" };
	const char *banner;
	char *detail;
	int rc;

	if (negotiate_offer(setup->session, config, known, &setup->err) < 0) {
		setup->wants_openssh = true;
		return -1;
	}
	setup_renew(setup);
	setup->io->keep_hello = true;
	do {
		rc = libssh2_session_handshake(setup->session, setup->io->fd);
	} while (rc == LIBSSH2_ERROR_EAGAIN && io_wait(setup->io, &setup->wait, &wait) == 0);
	setup->io->keep_hello = false;
	if (rc)
		return setup_explain_handshake(setup, rc, &wait);
	buf_fini(&setup->io->hello);
	banner = libssh2_session_banner_get(setup->session);
	detail = mem_printf("%s:%d %s", config->hostname, config->port, banner ? banner : "");
	setup_step(setup, TRANSPORT_STEP_CONNECT, detail);
	free(detail);
	return 0;
}

/* As ssh does, a key that cannot be kept is no reason to stop: it is asked about again next time. */
static char *setup_keep_host_key(struct ssh_setup *setup, const char *type, const char *base64)
{
	const struct ssh_config *config = setup_config(setup);
	struct err err = { ERR_OK, "" };

	if (hostkey_add(config, type, base64, &err) < 0)
		return mem_printf("not kept: %s", err.text);
	return mem_printf("added to %s", config->known_hosts_add);
}

/* An unknown key may be accepted by the operator, or by StrictHostKeyChecking; anything else is
 * refused. *how says by whom, for the caller to free. */
static int setup_ask_host_key(struct ssh_setup *setup, const char *type, const char *base64,
	const char *fingerprint, char **how)
{
	const struct ssh_config *config = setup_config(setup);
	char *name, *prompt, *detail, *answer, *kept;
	bool yes;

	*how = NULL;
	if (config->strict == SSH_STRICT_NEW) {
		kept = setup_keep_host_key(setup, type, base64);
		*how = mem_printf(" (new; StrictHostKeyChecking accepts it; %s)", kept);
		free(kept);
		return 0;
	}
	if (config->strict != SSH_STRICT_ASK || !setup_may_ask(setup))
		return -1;
	name = ssh_config_lookup_name(config);
	prompt = mem_printf("The host key of %s is unknown. Accept it (yes/no)?", name);
	detail = mem_printf("%s %s\n%s", wire_key_name(type), fingerprint, setup->err.text);
	answer = setup_ask(setup, SSH_ASK_HOSTKEY, prompt, detail, true);
	err_set(&setup->err, ERR_HOSTKEY,
		"the host key of %s is unknown and was declined (%s %s); compare it with the "
		"server's own (ssh-keygen -lf there) and connect again",
		name, wire_key_name(type), fingerprint);
	yes = str_equal(answer, "yes") || str_equal(answer, fingerprint);
	if (yes) {
		kept = setup_keep_host_key(setup, type, base64);
		*how = mem_printf(" (new; accepted; %s)", kept);
		free(kept);
	}
	free(answer);
	free(detail);
	free(prompt);
	free(name);
	return yes ? 0 : -1;
}

static int setup_verify(struct ssh_setup *setup, const struct hostkey_list *known)
{
	const struct hostkey_line *line;
	enum hostkey_verdict verdict;
	struct buf base64 = BUF_INIT;
	char type[64], *detail, *how = NULL;
	const char *key;
	size_t len = 0;
	int kind, rc = 0;
	bool foreign;

	key = libssh2_session_hostkey(setup->session, &len, &kind);
	if (!key || !*wire_key_type(key, len, type, sizeof(type)))
		return err_set(&setup->err, ERR_HOSTKEY, "%s:%d showed no host key",
			setup_config(setup)->hostname, setup_config(setup)->port);
	wire_base64_encode(&base64, key, len);
	setup->host_key = wire_fingerprint(key, len);
	verdict = hostkey_judge(known, type, buf_str(&base64), &line);
	if (verdict != HOSTKEY_KNOWN)
		rc = hostkey_explain(
			verdict, setup_config(setup), line, type, setup->host_key, &setup->err);
	/* Known by a key that only the system's ssh can check. */
	foreign = verdict == HOSTKEY_CERTIFIED ||
		  (verdict == HOSTKEY_UNKNOWN && line && str_equal(line->type, "ssh-rsa"));
	setup->wants_openssh |= foreign;
	if (verdict == HOSTKEY_UNKNOWN && foreign && setup->may_hand_over)
		err_set(&setup->err, ERR_HOSTKEY,
			"%s:%d knows this host by its RSA key only, which libssh2 cannot check; "
			"set transport = openssh for this target",
			line->file, line->line);
	else if (verdict == HOSTKEY_UNKNOWN)
		rc = setup_ask_host_key(setup, type, buf_str(&base64), setup->host_key, &how);
	if (rc == 0) {
		detail =
			mem_printf("%s %s%s", wire_key_name(type), setup->host_key, how ? how : "");
		setup_step(setup, TRANSPORT_STEP_HOSTKEY, detail);
		free(detail);
	}
	free(how);
	buf_fini(&base64);
	return rc;
}

static int setup_authenticate(struct ssh_setup *setup)
{
	char *how = NULL;
	int rc;

	setup_renew(setup);
	rc = auth_run(setup, &how, &setup->err);
	if (rc == 0)
		setup_step(setup, TRANSPORT_STEP_AUTH, how);
	free(how);
	return rc;
}

static int setup_phases(struct ssh_setup *setup)
{
	struct hostkey_list known = { NULL, 0, 0 };
	int rc;

	if (setup->route->n == 0 && setup_resolve(setup) < 0)
		return -1;
	setup_renew(setup);
	rc = hostkey_look_up(&known, setup_config(setup), &setup->wait, &setup->err);
	if (rc == 0)
		rc = setup_connect(setup);
	if (rc == 0)
		rc = setup_handshake(setup, &known);
	if (rc == 0)
		rc = setup_verify(setup, &known);
	if (rc == 0)
		rc = setup_authenticate(setup);
	hostkey_list_fini(&known);
	return rc;
}

void setup_run(struct ssh_setup *setup)
{
	setup->rc = setup_phases(setup);
	if (setup->rc == 0)
		return;
	setup_drop_session(setup);
	if (setup->route->n && setup->hop + 1 < setup->route->n)
		err_prefix(&setup->err, "jump host %s", setup_config(setup)->alias);
}
