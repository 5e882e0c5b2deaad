/* SSHSIG blobs, and what a host key agrees to sign. */
#include "tests/unit/keys_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

static void
tbs_bytes(void **state)
{
	/* magic, namespace, reserved, hash name, SHA-512 of "abc" (FIPS 180-4) */
	static const char head[] = "SSHSIG\0\0\0\2ns\0\0\0\0\0\0\0\6sha512\0\0\0\x40\xdd\xaf\x35\xa1";
	struct buf b;

	(void)state;
	buf_init(&b, 1024);
	assert_int_equal(sshsig_tbs(&b, "ns", "abc", 3), 0);
	assert_int_equal(buf_len(&b), 6 + 6 + 4 + 10 + 4 + 64);
	assert_memory_equal(buf_data(&b), head, sizeof(head) - 1);
	buf_free(&b);
	buf_init(&b, 20);
	assert_int_equal(sshsig_tbs(&b, "ns", "abc", 3), QERR_TOOBIG);
	buf_free(&b);
}

static void
sign_and_verify(void **state)
{
	static const uint8_t seed[32] = {1, 2, 3};
	struct privkey k;
	struct buf sig;

	(void)state;
	buf_init(&sig, 1024);
	assert_int_equal(privkey_from_seed(&k, seed), 0);
	assert_int_equal(sshsig_sign(&sig, &k, "tbs", 3), 0);
	assert_int_equal(buf_len(&sig), 4 + 11 + 4 + 64);
	uint8_t blob[84] = {0}; /* with a byte too many */
	memcpy(blob, buf_data(&sig), 83);
	assert_int_equal(sshsig_verify(&k.pub, "tbs", 3, blob, 83), 0);
	assert_int_equal(sshsig_verify(&k.pub, "tbt", 3, blob, 83), QERR_SIGNATURE);
	assert_int_equal(sshsig_verify(&k.pub, "tbs", 2, blob, 83), QERR_SIGNATURE);
	for (size_t n = 0; n < 83; n++)
		assert_int_equal(sshsig_verify(&k.pub, "tbs", 3, blob, n), QERR_FORMAT);
	assert_int_equal(sshsig_verify(&k.pub, "tbs", 3, blob, 84), QERR_FORMAT);
	for (size_t i = 0; i < 83 * 8; i++) {
		blob[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_true(sshsig_verify(&k.pub, "tbs", 3, blob, 83) < 0);
		blob[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	k.pub.pk[0] ^= 1;
	assert_int_equal(sshsig_verify(&k.pub, "tbs", 3, blob, 83), QERR_SIGNATURE);
	k.pub.ed25519 = false;
	assert_int_equal(sshsig_verify(&k.pub, "tbs", 3, blob, 83), QERR_UNSUPPORTED);
	buf_free(&sig);
	privkey_free(&k);
	assert_int_equal(sshsig_sign(&sig, &k, "tbs", 3), QERR_UNSUPPORTED); /* no secret half */
	buf_free(&sig);
}

/* RFC 8032 section 7.1, test 3. */
static void
published_signature(void **state)
{
	static const uint8_t seed[32] = {0xc5, 0xaa, 0x8d, 0xf4, 0x3f, 0x9f, 0x83, 0x7b, 0xed, 0xb7, 0x44,
	    0x2f, 0x31, 0xdc, 0xb7, 0xb1, 0x66, 0xd3, 0x85, 0x35, 0x07, 0x6f, 0x09, 0x4b, 0x85, 0xce,
	    0x3a, 0x2e, 0x0b, 0x44, 0x58, 0xf7};
	static const uint8_t start[8] = {0x62, 0x91, 0xd6, 0x57, 0xde, 0xec, 0x24, 0x02};
	struct privkey k;
	uint8_t sig[64];

	(void)state;
	assert_int_equal(privkey_from_seed(&k, seed), 0);
	assert_int_equal(privkey_sign_raw(&k, "\xaf\x82", 2, sig), 0);
	assert_memory_equal(sig, start, sizeof(start));
	privkey_free(&k);
}

static size_t
certverify(uint8_t *p, const char *context, size_t hash)
{
	size_t n = strlen(context) + 1;

	memset(p, ' ', 64);
	memcpy(p + 64, context, n);
	memset(p + 64 + n, 0xab, hash);
	return 64 + n + hash;
}

static void
host_key_input(void **state)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	uint8_t p[256];

	(void)state;
	assert_int_equal(certverify(p, context, 32), 130);
	assert_true(certverify_wellformed(p, 130));
	assert_int_equal(certverify(p, context, 48), 146);
	assert_true(certverify_wellformed(p, 146));
	for (size_t n = 0; n < sizeof(p); n++)
		assert_int_equal(certverify_wellformed(p, n), n == 130 || n == 146);
	for (size_t i = 0; i < 98; i++) { /* every byte before the hash counts */
		p[i] ^= 0x20;
		assert_false(certverify_wellformed(p, 146));
		p[i] ^= 0x20;
	}
	assert_true(certverify_wellformed(p, 146));
	/* What else TLS signs: a client's. */
	size_t n = certverify(p, "TLS 1.3, client CertificateVerify", 48);
	assert_false(certverify_wellformed(p, n));
	/* What SSH signs has other beginnings. */
	struct buf b;
	buf_init(&b, 1024);
	assert_int_equal(sshsig_tbs(&b, context, "", 0), 0);
	assert_false(certverify_wellformed(buf_data(&b), buf_len(&b)));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tbs_bytes),
		cmocka_unit_test(sign_and_verify),
		cmocka_unit_test(published_signature),
		cmocka_unit_test(host_key_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
