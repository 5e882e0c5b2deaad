/* Packet protection by GnuTLS: on every processor, for every suite. */
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <sodium.h>

#include "common/base/err.h"
#include "quic/protect/impl.h"

static const struct suite {
	gnutls_cipher_algorithm_t aead, hp;
} suites[PROTECT_SUITES] = {
    [PROTECT_AES_128_GCM] = {GNUTLS_CIPHER_AES_128_GCM, GNUTLS_CIPHER_AES_128_CBC},
    [PROTECT_AES_256_GCM] = {GNUTLS_CIPHER_AES_256_GCM, GNUTLS_CIPHER_AES_256_CBC},
    [PROTECT_CHACHA20_POLY1305] = {GNUTLS_CIPHER_CHACHA20_POLY1305, GNUTLS_CIPHER_CHACHA20_32},
};

struct aead {
	struct protect_aead base;
	gnutls_aead_cipher_hd_t hd; /* wipes its key when it ends */
};

struct hp {
	struct protect_hp base;
	gnutls_cipher_hd_t hd;
	bool chacha;
};

static int
aead_seal(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct aead *a = (struct aead *)base;
	size_t len = n + PROTECT_TAG;

	return gnutls_aead_cipher_encrypt(a->hd, nonce, PROTECT_NONCE, aad, aadlen, PROTECT_TAG, p, n,
		   dest, &len) == 0 ?
	    0 :
	    QERR_CRYPTO;
}

static int
aead_open(struct protect_aead *base, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	struct aead *a = (struct aead *)base;
	size_t len = n;

	return gnutls_aead_cipher_decrypt(a->hd, nonce, PROTECT_NONCE, aad, aadlen, PROTECT_TAG, p,
		   n + PROTECT_TAG, dest, &len) == 0 ?
	    0 :
	    QERR_SIGNATURE;
}

static void
aead_free(struct protect_aead *base)
{
	struct aead *a = (struct aead *)base;

	gnutls_aead_cipher_deinit(a->hd);
	free(a);
}

/* GnuTLS reads what it takes as a datum that could be written to. */
static gnutls_datum_t
key_datum(uint8_t buf[PROTECT_KEY_MAX], enum protect_suite suite, const uint8_t *key)
{
	gnutls_datum_t d = {buf, (unsigned)protect_keylen(suite)};

	memcpy(buf, key, d.size);
	return d;
}

static int
aead_new(struct protect_aead **out, enum protect_suite suite, const uint8_t *key)
{
	uint8_t buf[PROTECT_KEY_MAX];
	gnutls_datum_t d = key_datum(buf, suite, key);
	struct aead *a = calloc(1, sizeof(*a));
	int r = a != NULL ? 0 : QERR_NOMEM;

	if (r == 0 && gnutls_aead_cipher_init(&a->hd, suites[suite].aead, &d) != 0)
		r = QERR_CRYPTO;
	sodium_memzero(buf, sizeof(buf));
	if (r != 0) {
		free(a);
		return r;
	}
	a->base = (struct protect_aead){aead_seal, aead_open, aead_free};
	*out = &a->base;
	return 0;
}

/* One block of AES is a block of CBC with nothing before it; ChaCha20 takes counter and nonce from the
 * sample (RFC 9001 sections 5.4.3 and 5.4.4). */
static int
hp_mask(struct protect_hp *base, uint8_t mask[PROTECT_MASK], const uint8_t sample[PROTECT_SAMPLE])
{
	struct hp *h = (struct hp *)base;
	uint8_t iv[PROTECT_SAMPLE] = {0}, in[PROTECT_SAMPLE] = {0}, out[PROTECT_SAMPLE];

	memcpy(h->chacha ? iv : in, sample, PROTECT_SAMPLE);
	gnutls_cipher_set_iv(h->hd, iv, sizeof(iv));
	if (gnutls_cipher_encrypt2(h->hd, in, sizeof(in), out, sizeof(out)) != 0)
		return QERR_CRYPTO;
	memcpy(mask, out, PROTECT_MASK);
	return 0;
}

static void
hp_free(struct protect_hp *base)
{
	struct hp *h = (struct hp *)base;

	gnutls_cipher_deinit(h->hd);
	free(h);
}

static int
hp_new(struct protect_hp **out, enum protect_suite suite, const uint8_t *key)
{
	uint8_t buf[PROTECT_KEY_MAX];
	gnutls_datum_t d = key_datum(buf, suite, key);
	struct hp *h = calloc(1, sizeof(*h));
	int r = h != NULL ? 0 : QERR_NOMEM;

	if (r == 0 && gnutls_cipher_init(&h->hd, suites[suite].hp, &d, NULL) != 0)
		r = QERR_CRYPTO;
	sodium_memzero(buf, sizeof(buf));
	if (r != 0) {
		free(h);
		return r;
	}
	h->chacha = suite == PROTECT_CHACHA20_POLY1305;
	h->base = (struct protect_hp){hp_mask, hp_free};
	*out = &h->base;
	return 0;
}

const struct protect_impl protect_gnutls = {"GnuTLS", aead_new, hp_new};
