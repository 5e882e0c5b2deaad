/* Private keys: OpenSSH's files, other formats, permissions, passphrases, saving. */
#include "tests/unit/keys_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>

#include "common/base/err.h"

static const uint8_t *
bytes(const char *s)
{
	return (const uint8_t *)s;
}

/* The key signs, and its public half is this one. */
static void
is_key(const struct privkey *k, const char *pub_text)
{
	struct pubkey pub;
	uint8_t sig[64];

	assert_int_equal(pubkey_from_text(&pub, pub_text, NULL), 0);
	assert_true(pubkey_equal(&k->pub, &pub));
	assert_int_equal(privkey_sign_raw(k, "data", 4, sig), 0);
	assert_true(pubkey_verify_raw(pub.pk, "data", 4, sig));
	assert_false(pubkey_verify_raw(pub.pk, "date", 4, sig));
	pubkey_free(&pub);
}

static void
plain(void **state)
{
	struct privkey k;

	(void)state;
	assert_int_equal(privkey_parse_plain(&k, bytes(fx_plain), strlen(fx_plain)), 0);
	is_key(&k, fx_plain_pub);
	assert_string_equal(k.comment, "fixture plain");
	privkey_free(&k);
	assert_null(k.sk);
	assert_int_equal(privkey_parse(&k, bytes(fx_plain), strlen(fx_plain), NULL), 0);
	is_key(&k, fx_plain_pub);
	privkey_free(&k);
}

static void
encrypted(void **state)
{
	struct privkey k;
	const size_t n = strlen(fx_enc);

	(void)state;
	assert_int_equal(privkey_parse(&k, bytes(fx_enc), n, fx_enc_pass), 0);
	is_key(&k, fx_enc_pub);
	assert_string_equal(k.comment, "fixture enc");
	privkey_free(&k);
	static const char *const wrong[] = {NULL, "", "open sesam", "open sesame "};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(privkey_parse(&k, bytes(fx_enc), n, wrong[i]), QERR_PASSPHRASE);
		assert_string_equal(k.pub.type, KEY_ED25519_NAME); /* is known without */
		assert_null(k.sk);
		privkey_free(&k);
	}
	assert_int_equal(privkey_parse_plain(&k, bytes(fx_enc), n), QERR_PASSPHRASE);
	privkey_free(&k);
}

static void
line_ends(void **state)
{
	struct privkey k;
	char text[2048] = "\n", *p = text + 1;

	(void)state;
	for (const char *s = fx_plain; *s; s++) {
		if (*s == '\n')
			*p++ = '\r';
		*p++ = *s;
	}
	assert_int_equal(privkey_parse_plain(&k, bytes(text), (size_t)(p - text)), 0);
	is_key(&k, fx_plain_pub);
	privkey_free(&k);
}

/* The body of a key file, decoded. */
static size_t
decode(uint8_t *bin, size_t max, const char *text)
{
	const char *from = strchr(text, '\n');
	const char *to = strstr(text, "-----END");
	size_t n;

	assert_int_equal(sodium_base642bin(bin, max, from, (size_t)(to - from), "\n", &n, NULL,
			     sodium_base64_VARIANT_ORIGINAL), 0);
	return n;
}

static int
parse_bin(struct privkey *k, const uint8_t *bin, size_t n, const char *passphrase)
{
	char b64[4096], text[5000];

	sodium_bin2base64(b64, sizeof(b64), bin, n, sodium_base64_VARIANT_ORIGINAL);
	int len = snprintf(text, sizeof(text),
	    "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n", b64);
	return privkey_parse(k, bytes(text), (size_t)len, passphrase);
}

static void
truncated(void **state)
{
	struct privkey k;
	uint8_t bin[1024];

	(void)state;
	for (size_t n = 0; n + 2 < strlen(fx_plain); n++) {
		assert_true(privkey_parse_plain(&k, bytes(fx_plain), n) < 0);
		assert_null(k.sk);
		privkey_free(&k);
	}
	size_t len = decode(bin, sizeof(bin), fx_plain);
	for (size_t n = 0; n < len; n++) {
		assert_true(parse_bin(&k, bin, n, NULL) < 0);
		assert_null(k.sk);
		privkey_free(&k);
	}
	bin[len] = 0;
	assert_int_equal(parse_bin(&k, bin, len + 1, NULL), QERR_FORMAT); /* something follows */
	privkey_free(&k);
}

/* Any bit changed is seen, but for those of the comment (a file has no checksum). */
static void
changed_bits(void **state)
{
	struct privkey k;
	uint8_t bin[1024];

	(void)state;
	size_t len = decode(bin, sizeof(bin), fx_plain);
	size_t comment = len - strlen("fixture plain"); /* no padding behind it */
	for (size_t i = 0; i < comment * 8; i++) {
		bin[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_true(parse_bin(&k, bin, len, NULL) < 0);
		assert_null(k.sk);
		privkey_free(&k);
		bin[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* The text of the encrypted fixture with one part of its container changed. */
static int
with_change(struct privkey *k, const char *what, const char *by, size_t n)
{
	uint8_t bin[1024];
	size_t len = decode(bin, sizeof(bin), fx_enc);

	for (size_t i = 0; i + n <= len; i++)
		if (memcmp(bin + i, what, n) == 0) {
			memcpy(bin + i, by, n);
			return parse_bin(k, bin, len, fx_enc_pass);
		}
	fail();
	return 0;
}

static void
unknown_methods(void **state)
{
	struct privkey k;

	(void)state;
	assert_int_equal(with_change(&k, "aes256-ctr", "rot131-ctr", 10), QERR_UNSUPPORTED);
	assert_string_equal(k.cipher, "rot131-ctr");
	assert_string_equal(k.pub.type, KEY_ED25519_NAME);
	privkey_free(&k);
	assert_int_equal(with_change(&k, "bcrypt", "scrypt", 6), QERR_UNSUPPORTED);
	privkey_free(&k);
	/* A number of rounds that nobody could wait for. */
	assert_int_equal(with_change(&k, "\0\0\0\1\0\0\0\1\0\0\0\x33", "\xff\0\0\1\0\0\0\1\0\0\0\x33",
			     12), QERR_FORMAT);
	privkey_free(&k);
	/* More than one key. */
	assert_int_equal(with_change(&k, "\0\0\0\1\0\0\0\x33", "\0\0\0\2\0\0\0\x33", 8), QERR_FORMAT);
	privkey_free(&k);
	/* A public half of another key: a signature would give the secret away. */
	uint8_t bin[1024];
	size_t len = decode(bin, sizeof(bin), fx_plain);
	bin[len - strlen("fixture plain") - 4 - 1] ^= 1; /* last byte of the secret half */
	assert_int_equal(parse_bin(&k, bin, len, NULL), QERR_FORMAT);
	privkey_free(&k);
}

static void
other_formats(void **state)
{
	static const struct {
		const char *text, *type;
	} rows[] = {
		{"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "ssh-rsa"},
		{"-----BEGIN DSA PRIVATE KEY-----\n", "ssh-dss"},
		/* openssl ecparam -name prime256v1 -genkey -noout */
		{"-----BEGIN EC PRIVATE KEY-----\n"
		 "MHcCAQEEIDE+2EaLZ5GpcHsGEdI0Ot3SwBcYzTTKASbPkBH9kVs6oAoGCCqGSM49\n"
		 "AwEHoUQDQgAEBbEGTqYbhB0mTyL1xG0jxHGbWFRpUJDdrTiWP1Vj4XPmrMEW6L4T\n"
		 "-----END EC PRIVATE KEY-----\n", "ecdsa-sha2-nistp256"},
		{"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", "ecdsa-sha2-"},
		/* openssl genpkey -algorithm ed25519 */
		{"-----BEGIN PRIVATE KEY-----\n"
		 "MC4CAQAwBQYDK2VwBCIEIDxkL0UgQ5Y3ud+ptLm9hH0KRFGvDUMfVwkDFhqKSgcC\n"
		 "-----END PRIVATE KEY-----\n", "ssh-ed25519"},
		{"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", ""},
		{"PuTTY-User-Key-File-3: ssh-ed25519\n", ""},
	};
	struct privkey k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(privkey_parse(&k, bytes(rows[i].text), strlen(rows[i].text), NULL),
		    QERR_UNSUPPORTED);
		assert_string_equal(k.pub.type, rows[i].type);
		assert_null(k.pub.blob);
		privkey_free(&k);
	}
	assert_int_equal(privkey_parse(&k, bytes("nothing of the kind\n"), 20, NULL), QERR_FORMAT);
	assert_int_equal(privkey_parse(&k, bytes(""), 0, NULL), QERR_FORMAT);
}

static void
permissions(void **state)
{
	const char *path = fx_path("key");
	struct privkey k;

	(void)state;
	fx_write(path, fx_plain);
	static const mode_t open_modes[] = {0640, 0604, 0610, 0620, 0666};
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(chmod(path, open_modes[i]), 0);
		assert_int_equal(privkey_load(&k, path, true, NULL, NULL), QERR_PERM);
		assert_int_equal(privkey_load_plain(&k, path, true), QERR_PERM);
		assert_int_equal(privkey_load_plain(&k, path, false), 0);
		privkey_free(&k);
	}
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(privkey_load(&k, path, true, NULL, NULL), 0);
	is_key(&k, fx_plain_pub);
	privkey_free(&k);
	assert_int_equal(privkey_load(&k, fx_path("none"), true, NULL, NULL), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(privkey_load(&k, fx_path(""), false, NULL, NULL), QERR_SYS);
	assert_int_equal(errno, EISDIR);
}

struct answers {
	const char *const *v;
	int asked;
};

static int
answer(void *arg, const char *path, int attempt, char *buf, size_t n)
{
	struct answers *a = arg;

	assert_non_null(strstr(path, "/enc"));
	assert_int_equal(attempt, a->asked);
	const char *s = a->v[a->asked++];
	if (!s)
		return -1;
	snprintf(buf, n, "%s", s);
	return 0;
}

static void
passphrases(void **state)
{
	static const char *const third[] = {"a", "b", fx_enc_pass};
	static const char *const fourth[] = {"a", "b", "c", fx_enc_pass};
	static const char *const none[] = {"a", NULL, fx_enc_pass};
	static const char *const empty[] = {"", fx_enc_pass};
	static const struct {
		const char *const *v;
		int asked, want;
	} rows[] = {{third, 3, 0}, {fourth, 3, QERR_PASSPHRASE}, {none, 2, QERR_PASSPHRASE},
	    {empty, 1, QERR_PASSPHRASE}};
	const char *path = fx_path("enc");
	struct privkey k;

	(void)state;
	fx_write(path, fx_enc);
	for (size_t i = 0; i < 4; i++) {
		struct answers a = {rows[i].v, 0};
		assert_int_equal(privkey_load(&k, path, true, answer, &a), rows[i].want);
		assert_int_equal(a.asked, rows[i].asked);
		assert_int_equal(k.sk != NULL, rows[i].want == 0);
		privkey_free(&k);
	}
	assert_int_equal(privkey_load(&k, path, true, NULL, NULL), QERR_PASSPHRASE);
	privkey_free(&k);
}

static void
load_pub(const char *path, const char *want, const char *want_comment)
{
	struct pubkey k, pub;
	char *comment;

	assert_int_equal(pubkey_load(&k, path, &comment), 0);
	assert_int_equal(pubkey_from_text(&pub, want, NULL), 0);
	assert_true(pubkey_equal(&k, &pub));
	assert_string_equal(comment, want_comment);
	free(comment);
	pubkey_free(&k);
	assert_int_equal(pubkey_load(&k, path, NULL), 0);
	assert_true(pubkey_equal(&k, &pub));
	pubkey_free(&k);
	pubkey_free(&pub);
}

static void
public_half(void **state)
{
	struct pubkey k;

	(void)state;
	fx_write(fx_path("p"), fx_plain);
	load_pub(fx_path("p"), fx_plain_pub, "fixture plain");
	fx_write(fx_path("e"), fx_enc);
	load_pub(fx_path("e"), fx_enc_pub, "");
	fx_write(fx_path("e.pub"), fx_enc_pub); /* shows the comment */
	load_pub(fx_path("e"), fx_enc_pub, "fixture enc");
	fx_write(fx_path("e.pub"), fx_plain_pub); /* belongs to another key */
	load_pub(fx_path("e"), fx_enc_pub, "");
	load_pub(fx_path("e.pub"), fx_plain_pub, "fixture plain"); /* the key is in an agent */
	fx_write(fx_path("o.pub"), fx_rsa_pub);
	load_pub(fx_path("o"), fx_rsa_pub, "f"); /* no private file */
	fx_write(fx_path("o"), "-----BEGIN RSA PRIVATE KEY-----\n");
	load_pub(fx_path("o"), fx_rsa_pub, "f");
	unlink(fx_path("o.pub"));
	assert_int_equal(pubkey_load(&k, fx_path("o"), NULL), QERR_UNSUPPORTED);
	assert_string_equal(k.type, "ssh-rsa");
	pubkey_free(&k);
	assert_int_equal(pubkey_load(&k, fx_path("none"), NULL), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	fx_write(fx_path("bad"), "x y z\n");
	assert_int_equal(pubkey_load(&k, fx_path("bad"), NULL), QERR_FORMAT);
}

static void
save(void **state)
{
	struct privkey k, back;
	struct stat st;

	(void)state;
	assert_int_equal(privkey_generate(&k, "a comment"), 0);
	assert_int_equal(privkey_save(&k, fx_path("new")), 0);
	assert_int_equal(stat(fx_path("new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(fx_path("new.pub"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(privkey_load_plain(&back, fx_path("new"), true), 0);
	assert_true(pubkey_equal(&k.pub, &back.pub));
	assert_string_equal(back.comment, "a comment");
	privkey_free(&back);
	char *text = pubkey_to_text(&k.pub);
	load_pub(fx_path("new.pub"), text, "a comment");
	free(text);
	/* Never over another key, and nothing is left behind. */
	assert_int_equal(privkey_save(&k, fx_path("new")), QERR_EXISTS);
	assert_int_equal(privkey_save(&k, fx_path("no/such/folder")), QERR_SYS);
	assert_int_equal(fx_run("test $(ls -d '%s'* | wc -l) = 2", fx_path("new")), 0);
	privkey_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(encrypted),
		cmocka_unit_test(line_ends),
		cmocka_unit_test(truncated),
		cmocka_unit_test(changed_bits),
		cmocka_unit_test(unknown_methods),
		cmocka_unit_test(other_formats),
		cmocka_unit_test(permissions),
		cmocka_unit_test(passphrases),
		cmocka_unit_test(public_half),
		cmocka_unit_test(save),
	};
	fx_folder();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fx_done();
	return failed;
}
