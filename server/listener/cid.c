#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/err.h"
#include "server/listener/cid.h"

#define BLOCK	   16
#define SERVER_LEN 4
#define RANDOM_LEN 8
#define SLOT_LEN   4

struct cid_keys {
	gnutls_cipher_hd_t route, slot;
	uint8_t server_id[SERVER_LEN];
	uint8_t reset_key[32], former_key[32];
	bool has_former;
};

/* One AES block. GnuTLS has no ECB mode; CBC of one block after a zero vector is the same. */
static int
block(gnutls_cipher_hd_t key, bool encrypt, uint8_t b[BLOCK])
{
	uint8_t zero[BLOCK] = {0};
	int err;

	gnutls_cipher_set_iv(key, zero, sizeof(zero));
	err = encrypt ? gnutls_cipher_encrypt(key, b, BLOCK)
		      : gnutls_cipher_decrypt(key, b, BLOCK);
	return err < 0 ? QERR_CRYPTO : 0;
}

static int
block_key(gnutls_cipher_hd_t *out, const uint8_t key[16])
{
	uint8_t k[16], zero[BLOCK] = {0};
	const gnutls_datum_t kd = {k, sizeof(k)}, iv = {zero, sizeof(zero)};
	int err;

	memcpy(k, key, sizeof(k));
	err = gnutls_cipher_init(out, GNUTLS_CIPHER_AES_128_CBC, &kd, &iv);
	sodium_memzero(k, sizeof(k));
	if (err < 0) {
		*out = NULL;
		return QERR_CRYPTO;
	}
	return 0;
}

int
cid_keys_new(struct cid_keys **out, const struct smsg_linit *init)
{
	struct cid_keys *k = calloc(1, sizeof(*k));
	int err;

	if (k == NULL)
		return QERR_NOMEM;
	memcpy(k->server_id, init->server_id, sizeof(k->server_id));
	memcpy(k->reset_key, init->reset_key, sizeof(k->reset_key));
	if ((err = block_key(&k->route, init->route_key)) != 0 ||
	    (err = block_key(&k->slot, init->slot_key)) != 0) {
		cid_keys_free(&k);
		return err;
	}
	*out = k;
	return 0;
}

void
cid_keys_free(struct cid_keys **kp)
{
	struct cid_keys *k = *kp;

	if (k == NULL)
		return;
	if (k->route != NULL)
		gnutls_cipher_deinit(k->route);
	if (k->slot != NULL)
		gnutls_cipher_deinit(k->slot);
	sodium_memzero(k, sizeof(*k));
	free(k);
	*kp = NULL;
}

void
cid_keys_set_reset(struct cid_keys *k, const uint8_t key[32])
{
	if (memcmp(k->reset_key, key, sizeof(k->reset_key)) == 0)
		return;
	memcpy(k->former_key, k->reset_key, sizeof(k->former_key));
	memcpy(k->reset_key, key, sizeof(k->reset_key));
	k->has_former = true;
}

/* XORs the slot's place in the nonce with its mask: enciphers and deciphers. */
static int
mask_slot(struct cid_keys *k, uint8_t plain[BLOCK])
{
	uint8_t mask[BLOCK] = {0};
	int err;

	memcpy(mask, plain + SERVER_LEN, RANDOM_LEN);
	if ((err = block(k->slot, true, mask)) != 0)
		return err;
	for (size_t i = 0; i < SLOT_LEN; i++)
		plain[SERVER_LEN + RANDOM_LEN + i] ^= mask[i];
	return 0;
}

int
cid_mint(struct cid_keys *k, uint32_t slot, struct quic_cid *out)
{
	uint8_t b[BLOCK];
	uint8_t *slot_at = b + SERVER_LEN + RANDOM_LEN;
	int err;

	memcpy(b, k->server_id, SERVER_LEN);
	randombytes_buf(b + SERVER_LEN, RANDOM_LEN);
	slot_at[0] = (uint8_t)(slot >> 24);
	slot_at[1] = (uint8_t)(slot >> 16);
	slot_at[2] = (uint8_t)(slot >> 8);
	slot_at[3] = (uint8_t)slot;
	if ((err = mask_slot(k, b)) != 0 || (err = block(k->route, true, b)) != 0)
		return err;
	memset(out, 0, sizeof(*out));
	out->len = QUIC_CID_LEN;
	out->id[0] = CID_FIRST;
	memcpy(out->id + 1, b, BLOCK);
	cid_reset_token(k, out->id, out->len, out->reset);
	return 0;
}

int
cid_slot(struct cid_keys *k, const uint8_t *id, size_t n, uint32_t *slot)
{
	uint8_t b[BLOCK];
	const uint8_t *slot_at = b + SERVER_LEN + RANDOM_LEN;

	if (n != QUIC_CID_LEN || id[0] != CID_FIRST)
		return QERR_NOTFOUND;
	memcpy(b, id + 1, BLOCK);
	if (block(k->route, false, b) != 0 || memcmp(b, k->server_id, SERVER_LEN) != 0 ||
	    mask_slot(k, b) != 0)
		return QERR_NOTFOUND;
	*slot = (uint32_t)slot_at[0] << 24 | (uint32_t)slot_at[1] << 16 |
		(uint32_t)slot_at[2] << 8 | slot_at[3];
	return 0;
}

void
cid_reset_token(
    const struct cid_keys *k, const uint8_t *id, size_t n, uint8_t token[QUIC_TOKEN_LEN])
{
	crypto_generichash(token, QUIC_TOKEN_LEN, id, n, k->reset_key, sizeof(k->reset_key));
}

bool
cid_former_reset_token(
    const struct cid_keys *k, const uint8_t *id, size_t n, uint8_t token[QUIC_TOKEN_LEN])
{
	if (!k->has_former)
		return false;
	crypto_generichash(
	    token, QUIC_TOKEN_LEN, id, n, k->former_key, sizeof(k->former_key));
	return true;
}
