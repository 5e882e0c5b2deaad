/* Decrypting private key files: bcrypt_pbkdf, then a cipher by its SSH name. */
#include <string.h>
#include <openssl/evp.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keyfile.h"

#define KEY_MAX 64
#define IV_MAX  16

struct cipher {
	const char *name;
	const EVP_CIPHER *(*evp)(void); /* NULL: ChaCha20-Poly1305, from libsodium */
	size_t key, iv, block, tag;
};

static const struct cipher ciphers[] = {
	{"aes256-ctr", EVP_aes_256_ctr, 32, 16, 16, 0},
	{"aes192-ctr", EVP_aes_192_ctr, 24, 16, 16, 0},
	{"aes128-ctr", EVP_aes_128_ctr, 16, 16, 16, 0},
	{"aes256-cbc", EVP_aes_256_cbc, 32, 16, 16, 0},
	{"aes192-cbc", EVP_aes_192_cbc, 24, 16, 16, 0},
	{"aes128-cbc", EVP_aes_128_cbc, 16, 16, 16, 0},
	{"3des-cbc", EVP_des_ede3_cbc, 24, 8, 8, 0},
	{"aes256-gcm@openssh.com", EVP_aes_256_gcm, 32, 12, 16, 16},
	{"aes128-gcm@openssh.com", EVP_aes_128_gcm, 16, 12, 16, 16},
	{"chacha20-poly1305@openssh.com", NULL, 64, 0, 8, 16},
};

static const struct cipher *
cipher_find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (strlen(ciphers[i].name) == name.n &&
		    memcmp(ciphers[i].name, name.p, name.n) == 0)
			return &ciphers[i];
	return NULL;
}

static int
open_evp(const struct cipher *c, uint8_t *out, const struct keyfile *kf, const uint8_t *key)
{
	int n = 0, end = 0, err = QERR_CRYPTO;

	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return QERR_NOMEM;
	if (EVP_DecryptInit_ex(ctx, c->evp(), NULL, key, key + c->key) != 1 ||
	    EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		goto out;
	if (c->tag) {
		uint8_t tag[16];
		memcpy(tag, kf->tag.p, sizeof(tag));
		if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
			goto out;
	}
	if (EVP_DecryptUpdate(ctx, out, &n, kf->secret.p, (int)kf->secret.n) != 1)
		goto out;
	if (EVP_DecryptFinal_ex(ctx, out + n, &end) != 1)
		err = QERR_PASSPHRASE; /* only a tag can fail here: the length was checked */
	else
		err = (size_t)n + (size_t)end == kf->secret.n ? 0 : QERR_CRYPTO;
out:
	EVP_CIPHER_CTX_free(ctx);
	return err;
}

/* The construction of SSH (PROTOCOL.chacha20poly1305) for packet 0 without a length field:
 * block 0 of the stream keys Poly1305 over the ciphertext, which begins at block 1. */
static int
open_chachapoly(uint8_t *out, const struct keyfile *kf, const uint8_t *key)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t poly_key[crypto_onetimeauth_poly1305_KEYBYTES];
	int err = QERR_PASSPHRASE;

	crypto_stream_chacha20(poly_key, sizeof(poly_key), nonce, key);
	const struct bytes *c = &kf->secret;
	if (crypto_onetimeauth_poly1305_verify(kf->tag.p, c->p, c->n, poly_key) == 0) {
		crypto_stream_chacha20_xor_ic(out, c->p, c->n, nonce, 1, key);
		err = 0;
	}
	sodium_memzero(poly_key, sizeof(poly_key));
	return err;
}

int
keyfile_decrypt(struct privkey *k, const struct keyfile *kf, const char *passphrase)
{
	uint8_t key[KEY_MAX + IV_MAX];
	uint8_t *plain = NULL;

	const struct cipher *c = cipher_find(kf->cipher);
	if (!c) {
		/* Shorter than there is room for: keyfile_open has seen to it. */
		memcpy(k->cipher, kf->cipher.p, kf->cipher.n);
		k->cipher[kf->cipher.n] = '\0';
		return QERR_UNSUPPORTED;
	}
	if (kf->secret.n == 0 || kf->secret.n % c->block != 0 || kf->tag.n != c->tag)
		return QERR_FORMAT;
	if (!passphrase || !*passphrase)
		return QERR_PASSPHRASE;
	int err = bcrypt_pbkdf(passphrase, strlen(passphrase), kf->salt.p, kf->salt.n, key,
	    c->key + c->iv, kf->rounds);
	if (err)
		return QERR_FORMAT;
	plain = sodium_malloc(kf->secret.n);
	if (!plain)
		err = QERR_NOMEM;
	else
		err = c->evp ? open_evp(c, plain, kf, key) : open_chachapoly(plain, kf, key);
	if (!err)
		err = keyfile_private(k, (struct bytes){plain, kf->secret.n}, QERR_PASSPHRASE);
	sodium_free(plain);
	sodium_memzero(key, sizeof(key));
	return err;
}
