/* Fingerprints, with the hashes that libsodium has. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/digest.h"

typedef int hash_fn(unsigned char *out, const unsigned char *in, unsigned long long n);

static const struct hash {
	const char *name;
	size_t len;
	hash_fn *fn;
} hashes[] = {
	{"SHA256", crypto_hash_sha256_BYTES, crypto_hash_sha256},
	{"SHA512", crypto_hash_sha512_BYTES, crypto_hash_sha512},
};

int
digest_key(struct digest *d, const struct pubkey *k, const char *hash)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (strcasecmp(hash ? hash : "SHA256", hashes[i].name) != 0)
			continue;
		*d = (struct digest){.name = hashes[i].name, .n = hashes[i].len};
		hashes[i].fn(d->p, k->blob, k->bloblen);
		return 0;
	}
	return QERR_UNKNOWN;
}

static char *
hex_pairs(const struct digest *d)
{
	char text[sizeof(d->p) * 3];

	for (size_t i = 0; i < d->n; i++) {
		static const char hex[] = "0123456789abcdef";
		text[3 * i] = hex[d->p[i] >> 4];
		text[3 * i + 1] = hex[d->p[i] & 15];
		text[3 * i + 2] = i + 1 < d->n ? ':' : '\0';
	}
	return str_printf("%s:%s", d->name, text);
}

char *
digest_fingerprint(const struct digest *d)
{
	if (d->hex)
		return hex_pairs(d);
	char *b64 = str_b64(d->p, d->n);
	if (!b64)
		return NULL;
	b64[strcspn(b64, "=")] = '\0'; /* shown without the padding */
	char *s = str_printf("%s:%s", d->name, b64);
	free(b64);
	return s;
}

char *
pubkey_fingerprint(const struct pubkey *k, const char *hash)
{
	struct digest d;

	return digest_key(&d, k, hash) == 0 ? digest_fingerprint(&d) : NULL;
}
