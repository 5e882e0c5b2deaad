/* Ed25519 private keys in memory. */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keys.h"

void
privkey_free(struct privkey *k)
{
	pubkey_free(&k->pub);
	sodium_free(k->sk); /* wipes */
	free(k->comment);
	memset(k, 0, sizeof(*k));
}

int
privkey_from_seed(struct privkey *k, const uint8_t seed[32])
{
	uint8_t pk[crypto_sign_PUBLICKEYBYTES];

	memset(k, 0, sizeof(*k));
	if (sodium_init() < 0)
		return QERR_CRYPTO;
	k->sk = sodium_malloc(crypto_sign_SECRETKEYBYTES);
	if (!k->sk)
		return QERR_NOMEM;
	crypto_sign_seed_keypair(pk, k->sk, seed);
	int err = pubkey_from_ed25519(&k->pub, pk);
	if (err)
		privkey_free(k);
	return err;
}

int
privkey_generate(struct privkey *k, const char *comment)
{
	uint8_t seed[crypto_sign_SEEDBYTES];

	memset(k, 0, sizeof(*k));
	if (sodium_init() < 0)
		return QERR_CRYPTO;
	randombytes_buf(seed, sizeof(seed));
	int err = privkey_from_seed(k, seed);
	sodium_memzero(seed, sizeof(seed));
	if (err)
		return err;
	k->comment = strdup(comment ? comment : "");
	if (!k->comment) {
		privkey_free(k);
		return QERR_NOMEM;
	}
	return 0;
}

int
privkey_sign_raw(const struct privkey *k, const void *p, size_t n, uint8_t sig[64])
{
	if (!k->sk)
		return QERR_UNSUPPORTED;
	return crypto_sign_detached(sig, NULL, p, n, k->sk) == 0 ? 0 : QERR_CRYPTO;
}

bool
pubkey_verify_raw(const uint8_t pk[32], const void *p, size_t n, const uint8_t sig[64])
{
	return crypto_sign_verify_detached(sig, p, n, pk) == 0;
}
