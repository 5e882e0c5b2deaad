/* Packet protection (RFC 9001 section 5): AEAD and header protection masks, by whichever library is
 * fastest on this processor. Keys are objects of one direction each; nothing here allocates,
 * blocks or makes a system call once they are made. Not for more than one thread. */
#ifndef QSH_QUIC_PROTECT_PROTECT_H
#define QSH_QUIC_PROTECT_PROTECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protect_suite {
	PROTECT_AES_128_GCM,
	PROTECT_AES_256_GCM,
	PROTECT_CHACHA20_POLY1305,
	PROTECT_SUITES
};

#define PROTECT_KEY_MAX 32
#define PROTECT_NONCE 12
#define PROTECT_TAG 16
#define PROTECT_SAMPLE 16
#define PROTECT_MASK 5

/* What the processor has, as far as it decides something here. */
#define PROTECT_CPU_AES 0x1u /* instructions for AES and carry-less multiplication */
#define PROTECT_CPU_MB 0x2u  /* what libipsec-mb's fast code needs */

/* Asks the processor. */
unsigned protect_cpu(void);
/* Chooses the implementations for keys made from now on. Called once a process (quic_init), before a
 * sandbox closes; again only by tests, with other features than the processor has. Without it all
 * works, with GnuTLS alone. */
void protect_init(unsigned cpu);
/* As protect_init, but loads no library's code yet: keys use GnuTLS until protect_settle, which installing the first keys
 * that carry data (keys_install) calls too. */
void protect_init_later(unsigned cpu);
/* Does what is left of protect_init; nothing, if nothing is. */
void protect_settle(void);
/* Is AES the faster choice here (else ChaCha20)? */
bool protect_prefers_aes(void);
/* Which library protects: "libipsec-mb", "GnuTLS". */
const char *protect_library(void);
/* Bytes of a suite's keys, for AEAD as well as header protection. */
size_t protect_keylen(enum protect_suite suite);

struct protect_aead;
/* The key is copied. QERR_NOMEM, QERR_CRYPTO. */
int protect_aead_new(struct protect_aead **out, enum protect_suite suite, const uint8_t *key);
/* Wipes and frees; *a may be NULL. */
void protect_aead_free(struct protect_aead **a);
/* Writes n + PROTECT_TAG bytes to dest, which may be p. QERR_CRYPTO. */
int protect_seal(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen);
/* n counts the tag; writes n - PROTECT_TAG bytes to dest, which may be p. What it wrote must not be used
 * unless it returned 0. QERR_SIGNATURE: not authentic, or shorter than a tag. */
int protect_open(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen);

/* How many packets protect_open has found authentic in this process: what has come to one connection between two
 * looks at it, since there is one thread. */
uint64_t protect_opened(void);

struct protect_hp;
/* The key is copied. QERR_NOMEM, QERR_CRYPTO. */
int protect_hp_new(struct protect_hp **out, enum protect_suite suite, const uint8_t *key);
void protect_hp_free(struct protect_hp **h);
/* RFC 9001 section 5.4.1. QERR_CRYPTO. */
int protect_mask(struct protect_hp *h, uint8_t mask[PROTECT_MASK],
    const uint8_t sample[PROTECT_SAMPLE]);

#endif
