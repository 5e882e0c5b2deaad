/* bcrypt_pbkdf against OpenBSD's published vectors. */
#include "tests/unit/keys_fixture.h"

#include <string.h>
#include <sodium.h>

#include "common/base/err.h"

static const struct {
	const char *pass;
	size_t passlen;
	const char *salt;
	size_t saltlen;
	unsigned rounds;
	const char *key;
} vectors[] = {
	{"password", 8, "salt", 4, 4,
	    "5bbf0cc293587f1c3635555c27796598d47e579071bf427e9d8fbe842aba34d9"},
	{"password", 8, "\0", 1, 4, "c12b566235eee04c212598970a579a67"},
	{"\0", 1, "salt", 4, 4, "6051be18c2f4f82cbf0efee5471b4bb9"},
	{"password\0", 9, "salt\0", 5, 4,
	    "7410e44cf4fa07bfaac8a928b1727fac001375e7bf7384370f48efd121743050"},
	/* two blocks, interleaved */
	{"password", 8, "salt", 4, 8,
	    "e1367ec5151a33faac4cc1c144cd23fa15d5548493ecc99b9b5d9c0d3b27bec7"
	    "6227ea66088b849b20ab7aa478010246e74bba51723fefa9f9474d6508845e8d"},
};

static void
published(void **state)
{
	uint8_t key[64], want[64];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		assert_int_equal(sodium_hex2bin(want, sizeof(want), vectors[i].key,
				     strlen(vectors[i].key), NULL, &n, NULL), 0);
		assert_int_equal(bcrypt_pbkdf(vectors[i].pass, vectors[i].passlen,
				     (const uint8_t *)vectors[i].salt, vectors[i].saltlen, key, n,
				     vectors[i].rounds), 0);
		assert_memory_equal(key, want, n);
	}
}

static void
exact_length(void **state)
{
	uint8_t key[34];

	(void)state;
	memset(key, 0xee, sizeof(key));
	assert_int_equal(bcrypt_pbkdf("p", 1, (const uint8_t *)"s", 1, key, 33, 1), 0);
	assert_int_equal(key[33], 0xee);
}

static void
bad_arguments(void **state)
{
	const uint8_t *s = (const uint8_t *)"salt";
	uint8_t key[1025];

	(void)state;
	assert_int_equal(bcrypt_pbkdf("", 0, s, 4, key, 32, 1), QERR_INVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, s, 0, key, 32, 1), QERR_INVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, s, 4, key, 0, 1), QERR_INVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, s, 4, key, 1025, 1), QERR_INVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, s, 4, key, 32, 0), QERR_INVAL);
	assert_int_equal(bcrypt_pbkdf("p", 1, s, 4, key, 32, BCRYPT_ROUNDS_MAX + 1), QERR_INVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published),
		cmocka_unit_test(exact_length),
		cmocka_unit_test(bad_arguments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
