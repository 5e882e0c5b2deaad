/* What an implementation of packet protection brings. */
#ifndef QSH_QUIC_PROTECT_IMPL_H
#define QSH_QUIC_PROTECT_IMPL_H

#include "quic/protect/protect.h"

/* Each implementation's key begins with one of these two. */
struct protect_aead {
	int (*seal)(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
	    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen);
	/* n is without the tag, which follows. */
	int (*open)(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
	    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen);
	void (*free)(struct protect_aead *a);
};

struct protect_hp {
	int (*mask)(struct protect_hp *h, uint8_t mask[PROTECT_MASK],
	    const uint8_t sample[PROTECT_SAMPLE]);
	void (*free)(struct protect_hp *h);
};

struct protect_impl {
	const char *library;
	int (*aead_new)(struct protect_aead **out, enum protect_suite suite, const uint8_t *key);
	/* QERR_UNSUPPORTED: let GnuTLS do it. */
	int (*hp_new)(struct protect_hp **out, enum protect_suite suite, const uint8_t *key);
};

/* Does everything, everywhere. */
extern const struct protect_impl protect_gnutls;

#ifdef HAVE_IPSEC_MB
extern const struct protect_impl protect_ipsecmb;
/* Finds the code for this processor; its keys can be made only after it. QERR_NOMEM, QERR_CRYPTO (it fails
 * its own test), QERR_UNSUPPORTED (no AES instructions: what it would do instead is slow). */
int protect_ipsecmb_start(void);
#endif

#endif
