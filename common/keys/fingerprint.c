/* Fingerprints with the hashes that libsodium has. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sodium.h>

#include "common/base/str.h"
#include "common/keys/keys.h"

typedef int hash_fn(unsigned char *out, const unsigned char *in, unsigned long long n);

static const struct hash {
	const char *name;
	size_t len;
	hash_fn *fn;
} hashes[] = {
	{"SHA256", crypto_hash_sha256_BYTES, crypto_hash_sha256},
	{"SHA512", crypto_hash_sha512_BYTES, crypto_hash_sha512},
};

char *
pubkey_fingerprint(const struct pubkey *k, const char *hash)
{
	uint8_t digest[crypto_hash_sha512_BYTES];

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (hash ? strcasecmp(hash, hashes[i].name) != 0 : i != 0)
			continue;
		hashes[i].fn(digest, k->blob, k->bloblen);
		char *b64 = str_b64(digest, hashes[i].len);
		if (!b64)
			return NULL;
		b64[strcspn(b64, "=")] = '\0'; /* shown without the padding */
		char *s = str_printf("%s:%s", hashes[i].name, b64);
		free(b64);
		return s;
	}
	return NULL;
}
