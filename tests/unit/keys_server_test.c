/* What the server's processes use of keys. This program is linked without libcrypto: that it
 * links is half of the test. */
#include "tests/unit/keys_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/keys/authkeys.h"

static void
host_key(void **state)
{
	struct privkey k, made;
	uint8_t sig[64];

	(void)state;
	fx_write(fx_path("host"), fx_plain);
	assert_int_equal(privkey_load_plain(&k, fx_path("host"), true), 0);
	char *fp = pubkey_fingerprint(&k.pub, "sha256");
	assert_string_equal(fp, "SHA256:gpFY6qA3+ZJWOs5PRjmWJ9OCzDcB8woszSUuuEthtUs");
	free(fp);
	assert_int_equal(privkey_sign_raw(&k, "x", 1, sig), 0);
	privkey_free(&k);
	assert_false(certverify_wellformed(sig, sizeof(sig)));
	assert_int_equal(privkey_generate(&made, "host"), 0);
	assert_int_equal(privkey_save(&made, fx_path("made")), 0);
	privkey_free(&made);
	fx_write(fx_path("host"), fx_enc);
	assert_int_equal(privkey_load_plain(&k, fx_path("host"), true), QERR_PASSPHRASE);
	privkey_free(&k);
}

static void
user_key(void **state)
{
	struct authkey_line l;
	struct pubkey k;
	unsigned line;

	(void)state;
	assert_int_equal(pubkey_from_text(&k, fx_plain_pub, NULL), 0);
	assert_int_equal(authkeys_find("f", (const uint8_t *)fx_plain_pub, strlen(fx_plain_pub), &k, &l,
			     &line), 1);
	assert_int_equal(sshsig_verify(&l.key, "x", 1, (const uint8_t *)"", 0), QERR_FORMAT);
	authkey_line_free(&l);
	pubkey_free(&k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_key),
		cmocka_unit_test(user_key),
	};
	fx_folder();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fx_done();
	return failed;
}
