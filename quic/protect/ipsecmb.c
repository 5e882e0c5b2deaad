/* Packet protection by libipsec-mb's single-packet functions. Its manager and its queues of jobs are
 * for many packets at once, which QUIC does not have at hand; only the pointers to the code for
 * this processor are taken from it. */
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <sodium.h>

#include "common/base/err.h"
#include "quic/protect/impl.h"

#define ALIGN 64

struct gcm_code {
	aes_gcm_pre_t pre;
	aes_gcm_enc_dec_t enc, dec;
};

/* Set once by protect_ipsecmb_start: the same for the life of the process. */
static struct {
	struct gcm_code gcm[2]; /* 128, 256 */
	keyexp_t keyexp_128;
	aes_cfb_t aes_128_block;
	chacha_poly_init_t chacha_init;
	chacha_poly_enc_dec_update_t chacha_enc, chacha_dec;
	chacha_poly_finalize_t chacha_end;
} code;

struct gcm {
	struct protect_aead base;
	struct gcm_code code;
	struct gcm_context_data ctx;
	_Alignas(ALIGN) struct gcm_key_data key;
};

struct chacha {
	struct protect_aead base;
	uint8_t key[32];
	struct chacha20_poly1305_context_data ctx;
};

struct hp {
	struct protect_hp base;
	_Alignas(16) uint8_t round_keys[11 * 16];
};

int
protect_ipsecmb_start(void)
{
	const uint64_t need =
	    IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2 | IMB_FEATURE_CMOV;
	IMB_MGR *m = alloc_mb_mgr(0);
	int r = QERR_CRYPTO;

	if (m == NULL)
		return QERR_NOMEM;
	if ((m->features & need) != need) {
		free_mb_mgr(m);
		return QERR_UNSUPPORTED;
	}
	init_mb_mgr_auto(m, NULL);
	if (imb_get_errno(m) == 0 && (m->features & IMB_FEATURE_SELF_TEST_PASS) != 0) {
		code.gcm[0] = (struct gcm_code){m->gcm128_pre, m->gcm128_enc, m->gcm128_dec};
		code.gcm[1] = (struct gcm_code){m->gcm256_pre, m->gcm256_enc, m->gcm256_dec};
		code.keyexp_128 = m->keyexp_128;
		code.aes_128_block = m->aes128_cfb_one;
		code.chacha_init = m->chacha20_poly1305_init;
		code.chacha_enc = m->chacha20_poly1305_enc_update;
		code.chacha_dec = m->chacha20_poly1305_dec_update;
		code.chacha_end = m->chacha20_poly1305_finalize;
		r = 0;
	}
	free_mb_mgr(m); /* 200 KiB that nothing needs any more */
	return r;
}

static void *
object_new(size_t n)
{
	void *p;

	if (posix_memalign(&p, ALIGN, n) != 0)
		return NULL;
	memset(p, 0, n);
	return p;
}

static int
gcm_seal(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct gcm *g = (struct gcm *)base;

	g->code.enc(&g->key, &g->ctx, dest, p, n, nonce, aad, aadlen, dest + n, PROTECT_TAG);
	return 0;
}

static int
gcm_open(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct gcm *g = (struct gcm *)base;
	uint8_t tag[PROTECT_TAG];

	g->code.dec(&g->key, &g->ctx, dest, p, n, nonce, aad, aadlen, tag, PROTECT_TAG);
	return crypto_verify_16(tag, p + n) == 0 ? 0 : QERR_SIGNATURE;
}

static void
gcm_free(struct protect_aead *base)
{
	struct gcm *g = (struct gcm *)base;

	sodium_memzero(g, sizeof(*g));
	free(g);
}

static int
chacha_seal(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct chacha *c = (struct chacha *)base;

	code.chacha_init(c->key, &c->ctx, nonce, aad, aadlen);
	code.chacha_enc(c->key, &c->ctx, dest, p, n);
	code.chacha_end(&c->ctx, dest + n, PROTECT_TAG);
	return 0;
}

static int
chacha_open(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct chacha *c = (struct chacha *)base;
	uint8_t tag[PROTECT_TAG];

	code.chacha_init(c->key, &c->ctx, nonce, aad, aadlen);
	code.chacha_dec(c->key, &c->ctx, dest, p, n);
	code.chacha_end(&c->ctx, tag, PROTECT_TAG);
	return crypto_verify_16(tag, p + n) == 0 ? 0 : QERR_SIGNATURE;
}

static void
chacha_free(struct protect_aead *base)
{
	struct chacha *c = (struct chacha *)base;

	sodium_memzero(c, sizeof(*c));
	free(c);
}

static int
chacha_new(struct protect_aead **out, const uint8_t *key)
{
	struct chacha *c = object_new(sizeof(*c));

	if (c == NULL)
		return QERR_NOMEM;
	c->base = (struct protect_aead){chacha_seal, chacha_open, chacha_free};
	memcpy(c->key, key, sizeof(c->key));
	*out = &c->base;
	return 0;
}

static int
aead_new(struct protect_aead **out, enum protect_suite suite, const uint8_t *key)
{
	struct gcm *g;

	if (suite == PROTECT_CHACHA20_POLY1305)
		return chacha_new(out, key);
	g = object_new(sizeof(*g));
	if (g == NULL)
		return QERR_NOMEM;
	g->base = (struct protect_aead){gcm_seal, gcm_open, gcm_free};
	g->code = code.gcm[suite == PROTECT_AES_256_GCM];
	g->code.pre(key, &g->key);
	*out = &g->base;
	return 0;
}

/* CFB of zeros: the encrypted IV, which is the one block that is wanted. */
static int
hp_mask(struct protect_hp *base, uint8_t mask[PROTECT_MASK], const uint8_t sample[PROTECT_SAMPLE])
{
	static const uint8_t zeros[PROTECT_SAMPLE];
	struct hp *h = (struct hp *)base;
	uint8_t block[PROTECT_SAMPLE];

	code.aes_128_block(block, zeros, sample, h->round_keys, sizeof(block));
	memcpy(mask, block, PROTECT_MASK);
	return 0;
}

static void
hp_free(struct protect_hp *base)
{
	struct hp *h = (struct hp *)base;

	sodium_memzero(h, sizeof(*h));
	free(h);
}

static int
hp_new(struct protect_hp **out, enum protect_suite suite, const uint8_t *key)
{
	_Alignas(16) uint8_t unused[11 * 16]; /* for decryption */
	struct hp *h;

	/* It has single blocks of AES-128 only. */
	if (suite != PROTECT_AES_128_GCM)
		return QERR_UNSUPPORTED;
	h = object_new(sizeof(*h));
	if (h == NULL)
		return QERR_NOMEM;
	h->base = (struct protect_hp){hp_mask, hp_free};
	code.keyexp_128(key, h->round_keys, unused);
	sodium_memzero(unused, sizeof(unused));
	*out = &h->base;
	return 0;
}

const struct protect_impl protect_ipsecmb = {"libipsec-mb", aead_new, hp_new};
