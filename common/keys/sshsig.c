/* SSHSIG: signatures over a hash of a message, in a namespace. */
#include <string.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keys.h"

#define MAGIC "SSHSIG"
#define HASH_NAME "sha512"
#define SIG_LEN 64

int
sshsig_tbs(struct buf *out, const char *ns, const void *msg, size_t n)
{
	uint8_t h[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(h, msg, n);
	buf_put(out, MAGIC, strlen(MAGIC));
	buf_put_sshstr(out, ns, strlen(ns));
	buf_put_sshstr(out, "", 0); /* reserved */
	buf_put_sshstr(out, HASH_NAME, strlen(HASH_NAME));
	return buf_put_sshstr(out, h, sizeof(h));
}

int
sshsig_sign(struct buf *sigblob, const struct privkey *k, const void *tbs, size_t n)
{
	uint8_t sig[SIG_LEN];

	int err = privkey_sign_raw(k, tbs, n, sig);
	if (err)
		return err;
	buf_put_sshstr(sigblob, KEY_ED25519_NAME, strlen(KEY_ED25519_NAME));
	return buf_put_sshstr(sigblob, sig, sizeof(sig));
}

int
sshsig_verify(const struct pubkey *k, const void *tbs, size_t n, const uint8_t *sigblob,
    size_t siglen)
{
	struct rd r;

	rd_init(&r, sigblob, siglen);
	struct bytes type = rd_sshstr(&r, sizeof(k->type) - 1);
	struct bytes sig = rd_sshstr(&r, KEY_BLOB_MAX);
	if (rd_end(&r) != 0)
		return QERR_FORMAT;
	if (!k->ed25519)
		return QERR_UNSUPPORTED;
	if (type.n != strlen(KEY_ED25519_NAME) || memcmp(type.p, KEY_ED25519_NAME, type.n) != 0)
		return QERR_SIGNATURE; /* of another type of key */
	if (sig.n != SIG_LEN)
		return QERR_FORMAT;
	return pubkey_verify_raw(k->pk, tbs, n, sig.p) ? 0 : QERR_SIGNATURE;
}
