/* Private key files: containers, encrypted ones too, and other formats. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/keys/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct keyfile kf;
	struct privkey k = {0};
	uint8_t sig[64];

	int err = keyfile_open(&kf, &k, p, n);
	/* A passphrase's hash takes milliseconds a round: one is enough. */
	if (!err && kf.encrypted && kf.rounds == 1)
		err = keyfile_decrypt(&k, &kf, "open sesame");
	else if (!err && !kf.encrypted)
		err = keyfile_private(&k, kf.secret, -1);
	keyfile_close(&kf);
	if (!err && k.sk && privkey_sign_raw(&k, "x", 1, sig) != 0)
		abort();
	if (!err && k.sk && !pubkey_verify_raw(k.pub.pk, "x", 1, sig))
		abort(); /* the halves of what was accepted belong together */
	privkey_free(&k);
	return 0;
}
