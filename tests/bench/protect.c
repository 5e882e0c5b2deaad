/* Nanoseconds a packet of each library that protects packets, for each suite and a few sizes: sealing,
 * opening, header protection. Run by hand: make tests/bench/protect && tests/bench/protect */
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/clock.h"
#include "quic/protect/impl.h"

#define ROUNDS 5                 /* the fastest counts: what is slower was disturbed */
#define ROUND_NS (20 * NS_PER_MS)
#define BATCH 64
#define HEADER 13

static const char *const names[PROTECT_SUITES] = {"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"};
static const size_t sizes[] = {64, 1400, 9000};

struct job {
	struct protect_aead *aead;
	struct protect_hp *hp;
	size_t n;
	uint8_t sealed[9000 + PROTECT_TAG], plain[9000];
	uint8_t nonce[PROTECT_NONCE], aad[HEADER];
};

typedef int run_fn(struct job *j);

static int
seal(struct job *j)
{
	return protect_seal(j->aead, j->sealed, j->plain, j->n, j->nonce, j->aad, HEADER);
}

static int
open_it(struct job *j)
{
	return protect_open(j->aead, j->plain, j->sealed, j->n + PROTECT_TAG, j->nonce, j->aad, HEADER);
}

static int
mask(struct job *j)
{
	return protect_mask(j->hp, j->plain, j->sealed);
}

/* < 0: it failed. */
static double
measure(run_fn *run, struct job *j)
{
	double best = -1;

	for (int round = 0; round < ROUNDS; round++) {
		const uint64_t start = clock_mono();
		uint64_t n = 0, took;

		do {
			for (int i = 0; i < BATCH; i++)
				if (run(j) != 0)
					return -1;
			n += BATCH;
			took = clock_mono() - start;
		} while (took < ROUND_NS);
		if (best < 0 || (double)took / (double)n < best)
			best = (double)took / (double)n;
	}
	return best;
}

static int
measure_suite(const struct protect_impl *impl, enum protect_suite suite)
{
	static struct job j;
	uint8_t key[PROTECT_KEY_MAX];
	int r;

	randombytes_buf(key, sizeof(key));
	r = impl->aead_new(&j.aead, suite, key);
	if (r != 0)
		return r;
	printf("%-12s %-18s", impl->library, names[suite]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		j.n = sizes[i];
		printf(" %8.0f", measure(seal, &j));
		printf(" %8.0f", measure(open_it, &j));
	}
	protect_aead_free(&j.aead);
	if (impl->hp_new(&j.hp, suite, key) == 0) {
		printf(" %8.1f\n", measure(mask, &j));
		protect_hp_free(&j.hp);
	} else {
		printf(" %8s\n", "(GnuTLS)");
	}
	return 0;
}

int
main(void)
{
	int r = 0;

	if (sodium_init() < 0 || gnutls_global_init() != 0)
		return 1;
	protect_init(protect_cpu());
	printf("ns a packet; in use here: %s\n%-31s", protect_library(), "");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		printf(" %7zuB %8s", sizes[i], "");
	printf("\n%-31s %8s %8s %8s %8s %8s %8s %8s\n", "", "seal", "open", "seal", "open", "seal", "open", "mask");
	for (int s = 0; r == 0 && s < PROTECT_SUITES; s++) {
		r = measure_suite(&protect_gnutls, (enum protect_suite)s);
#ifdef HAVE_IPSEC_MB
		if (r == 0 && strcmp(protect_library(), protect_ipsecmb.library) == 0)
			r = measure_suite(&protect_ipsecmb, (enum protect_suite)s);
#endif
	}
	return r == 0 ? 0 : 1;
}
