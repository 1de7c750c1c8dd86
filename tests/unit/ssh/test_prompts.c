/*
 * Passwords, one-time codes and several questions at once, over both ways to a host, against real
 * sshds with a PAM stack of their own (pam_wrapper gives them that without touching the machine's: a
 * password, and a code as telephones show it), and against a server that asks what sshd never does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pwd.h>
#include <time.h>

#include <openssl/hmac.h>

#include "ask_fixture.h"

static struct sshd codes;     /* keyboard-interactive: password, then code */
static struct sshd passwords; /* method password, and the same by keyboard-interactive */
static struct sshd partial;   /* a key, then password and code */
static struct sshd partial_password;
static struct sshd two_keys;
static struct sshd unanswered;
static struct sshd hasty; /* waits two seconds for an answer */
static pid_t colours_pid;
static char code[16], login[64];

/* The code of this half minute (RFC 6238) for the secret "12345678901234567890". */
static const char *make_code(void)
{
	static const char key[] = "12345678901234567890";
	unsigned char counter[8] = { 0 }, hash[EVP_MAX_MD_SIZE];
	uint64_t t = (uint64_t)time(NULL) / 30;
	unsigned int n = 0, at, i;

	for (i = 0; i < 8; i++)
		counter[7 - i] = (unsigned char)(t >> (8 * i));
	assert_non_null(HMAC(EVP_sha1(), key, 20, counter, 8, hash, &n));
	at = hash[19] & 15;
	snprintf(code, sizeof(code), "%06u",
		((hash[at] & 127U) << 24 | (unsigned)hash[at + 1] << 16 |
			(unsigned)hash[at + 2] << 8 | hash[at + 3]) %
			1000000);
	return code;
}

/* --- servers ---------------------------------------------------------------------------------- */

static void write_stack(const char *service, bool with_code)
{
	char name[64], path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, service);
	mkdir(path, 0700);
	snprintf(name, sizeof(name), "%s/sshd", service);
	write_file(name,
		"auth required ../pam_wrapper/pam_matrix.so "
		"passdb=%s/passdb\n"
		"%s%s%s"
		"account required pam_permit.so\nsession required pam_permit.so\n",
		dir, with_code ? "auth required pam_google_authenticator.so secret=" : "",
		with_code ? dir : "",
		with_code ? "/code user=root allowed_perm=0600 no_strict_owner\n" : "");
	snprintf(name, sizeof(name), "%s/other", service);
	write_file(name, "auth required pam_deny.so\naccount required pam_deny.so\n");
}

static struct sshd start_with_pam(const char *name, const char *stack, const char *more)
{
	char path[128];
	struct sshd sshd;

	snprintf(path, sizeof(path), "%s/%s", dir, stack);
	setenv("LD_PRELOAD", "libpam_wrapper.so", 1);
	setenv("PAM_WRAPPER", "1", 1);
	setenv("PAM_WRAPPER_SERVICE_DIR", path, 1);
	sshd = sshd_start(name, "ed25519", more);
	unsetenv("LD_PRELOAD");
	unsetenv("PAM_WRAPPER");
	know("known_hosts", &sshd, "ed25519");
	return sshd;
}

static int start_colours(void)
{
	char key[128], file[128];
	FILE *in;
	int port = 0, i;

	run("ssh-keygen -q -t ecdsa -m PEM -N '' -f %s/colours_ecdsa", dir);
	snprintf(key, sizeof(key), "%s/colours_ecdsa", dir);
	snprintf(file, sizeof(file), "%s/colours_port", dir);
	colours_pid = fork();
	assert_true(colours_pid >= 0);
	if (colours_pid == 0) {
		execl("/usr/bin/python3", "python3", "tests/unit/ssh/prompt_server.py", key, file,
			NULL);
		_exit(127);
	}
	for (i = 0; i < 3000 && access(file, F_OK) < 0; i++)
		usleep(10000);
	in = fopen(file, "r");
	if (!in || fscanf(in, "%d", &port) != 1)
		fail_msg("the server in prompt_server.py does not start");
	fclose(in);
	return port;
}

static void write_ssh_config(int colours_port)
{
	write_file("ssh_config",
		"Host codes never no_prompts once\n Port %d\nHost never once\n "
		"NumberOfPasswordPrompts 1\n"
		"Host no_prompts\n KbdInteractiveAuthentication no\n"
		"Host passwords first mute only_prompts batch\n Port %d\n"
		"Host first\n PreferredAuthentications password,keyboard-interactive\n"
		"Host mute\n PasswordAuthentication no\n KbdInteractiveAuthentication no\n"
		"Host only_prompts\n PasswordAuthentication no\n"
		"Host batch\n BatchMode yes\n"
		"Host partial keyless\n Port %d\nHost keyless\n PubkeyAuthentication no\n"
		"Host partial_password\n Port %d\n"
		"Host two_keys\n Port %d\n IdentityFile %s/user\n IdentityFile %s/second\n"
		"Host hasty\n Port %d\nHost unanswered\n Port %d\nHost colours\n Port %d\n",
		codes.port, passwords.port, partial.port, partial_password.port, two_keys.port, dir,
		dir, hasty.port, unanswered.port, colours_port);
	run("cat >>%s/ssh_config <<'.'\n"
	    "Host partial partial_password keyless\n IdentityFile %s/user\n"
	    "Host *\n HostName 127.0.0.1\n User %s\n IdentitiesOnly yes\n IdentityFile none\n"
	    " IdentityAgent none\n UserKnownHostsFile %s/known_hosts\n GlobalKnownHostsFile none\n"
	    ".",
		dir, dir, login, dir);
}

static int group_setup(void **state)
{
	const struct passwd *user = getpwuid(getuid());
	char path[128];
	int port;

	(void)state;
	snprintf(login, sizeof(login), "%s", user ? user->pw_name : "root");
	snprintf(dir, sizeof(dir), "/tmp/pgoncall-ssh.XXXXXX");
	assert_non_null(mkdtemp(dir));
	mkdir("/run/sshd", 0755);
	snprintf(path, sizeof(path), "%s/run", dir);
	mkdir(path, 0700);
	setenv("XDG_RUNTIME_DIR", path, 1);
	run("ssh-keygen -q -t ed25519 -N '' -C user -f %s/user", dir);
	run("ssh-keygen -q -t ecdsa -m PEM -N '' -C second -f %s/second", dir);
	run("cat %s/user.pub %s/second.pub >%s/authorized_keys", dir, dir, dir);
	write_file("passdb", "%s:open sesame:sshd\n", login);
	write_file("code", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n");
	run("chmod 600 %s/code", dir);
	write_stack("password_stack", false);
	write_stack("code_stack", true);
	codes = start_with_pam("codes", "code_stack",
		"UsePAM yes\nKbdInteractiveAuthentication yes\nMaxAuthTries 4\n");
	passwords = start_with_pam("passwords", "password_stack",
		"UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication yes\n"
		"MaxAuthTries 8\n");
	partial = start_with_pam("partial", "code_stack",
		"UsePAM yes\nKbdInteractiveAuthentication yes\n"
		"AuthenticationMethods publickey,keyboard-interactive\n");
	partial_password = start_with_pam("partial_password", "password_stack",
		"UsePAM yes\nPasswordAuthentication yes\n"
		"AuthenticationMethods publickey,password\n");
	unanswered = start_with_pam(
		"unanswered", "code_stack", "UsePAM yes\nKbdInteractiveAuthentication yes\n");
	hasty = start_with_pam("hasty", "password_stack",
		"UsePAM yes\nPasswordAuthentication yes\nLoginGraceTime 2\n");
	two_keys = sshd_start("two_keys", "ed25519", "AuthenticationMethods publickey,publickey\n");
	know("known_hosts", &two_keys, "ed25519");
	port = start_colours();
	run("printf '[127.0.0.1]:%d %%s\\n' \"$(cut -d' ' -f1,2 %s/colours_ecdsa.pub)\" "
	    ">>%s/known_hosts",
		port, dir, dir);
	write_ssh_config(port);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	sshd_stop(&codes);
	sshd_stop(&passwords);
	sshd_stop(&partial);
	sshd_stop(&partial_password);
	sshd_stop(&two_keys);
	sshd_stop(&unanswered);
	sshd_stop(&hasty);
	kill(colours_pid, SIGKILL);
	waitpid(colours_pid, NULL, 0);
	run("rm -rf %s", dir);
	return 0;
}

/* Lines of an sshd's log with these words. */
static int count_logged(const struct sshd *sshd, const char *words)
{
	char command[512], line[32] = "";
	FILE *out;

	snprintf(command, sizeof(command), "grep -c '%s' %s/%s.log", words, dir, sshd->name);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	pclose(out);
	return atoi(line);
}

#define WAIT_FOR_LOG(sshd, words, n)                                                               \
	do {                                                                                       \
		int64_t deadline_ = clock_monotonic() + WAIT_S * CLOCK_NS_PER_S;                   \
		while (count_logged(sshd, words) < (n)) {                                          \
			if (clock_monotonic() > deadline_)                                         \
				fail_msg("%s does not log: %s", (sshd)->name, words);              \
			usleep(20000);                                                             \
		}                                                                                  \
	} while (0)

/* --- keyboard-interactive --------------------------------------------------------------------- */

static void prompts_asks_for_password_and_code(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "Password:", "open sesame", false },
					       { "Verification code:", make_code(), false } } };

		asked_expect_up(&asked, both_ways[i], "codes");
		assert_int_equal(asked.client.questions, 2);
		expect_asked(&asked, "dark|");
		expect_asked(&asked, "Password:");
		expect_asked(&asked, "Verification code:");
		assert_null(strstr(buf_str(&asked.record), "echo|"));
		assert_non_null(
			strstr(asked.client.detail[TRANSPORT_STEP_AUTH], "keyboard-interactive"));
		asked_close(&asked);
	}
}

/* As often as NumberOfPasswordPrompts says, and no try of the server's is wasted: it allows four. */
static void prompts_asks_again_after_a_wrong_answer(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "Password:", "wrong", false },
					       { "Verification code:", "000000", false },
					       { "Password:", "wrong again", false },
					       { "Verification code:", "000000", false },
					       { "Password:", "open sesame", false },
					       { "Verification code:", make_code(), false } } };
		struct asked once = { .replies = { { "Password:", "wrong", true },
					      { "Verification code:", "000000", true } } };

		asked_expect_up(&asked, both_ways[i], "codes");
		assert_true(asked.client.questions >= 4 && asked.client.questions <= 6);
		expect_asked(&asked, "Password:|That was not it.\n");
		asked_close(&asked);
		asked_expect_down(&once, both_ways[i], "once", ERR_AUTH, "keyboard-interactive");
		assert_true(once.client.questions <= 2);
		asked_close(&once);
	}
}

/* Nothing is sent in place of an answer: the server would count it against the account. */
static void prompts_sends_nothing_when_declined(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { NULL, NULL, false } } };

		asked_expect_down(&asked, both_ways[i], "unanswered", ERR_AUTH, "got no answer");
		assert_int_equal(asked.client.questions, 1);
		asked_close(&asked);
		WAIT_FOR_LOG(&unanswered, "Connection [a-z]* by authenticating user", (int)i + 1);
		assert_int_equal(
			count_logged(&unanswered, "Postponed keyboard-interactive for"), i + 1);
		assert_int_equal(count_logged(&unanswered, "keyboard-interactive/pam"), 0);
		assert_int_equal(count_logged(&unanswered, "Failed "), 0);
	}
}

static void prompts_takes_several_questions_at_once(void **state)
{
	struct asked asked = { .replies = { { "Favourite colour:", "red", false },
				       { "Other colour:", "blue", false },
				       { "Third:", "", false } } };
	struct asked wrong = { .replies = { { "olour:", "green", true }, { "Third:", "", true } } };

	(void)state;
	asked_expect_up(&asked, SSH_TRANSPORT_LIBSSH2, "colours");
	assert_string_equal(buf_str(&asked.record),
		"3 echo|Favourite colour:|Colours/Answer all three.\n"
		"3 dark|Other colour:|Colours/Answer all three.\n"
		"3 echo|Third:|Colours/Answer all three.\n");
	asked_close(&asked);
	asked_expect_down(
		&wrong, SSH_TRANSPORT_LIBSSH2, "colours", ERR_AUTH, "keyboard-interactive refused");
	assert_int_equal(wrong.client.questions, 9);
	asked_close(&wrong);
}

/* The name and the instruction come by ssh's stderr; its askpass is not told what may be seen. */
static void prompts_takes_several_questions_through_ssh(void **state)
{
	struct asked asked = { .replies = { { "Favourite colour:", "red", false },
				       { "Other colour:", "blue", false },
				       { "Third:", "", false } } };

	(void)state;
	asked_expect_up(&asked, SSH_TRANSPORT_OPENSSH, "colours");
	assert_int_equal(asked.client.questions, 3);
	expect_asked(&asked, "dark|(");
	expect_asked(&asked, "Favourite colour:|Colours/Answer all three");
	asked_close(&asked);
}

/* --- passwords -------------------------------------------------------------------------------- */

static void prompts_sends_a_password(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "Password of ", "wrong", false },
					       { "Password of ", "open sesame", false } } };
		char line[160];

		asked_expect_up(&asked, both_ways[i], "first");
		assert_int_equal(asked.client.questions, 2);
		snprintf(line, sizeof(line), "2 dark|Password of %s at 127.0.0.1:|\n", login);
		expect_asked(&asked, line);
		snprintf(line, sizeof(line),
			"2 dark|Password of %s at 127.0.0.1:|That was not it.\n", login);
		expect_asked(&asked, line);
		assert_non_null(strstr(asked.client.detail[TRANSPORT_STEP_AUTH], "password"));
		asked_close(&asked);
	}
}

/* ssh's order is keyboard-interactive first; settings switch methods off. */
static void prompts_follows_the_order_and_the_settings(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked order = { .replies = { { "Password:", "wrong", true },
					       { "Password of ", "open sesame", false } } };
		struct asked prompts = { .replies = { { "Password:", "wrong", true },
						 { "Password of ", "open sesame", true } } };
		struct asked mute = { .replies = { { "assword", "open sesame", true } } };
		struct asked off = { .replies = { { "assword", "open sesame", true } } };
		struct asked batch = { .replies = { { "assword", "open sesame", true } } };

		asked_expect_up(&order, both_ways[i], "passwords");
		assert_int_equal(order.client.questions, 4);
		asked_close(&order);
		asked_expect_down(&prompts, both_ways[i], "only_prompts", ERR_AUTH, "assword");
		assert_int_equal(prompts.client.questions, 3);
		asked_close(&prompts);
		asked_expect_down(&mute, both_ways[i], "mute", ERR_AUTH, "assword");
		assert_int_equal(mute.client.questions, 0);
		asked_close(&mute);
		asked_expect_down(
			&off, both_ways[i], "no_prompts", ERR_AUTH, "keyboard-interactive");
		assert_int_equal(off.client.questions, 0);
		asked_close(&off);
		asked_expect_down(&batch, both_ways[i], "batch", ERR_AUTH, "assword");
		assert_int_equal(batch.client.questions, 0);
		asked_close(&batch);
	}
}

static void prompts_says_why_a_method_was_not_tried(void **state)
{
	struct asked asked = { .replies = { { NULL, NULL, false } } };

	(void)state;
	asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "mute", ERR_AUTH,
		"keyboard-interactive not tried (KbdInteractiveAuthentication no); password not "
		"tried (PasswordAuthentication no)");
	asked_close(&asked);
}

/* The question lapses with the connection. */
static void prompts_lapses_when_the_server_hangs_up(void **state)
{
	struct asked asked = { .leave_open = true };

	(void)state;
	asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "hasty", ERR_AUTH,
		"hung up while it waited for the answer");
	ssh_auto_answer(asked.client.transport, "late");
	asked_close(&asked);
}

/* --- partial success -------------------------------------------------------------------------- */

static void prompts_goes_on_after_a_key(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct asked asked = { .replies = { { "Password:", "open sesame", false },
					       { "Verification code:", make_code(), false } } };
		struct asked password = { .replies = { { "Password of ", "open sesame", false } } };
		struct asked keys = { .replies = { { NULL, NULL, false } } };
		struct asked keyless = { .replies = { { "assword", "open sesame", true } } };

		asked_expect_up(&asked, both_ways[i], "partial");
		assert_int_equal(asked.client.questions, 2);
		asked_close(&asked);
		asked_expect_up(&password, both_ways[i], "partial_password");
		assert_int_equal(password.client.questions, 1);
		asked_close(&password);
		asked_expect_up(&keys, both_ways[i], "two_keys");
		assert_int_equal(keys.client.questions, 0);
		asked_close(&keys);
		asked_expect_down(&keyless, both_ways[i], "keyless", ERR_AUTH, "publickey");
		assert_int_equal(keyless.client.questions, 0);
		asked_close(&keyless);
	}
}

static void prompts_names_what_was_accepted_so_far(void **state)
{
	struct asked asked = { .replies = { { "assword", "wrong", true }, { "code", "0", true } } };

	(void)state;
	asked_expect_down(&asked, SSH_TRANSPORT_LIBSSH2, "partial", ERR_AUTH, "in yet, after ");
	assert_non_null(strstr(asked.client.why.text, "it takes keyboard-interactive"));
	asked_close(&asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prompts_asks_for_password_and_code),
		cmocka_unit_test(prompts_asks_again_after_a_wrong_answer),
		cmocka_unit_test(prompts_sends_nothing_when_declined),
		cmocka_unit_test(prompts_takes_several_questions_at_once),
		cmocka_unit_test(prompts_takes_several_questions_through_ssh),
		cmocka_unit_test(prompts_sends_a_password),
		cmocka_unit_test(prompts_follows_the_order_and_the_settings),
		cmocka_unit_test(prompts_says_why_a_method_was_not_tried),
		cmocka_unit_test(prompts_lapses_when_the_server_hangs_up),
		cmocka_unit_test(prompts_goes_on_after_a_key),
		cmocka_unit_test(prompts_names_what_was_accepted_so_far),
	};

	if (askpass_is_meant())
		return askpass_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSH_AUTH_SOCK");
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
