/* Public keys as blob and as text, and signatures: the first byte says which. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/keys/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What was accepted can be shown, and read back. */
static void
show(struct pubkey *k)
{
	struct pubkey back;

	char *text = pubkey_to_text(k);
	if (!text || pubkey_from_text(&back, text, NULL) != 0 || !pubkey_equal(k, &back))
		abort();
	free(text);
	free(pubkey_fingerprint(k, NULL));
	free(pubkey_randomart(k));
	pubkey_free(&back);
	pubkey_free(k);
}

static void
fuzz_blob(const uint8_t *p, size_t n)
{
	struct pubkey k;

	if (pubkey_from_blob(&k, p, n) == 0)
		show(&k);
}

static void
fuzz_text(const uint8_t *p, size_t n)
{
	struct pubkey k;
	char *s = strndup((const char *)p, n);

	if (s && pubkey_from_text(&k, s, NULL) == 0)
		show(&k);
	free(s);
}

static void
fuzz_signature(const uint8_t *p, size_t n)
{
	static const uint8_t pk[32] = {1};
	struct pubkey k;

	if (pubkey_from_ed25519(&k, pk) == 0 && sshsig_verify(&k, "tbs", 3, p, n) == 0)
		abort();
	pubkey_free(&k);
	certverify_wellformed(p, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const kinds[])(const uint8_t *, size_t) = {fuzz_blob, fuzz_text, fuzz_signature};

	if (n > 0)
		kinds[*p % 3](p + 1, n - 1);
	return 0;
}
