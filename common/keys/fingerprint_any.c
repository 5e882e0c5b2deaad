/* Fingerprints and pictures of keys with MD5 too, which comes from libcrypto. */
#include <strings.h>
#include <openssl/evp.h>

#include "common/base/err.h"
#include "common/keys/digest.h"

static int
digest_any(struct digest *d, const struct pubkey *k, const char *hash)
{
	unsigned n = 0;

	if (!hash || strcasecmp(hash, "md5") != 0)
		return digest_key(d, k, hash);
	*d = (struct digest){.name = "MD5", .hex = true};
	if (EVP_Digest(k->blob, k->bloblen, d->p, &n, EVP_md5(), NULL) != 1)
		return QERR_CRYPTO; /* not to be had in a FIPS build */
	d->n = n;
	return 0;
}

char *
pubkey_fingerprint_any(const struct pubkey *k, const char *hash)
{
	struct digest d;

	return digest_any(&d, k, hash) == 0 ? digest_fingerprint(&d) : NULL;
}

char *
pubkey_randomart_any(const struct pubkey *k, const char *hash)
{
	struct digest d;

	return digest_any(&d, k, hash) == 0 ? digest_randomart(&d, k) : NULL;
}
