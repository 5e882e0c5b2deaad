/* The choice between implementations, by what the processor has. */
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

#include "common/base/err.h"
#include "quic/protect/impl.h"

/* What the processor has does not change while the program runs: kept for the process, set by
 * protect_init alone. */
static struct {
	const struct protect_impl *first; /* NULL: none but GnuTLS */
	bool aes;
	bool later; /* libipsec-mb may do, and was not asked yet */
} chosen = {NULL, true, false};
/* A count, as a statistic of the process: ngtcp2 tells a decryption nothing of the connection. */
static uint64_t opened;

unsigned
protect_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	bool aes;

	__builtin_cpu_init();
	aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
	return aes ? PROTECT_CPU_AES | PROTECT_CPU_MB : 0;
#elif defined(__aarch64__) && defined(__linux__)
	const unsigned long need = 1UL << 3 | 1UL << 4; /* HWCAP_AES, HWCAP_PMULL */

	return (getauxval(AT_HWCAP) & need) == need ? PROTECT_CPU_AES : 0;
#elif defined(__s390x__) || defined(__powerpc64__)
	return PROTECT_CPU_AES; /* all that current systems run on */
#else
	return 0;
#endif
}

void
protect_init_later(unsigned cpu)
{
	chosen.aes = (cpu & PROTECT_CPU_AES) != 0;
	chosen.first = NULL;
	chosen.later = (cpu & PROTECT_CPU_MB) != 0;
}

void
protect_settle(void)
{
	if (!chosen.later)
		return;
	chosen.later = false;
#ifdef HAVE_IPSEC_MB
	if (protect_ipsecmb_start() == 0)
		chosen.first = &protect_ipsecmb;
#endif
}

void
protect_init(unsigned cpu)
{
	protect_init_later(cpu);
	protect_settle();
}

bool
protect_prefers_aes(void)
{
	return chosen.aes;
}

const char *
protect_library(void)
{
	return chosen.first != NULL ? chosen.first->library : protect_gnutls.library;
}

size_t
protect_keylen(enum protect_suite suite)
{
	return suite == PROTECT_AES_128_GCM ? 16 : 32;
}

int
protect_aead_new(struct protect_aead **out, enum protect_suite suite, const uint8_t *key)
{
	const struct protect_impl *impl = chosen.first != NULL ? chosen.first : &protect_gnutls;

	return impl->aead_new(out, suite, key);
}

void
protect_aead_free(struct protect_aead **a)
{
	if (*a != NULL)
		(*a)->free(*a);
	*a = NULL;
}

int
protect_seal(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	return a->seal(a, dest, p, n, nonce, aad, aadlen);
}

int
protect_open(struct protect_aead *a, uint8_t *dest, const uint8_t *p, size_t n,
    const uint8_t nonce[PROTECT_NONCE], const uint8_t *aad, size_t aadlen)
{
	int r;

	if (n < PROTECT_TAG)
		return QERR_SIGNATURE;
	r = a->open(a, dest, p, n - PROTECT_TAG, nonce, aad, aadlen);
	opened += r == 0;
	return r;
}

uint64_t
protect_opened(void)
{
	return opened;
}

int
protect_hp_new(struct protect_hp **out, enum protect_suite suite, const uint8_t *key)
{
	int r = QERR_UNSUPPORTED;

	if (chosen.first != NULL)
		r = chosen.first->hp_new(out, suite, key);
	return r == QERR_UNSUPPORTED ? protect_gnutls.hp_new(out, suite, key) : r;
}

void
protect_hp_free(struct protect_hp **h)
{
	if (*h != NULL)
		(*h)->free(*h);
	*h = NULL;
}

int
protect_mask(struct protect_hp *h, uint8_t mask[PROTECT_MASK],
    const uint8_t sample[PROTECT_SAMPLE])
{
	return h->mask(h, mask, sample);
}
