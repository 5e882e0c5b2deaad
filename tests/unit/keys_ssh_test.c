/* Key files, fingerprints, pictures, SSHSIG and known_hosts against ssh-keygen. */
#include "tests/unit/keys_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/knownhosts.h"

#define NAMESPACE "qsh-auth@v1"

static void
load_pub_file(struct pubkey *k, const char *path)
{
	char *text = fx_read(path);

	assert_int_equal(pubkey_from_text(k, text, NULL), 0);
	free(text);
}

/* A file of ssh-keygen reads as the key that its .pub file shows. */
static void
reads(const char *path, const char *passphrase)
{
	struct privkey k;
	struct pubkey pub;
	uint8_t sig[64];
	char *text = fx_read(path);

	load_pub_file(&pub, fx_path("k.pub"));
	int err = privkey_parse(&k, (const uint8_t *)text, strlen(text), passphrase);
	if (err)
		print_error("%s: %s\n", path, qerr_str(err));
	assert_int_equal(err, 0);
	assert_true(pubkey_equal(&pub, &k.pub));
	assert_int_equal(privkey_sign_raw(&k, "m", 1, sig), 0);
	assert_true(pubkey_verify_raw(pub.pk, "m", 1, sig));
	privkey_free(&k);
	if (passphrase) {
		assert_int_equal(privkey_parse(&k, (const uint8_t *)text, strlen(text), "other"),
		    QERR_PASSPHRASE);
		privkey_free(&k);
	}
	pubkey_free(&pub);
	free(text);
}

/* An authenticated cipher sees a change in what it covers, and in its tag. */
static void
sees_changes(const char *path, const char *passphrase)
{
	struct privkey k;
	char *text = fx_read(path);
	char *end = strstr(text, "\n-----END");

	for (int lines = 0; lines < 3; lines++) { /* from the tag on backwards */
		char *at = end - 10 - 71 * lines;
		char was = *at;
		*at = was == 'A' ? 'B' : 'A';
		assert_int_equal(privkey_parse(&k, (const uint8_t *)text, strlen(text), passphrase),
		    QERR_PASSPHRASE);
		privkey_free(&k);
		*at = was;
	}
	free(text);
}

static void
generate(const char *more)
{
	fx_run("rm -f '%s' '%s'", fx_path("k"), fx_path("k.pub"));
	assert_int_equal(fx_run("ssh-keygen -q -t ed25519 -C 'a comment' -f '%s' %s", fx_path("k"), more),
	    0);
}

static void
key_files(void **state)
{
	static const char *const ciphers[] = {"aes256-ctr", "aes192-ctr", "aes128-ctr", "aes256-cbc",
	    "aes192-cbc", "aes128-cbc", "3des-cbc", "aes256-gcm@openssh.com",
	    "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"};
	char more[256];

	(void)state;
	for (int i = 0; i < 8; i++) { /* paddings of every length */
		snprintf(more, sizeof(more), "-N '' -C '%.*s'", i, "cccccccc");
		generate(more);
		reads(fx_path("k"), NULL);
	}
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		snprintf(more, sizeof(more), "-N 'pass phrase' -a 2 -Z %s 2>/dev/null", ciphers[i]);
		generate(more);
		reads(fx_path("k"), "pass phrase");
		if (strchr(ciphers[i], '@'))
			sees_changes(fx_path("k"), "pass phrase");
	}
	generate("-N 'p' -a 7");
	reads(fx_path("k"), "p");
	generate("-N 'p'"); /* as many rounds as ssh-keygen likes */
	reads(fx_path("k"), "p");
}

static void
other_types(void **state)
{
	static const char *const types[] = {"rsa", "ecdsa", "ecdsa -b 384", "ecdsa -b 521"};
	static const char *const names[] = {"ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
	    "ecdsa-sha2-nistp521"};
	static const char *const formats[] = {"", "-m PEM", "-m PKCS8"};
	struct privkey k;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		for (size_t f = 0; f < 3; f++) {
			fx_run("rm -f '%s' '%s'", fx_path("k"), fx_path("k.pub"));
			assert_int_equal(fx_run("ssh-keygen -q -t %s %s -N '' -f '%s'", types[i],
					     formats[f], fx_path("k")), 0);
			assert_int_equal(privkey_load(&k, fx_path("k"), true, NULL, NULL),
			    QERR_UNSUPPORTED);
			assert_string_equal(k.pub.type, names[i]);
			assert_int_equal(k.pub.blob != NULL, f == 0);
			privkey_free(&k);
		}
}

static void
shown(void **state)
{
	static const char *const types[] = {"ed25519", "rsa -b 2048", "ecdsa", "ecdsa -b 521"};
	static const char *const hashes[] = {"sha256", "sha512", "md5"};
	struct pubkey k;
	char text[1024];

	(void)state;
	for (int i = 0; i < 12; i++) {
		fx_run("rm -f '%s' '%s'", fx_path("k"), fx_path("k.pub"));
		assert_int_equal(fx_run("ssh-keygen -q -t %s -N '' -C c -f '%s'", types[i < 4 ? i : 0],
				     fx_path("k")), 0);
		load_pub_file(&k, fx_path("k.pub"));
		for (size_t h = 0; h < 3; h++) {
			char *want = fx_output("ssh-keygen -lv -E %s -f '%s'", hashes[h], fx_path("k.pub"));
			char *fp = pubkey_fingerprint_any(&k, hashes[h]);
			char *art = pubkey_randomart_any(&k, hashes[h]);
			snprintf(text, sizeof(text), "%u %s c (%s)\n%s", pubkey_bits(&k), fp,
			    pubkey_short_type(&k), art);
			assert_string_equal(text, want);
			free(art);
			free(fp);
			free(want);
		}
		pubkey_free(&k);
	}
}

static void
saved(void **state)
{
	struct privkey k;

	(void)state;
	for (size_t i = 0; i < 8; i++) { /* paddings of every length */
		char comment[16];
		snprintf(comment, sizeof(comment), "%.*s", (int)i, "cccccccc");
		fx_run("rm -f '%s' '%s'", fx_path("s"), fx_path("s.pub"));
		assert_int_equal(privkey_generate(&k, comment), 0);
		assert_int_equal(privkey_save(&k, fx_path("s")), 0);
		char *derived = fx_output("ssh-keygen -y -f '%s'", fx_path("s"));
		char *text = fx_read(fx_path("s.pub"));
		assert_string_equal(derived, text); /* comment too */
		free(text);
		free(derived);
		privkey_free(&k);
	}
}

/* The armored file around a signature blob (PROTOCOL.sshsig). */
static void
write_armored(const char *path, const struct pubkey *k, const struct buf *sig)
{
	struct buf b, text;

	buf_init(&b, 4096);
	buf_init(&text, 8192);
	buf_put(&b, "SSHSIG", 6);
	buf_put_u32(&b, 1);
	buf_put_sshstr(&b, k->blob, k->bloblen);
	buf_put_sshstr(&b, NAMESPACE, strlen(NAMESPACE));
	buf_put_sshstr(&b, "", 0);
	buf_put_sshstr(&b, "sha512", 6);
	assert_int_equal(buf_put_sshstr(&b, buf_data(sig), buf_len(sig)), 0);
	char *b64 = str_b64(buf_data(&b), buf_len(&b));
	buf_printf(&text, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t i = 0; i < strlen(b64); i += 70)
		buf_printf(&text, "%.70s\n", b64 + i);
	assert_int_equal(buf_printf(&text, "-----END SSH SIGNATURE-----\n"), 0);
	buf_put_u8(&text, 0);
	fx_write(path, (const char *)buf_data(&text));
	free(b64);
	buf_free(&text);
	buf_free(&b);
}

static int
keygen_verifies(const char *message)
{
	fx_write(fx_path("msg"), message);
	return fx_run("ssh-keygen -Y verify -n " NAMESPACE " -f '%s' -I me -s '%s' <'%s' >/dev/null 2>&1",
	    fx_path("allowed"), fx_path("sig"), fx_path("msg"));
}

static void
signed_by_us(void **state)
{
	struct privkey k;
	struct buf tbs, sig, allowed;

	(void)state;
	buf_init(&tbs, 1024);
	buf_init(&sig, 1024);
	buf_init(&allowed, 1024);
	assert_int_equal(privkey_generate(&k, ""), 0);
	char *text = pubkey_to_text(&k.pub);
	assert_int_equal(buf_printf(&allowed, "me %s\n%c", text, 0), 0);
	fx_write(fx_path("allowed"), (const char *)buf_data(&allowed));
	free(text);
	assert_int_equal(sshsig_tbs(&tbs, NAMESPACE, "the message", 11), 0);
	assert_int_equal(sshsig_sign(&sig, &k, buf_data(&tbs), buf_len(&tbs)), 0);
	write_armored(fx_path("sig"), &k.pub, &sig);
	assert_int_equal(keygen_verifies("the message"), 0);
	assert_int_not_equal(keygen_verifies("the massage"), 0);
	buf_free(&tbs);
	buf_free(&sig);
	buf_free(&allowed);
	privkey_free(&k);
}

static void
signed_by_keygen(void **state)
{
	struct buf tbs;
	struct rd r;
	struct pubkey k;
	size_t n;

	(void)state;
	generate("-N ''");
	load_pub_file(&k, fx_path("k.pub"));
	fx_write(fx_path("m"), "the message");
	assert_int_equal(fx_run("ssh-keygen -q -Y sign -n " NAMESPACE " -f '%s' '%s' 2>/dev/null",
			     fx_path("k"), fx_path("m")), 0);
	char *b64 = fx_output("grep -v -- ----- '%s' | tr -d '\\n'", fx_path("m.sig"));
	uint8_t *bin = str_b64_decode(b64, strlen(b64), &n);
	assert_non_null(bin);
	rd_init(&r, bin, n);
	rd_bytes(&r, 6 + 4);
	for (int i = 0; i < 4; i++) /* key, namespace, reserved, hash */
		rd_sshstr(&r, 4096);
	struct bytes sig = rd_sshstr(&r, 4096);
	assert_int_equal(rd_end(&r), 0);
	buf_init(&tbs, 1024);
	assert_int_equal(sshsig_tbs(&tbs, NAMESPACE, "the message", 11), 0);
	assert_int_equal(sshsig_verify(&k, buf_data(&tbs), buf_len(&tbs), sig.p, sig.n), 0);
	buf_reset(&tbs);
	assert_int_equal(sshsig_tbs(&tbs, "file", "the message", 11), 0); /* another namespace */
	assert_int_equal(sshsig_verify(&k, buf_data(&tbs), buf_len(&tbs), sig.p, sig.n),
	    QERR_SIGNATURE);
	buf_free(&tbs);
	pubkey_free(&k);
	free(bin);
	free(b64);
}

static void
known_hosts(void **state)
{
	static const char *const hosts[] = {"plain.example", "[port.example]:2222", "::1", "[::1]:8022"};
	const char *path = fx_path("kh");
	struct pubkey k;
	struct kh_result r;

	(void)state;
	generate("-N ''");
	load_pub_file(&k, fx_path("k.pub"));
	fx_run("rm -f '%s'", path);
	for (size_t i = 0; i < 4; i++) /* ssh-keygen finds what we add, hashed or not */
		for (int hash = 0; hash < 2; hash++) {
			assert_int_equal(kh_add(path, hosts[i], &k, hash), 0);
			assert_int_equal(fx_run("ssh-keygen -F '%s' -f '%s' >/dev/null", hosts[i], path), 0);
			assert_int_equal(fx_run("ssh-keygen -R '%s' -f '%s' >/dev/null 2>&1", hosts[i], path),
			    0);
			assert_int_not_equal(fx_run("ssh-keygen -F '%s' -f '%s' >/dev/null", hosts[i], path),
			    0);
		}
	for (size_t i = 0; i < 4; i++) /* and we find what it hashed */
		assert_int_equal(kh_add(path, hosts[i], &k, false), 0);
	assert_int_equal(fx_run("ssh-keygen -H -f '%s' >/dev/null 2>&1", path), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(kh_check(&path, 1, hosts[i], NULL, &k, &r), 0);
		assert_int_equal(r.status, KH_OK);
		assert_int_equal(r.line, i + 1);
		kh_result_free(&r);
	}
	pubkey_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_files),
		cmocka_unit_test(other_types),
		cmocka_unit_test(shown),
		cmocka_unit_test(saved),
		cmocka_unit_test(signed_by_us),
		cmocka_unit_test(signed_by_keygen),
		cmocka_unit_test(known_hosts),
	};
	fx_need("ssh-keygen");
	fx_folder();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fx_done();
	return failed;
}
