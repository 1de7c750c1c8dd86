/*
 * Recognising key files, and the wire encoding under it: real files from ssh-keygen, and bytes that
 * are cut off, too long, or no key at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pgoncall/ssh/keyfile.h>
#include <pgoncall/ssh/wire.h>

static char dir[] = "/tmp/pgoncall-keyfile.XXXXXX";

__attribute__((format(printf, 1, 2))) static void run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	run("rm -rf %s", dir);
	return 0;
}

static struct keyfile loaded(const char *name)
{
	struct keyfile key;
	struct err err = { ERR_OK, "" };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (keyfile_load(&key, path, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return key;
}

static void keyfile_knows_what_ssh_keygen_makes(void **state)
{
	static const struct {
		const char *options;
		const char *type; /* without the .pub */
		bool encrypted;
		bool blob;
	} cases[] = {
		{ "-t ed25519 -N ''", "ssh-ed25519", false, true },
		{ "-t ed25519 -N 'pass word'", "ssh-ed25519", true, true },
		{ "-t ecdsa -b 521 -N 'pass word'", "ecdsa-sha2-nistp521", true, true },
		{ "-t rsa -b 2048 -N ''", "ssh-rsa", false, true },
		{ "-t rsa -b 2048 -m PEM -N 'pass word'", "ssh-rsa", true, false },
		{ "-t ecdsa -m PEM -N ''", "", false, false },
		{ "-t ecdsa -m PKCS8 -N 'pass word'", "", true, false },
	};
	struct keyfile key;
	char *fingerprint;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run("rm -f %s/k*; ssh-keygen -q %s -f %s/k", dir, cases[i].options, dir);
		/* with the .pub beside it everything is known */
		key = loaded("k");
		assert_true(key.blob.len > 0);
		assert_int_equal(key.encrypted, cases[i].encrypted);
		fingerprint = wire_fingerprint(key.blob.data, key.blob.len);
		run("ssh-keygen -lf %s/k.pub | grep -qF ' %s '", dir, fingerprint);
		free(fingerprint);
		run("grep -qF '%s' %s/k.pub", buf_str(&key.public), dir);
		keyfile_fini(&key);
		/* the private half alone */
		run("mv %s/k.pub %s/public", dir, dir);
		key = loaded("k");
		assert_string_equal(key.type, cases[i].type);
		assert_int_equal(key.encrypted, cases[i].encrypted);
		assert_int_equal(key.blob.len > 0, cases[i].blob);
		assert_true(key.text.len > 0);
		keyfile_fini(&key);
		/* the public half alone, under its own name or as what is left of a pair */
		key = loaded("public");
		assert_int_equal(key.text.len, 0);
		assert_true(key.blob.len > 0);
		keyfile_fini(&key);
		run("mv %s/public %s/gone.pub", dir, dir);
		key = loaded("gone");
		assert_int_equal(key.text.len, 0);
		assert_true(key.blob.len > 0);
		keyfile_fini(&key);
	}
}

static void keyfile_tells_missing_from_wrong(void **state)
{
	struct keyfile key;
	struct err err = { ERR_OK, "" };
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/nothing", dir);
	assert_int_equal(keyfile_load(&key, path, &err), -1);
	assert_int_equal(err.code, ERR_OK);
	keyfile_fini(&key);
	assert_int_equal(keyfile_load(&key, dir, &err), -1);
	assert_int_not_equal(err.code, ERR_OK);
	keyfile_fini(&key);
}

static void keyfile_survives_rubbish(void **state)
{
	static const char *const texts[] = {
		"",
		"hello",
		"ssh-ed25519",
		"ssh-ed25519 !!!!",
		"ssh-ed25519 AAAA",
		"ssh-ed25519 /////w==",
	};
	static const char *const private[] = {
		"-----BEGIN OPENSSH PRIVATE KEY-----",
		"-----BEGIN OPENSSH PRIVATE KEY-----\n-----END",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA/////w==\n-----END",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9u"
		"ZQAAAAAAAAABAAAAMw==\n-----END",
	};
	struct keyfile key;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(keyfile_parse(&key, texts[i], strlen(texts[i]), NULL, &err), -1);
		assert_int_equal(err.code, ERR_PARSE);
		keyfile_fini(&key);
	}
	for (i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
		assert_int_equal(
			keyfile_parse(&key, private[i], strlen(private[i]), "x y", &err), 0);
		assert_int_equal(key.blob.len, 0);
		keyfile_fini(&key);
	}
}

static void wire_reads_back_what_it_wrote(void **state)
{
	struct buf buf = BUF_INIT;
	struct wire wire;
	const unsigned char *bytes;
	size_t len;

	(void)state;
	wire_add_u32(&buf, 0xdeadbeef);
	wire_add_string(&buf, "abc", 3);
	wire_add_string(&buf, "", 0);
	wire = wire_from(buf.data, buf.len);
	assert_int_equal(wire_u32(&wire), 0xdeadbeef);
	bytes = wire_string(&wire, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(bytes, "abc", 3);
	assert_non_null(wire_string(&wire, &len));
	assert_int_equal(len, 0);
	assert_false(wire.bad);
	assert_int_equal(wire_u8(&wire), 0);
	assert_true(wire.bad);
	/* after one bad read nothing is read any more */
	wire = wire_from("\xff\xff\xff\xff"
			 "abc",
		7);
	assert_null(wire_string(&wire, &len));
	assert_int_equal(len, 0);
	assert_int_equal(wire_u8(&wire), 0);
	buf_fini(&buf);
}

static void wire_base64_goes_both_ways(void **state)
{
	static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v",
		"Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	struct buf buf = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		buf_clear(&buf);
		wire_base64_encode(&buf, plain[i], strlen(plain[i]));
		assert_string_equal(buf_str(&buf), coded[i]);
		buf_clear(&buf);
		assert_int_equal(wire_base64_decode(&buf, coded[i], strlen(coded[i])), 0);
		assert_string_equal(buf_str(&buf), plain[i]);
	}
	buf_clear(&buf);
	assert_int_equal(wire_base64_decode(&buf, " Zm9v\nYg = =\n", 13), 0);
	assert_string_equal(buf_str(&buf), "foob");
	assert_int_equal(wire_base64_decode(&buf, "Zm9", 3), -1);
	assert_int_equal(wire_base64_decode(&buf, "Z*9v", 4), -1);
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyfile_knows_what_ssh_keygen_makes),
		cmocka_unit_test(keyfile_tells_missing_from_wrong),
		cmocka_unit_test(keyfile_survives_rubbish),
		cmocka_unit_test(wire_reads_back_what_it_wrote),
		cmocka_unit_test(wire_base64_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
