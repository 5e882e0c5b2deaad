/* Hashes of keys, for people to compare. Inside common/keys only. */
#ifndef QSH_KEYS_DIGEST_H
#define QSH_KEYS_DIGEST_H

#include "common/keys/keys.h"

struct digest {
	const char *name;    /* "SHA256" */
	uint8_t p[64];
	size_t n;
	bool hex;            /* shown as hex pairs, not as base 64 */
};
/* 0, or QERR_UNKNOWN: not a hash that libsodium has. hash NULL: SHA-256. */
int digest_key(struct digest *d, const struct pubkey *k, const char *hash);
/* Fresh memory, NULL where there is none. */
char *digest_fingerprint(const struct digest *d);
char *digest_randomart(const struct digest *d, const struct pubkey *k);

#endif
