/* Public keys: forms, names, fingerprints, pictures. Expected values are ssh-keygen's. */
#include "tests/unit/keys_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

static void
text_round_trip(void **state)
{
	static const char *const texts[] = {fx_plain_pub, fx_enc_pub, fx_rsa_pub, fx_ecdsa_pub};
	struct pubkey k;
	const char *rest;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pubkey_from_text(&k, texts[i], &rest), 0);
		assert_int_equal(*rest, ' ');
		char *s = pubkey_to_text(&k);
		assert_int_equal(strlen(s), (size_t)(rest - texts[i]));
		assert_memory_equal(s, texts[i], strlen(s));
		assert_int_equal(k.ed25519, i < 2);
		free(s);
		pubkey_free(&k);
		assert_null(k.blob);
	}
}

static void
text_malformed(void **state)
{
	static const char *const bad[] = {
		"", " ", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+",  /* cut */
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23A==",  /* short */
		"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A",      /* type */
		"ssh-ed2551 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+AAA==", /* long */
	};
	struct pubkey k;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(pubkey_from_text(&k, bad[i], NULL) < 0);
		assert_null(k.blob);
	}
}

static void
blob_malformed(void **state)
{
	struct pubkey k, copy;
	uint8_t blob[64];

	(void)state;
	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	assert_int_equal(k.bloblen, 51);
	for (size_t n = 0; n < k.bloblen; n++) {
		assert_int_equal(pubkey_from_blob(&copy, k.blob, n), QERR_TRUNC);
		assert_null(copy.blob);
	}
	memcpy(blob, k.blob, 51);
	blob[51] = 0;
	assert_int_equal(pubkey_from_blob(&copy, blob, 52), QERR_FORMAT);
	blob[5] = ' '; /* in the name */
	assert_int_equal(pubkey_from_blob(&copy, blob, 51), QERR_FORMAT);
	blob[0] = 0xff;
	assert_int_equal(pubkey_from_blob(&copy, blob, 51), QERR_TOOBIG);
	assert_int_equal(pubkey_from_blob(&copy, (const uint8_t *)"\0\0\0\0", 4), QERR_FORMAT);
	assert_int_equal(pubkey_from_blob(&copy, k.blob, KEY_BLOB_MAX + 1), QERR_TOOBIG);
	pubkey_free(&k);
}

static void
from_raw(void **state)
{
	struct pubkey k, made;

	(void)state;
	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	assert_int_equal(pubkey_from_ed25519(&made, k.pk), 0);
	assert_true(pubkey_equal(&k, &made));
	made.blob[50] ^= 1;
	assert_false(pubkey_equal(&k, &made));
	pubkey_free(&made);
	assert_false(pubkey_equal(&k, &made));
	assert_false(pubkey_equal(&made, &made)); /* no key is equal to none */
	pubkey_free(&k);
}

static void
names_and_sizes(void **state)
{
	static const struct {
		const char *text, *short_type;
		unsigned bits;
	} rows[] = {{fx_plain_pub, "ED25519", 256}, {fx_rsa_pub, "RSA", 3072},
	    {fx_ecdsa_pub, "ECDSA", 256}};
	struct pubkey k;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pubkey_from_text(&k, rows[i].text, NULL), 0);
		assert_string_equal(pubkey_short_type(&k), rows[i].short_type);
		assert_int_equal(pubkey_bits(&k), rows[i].bits);
		pubkey_free(&k);
	}
	/* A type that nobody knows is shown by its name. */
	assert_int_equal(pubkey_from_blob(&k, (const uint8_t *)"\0\0\0\3abc", 7), 0);
	assert_string_equal(pubkey_short_type(&k), "abc");
	assert_int_equal(pubkey_bits(&k), 0);
	pubkey_free(&k);
	/* The top byte may have zero bits; a zero byte before it keeps the number positive. */
	assert_int_equal(pubkey_from_blob(&k, (const uint8_t *)"\0\0\0\7ssh-rsa\0\0\0\1\3\0\0\0\3\0\x1f\xff",
			     23), 0);
	assert_int_equal(pubkey_bits(&k), 13);
	pubkey_free(&k);
	/* A known one whose numbers are missing has no size. */
	assert_int_equal(pubkey_from_blob(&k, (const uint8_t *)"\0\0\0\7ssh-rsa\0\0\0\1\3", 16), 0);
	assert_int_equal(pubkey_bits(&k), 0);
	pubkey_free(&k);
}

static void
fingerprints(void **state)
{
	static const struct {
		const char *hash, *want;
	} rows[] = {
		{NULL, "SHA256:gpFY6qA3+ZJWOs5PRjmWJ9OCzDcB8woszSUuuEthtUs"},
		{"sha256", "SHA256:gpFY6qA3+ZJWOs5PRjmWJ9OCzDcB8woszSUuuEthtUs"},
		{"SHA256", "SHA256:gpFY6qA3+ZJWOs5PRjmWJ9OCzDcB8woszSUuuEthtUs"},
		{"sha512", "SHA512:0Kj0oo12sIuCj+7jjvMmxvV0tSLFgoJg/+F1g9cktY+"
			   "nBMVYtcL7nV3+ljaa94zR6uqTFAKCUxbxWSd6HrLmzA"},
		{"md5", "MD5:31:0a:e8:7d:2d:e6:4e:3b:af:dd:e6:83:43:34:af:2a"},
	};
	struct pubkey k;

	(void)state;
	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *s = pubkey_fingerprint_any(&k, rows[i].hash);
		assert_string_equal(s, rows[i].want);
		free(s);
	}
	assert_null(pubkey_fingerprint(&k, "md5"));
	assert_null(pubkey_fingerprint_any(&k, "crc32"));
	pubkey_free(&k);
}

static void
picture(void **state)
{
	static const char want[] = "+--[ED25519 256]--+\n"
				   "|  +.o            |\n"
				   "|o+.X..           |\n"
				   "|*+*E=            |\n"
				   "|+Oo+.B           |\n"
				   "|o.X.# + S        |\n"
				   "|.o X B .         |\n"
				   "|. * +            |\n"
				   "| + =             |\n"
				   "|  o..            |\n"
				   "+----[SHA256]-----+\n";
	struct pubkey k;

	(void)state;
	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	char *s = pubkey_randomart(&k);
	assert_string_equal(s, want);
	free(s);
	/* A name as long as names get still fits the frame. */
	memset(k.type, 'x', sizeof(k.type) - 1);
	s = pubkey_randomart(&k);
	assert_int_equal(strlen(s), strlen(want));
	free(s);
	pubkey_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trip),
		cmocka_unit_test(text_malformed),
		cmocka_unit_test(blob_malformed),
		cmocka_unit_test(from_raw),
		cmocka_unit_test(names_and_sizes),
		cmocka_unit_test(fingerprints),
		cmocka_unit_test(picture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
