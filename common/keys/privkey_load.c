/* Private key files that may have a passphrase. */
#include <string.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/keys/keyfile.h"

#define PASSPHRASE_MAX 1024
#define ATTEMPTS       3

int
privkey_parse(struct privkey *k, const uint8_t *p, size_t n, const char *passphrase)
{
	struct keyfile kf;

	memset(k, 0, sizeof(*k));
	int err = keyfile_open(&kf, k, p, n);
	if (!err)
		err = kf.encrypted ? keyfile_decrypt(k, &kf, passphrase)
				   : keyfile_private(k, kf.secret, QERR_FORMAT);
	keyfile_close(&kf);
	return err;
}

static int
ask_and_decrypt(struct privkey *k, const struct keyfile *kf, const char *path,
    key_passphrase_fn *ask, void *arg)
{
	char passphrase[PASSPHRASE_MAX];
	int err = QERR_PASSPHRASE;

	for (int i = 0; ask && err == QERR_PASSPHRASE && i < ATTEMPTS; i++) {
		passphrase[0] = '\0';
		if (ask(arg, path, i, passphrase, sizeof(passphrase)) < 0 || !passphrase[0])
			break;
		err = keyfile_decrypt(k, kf, passphrase);
	}
	sodium_memzero(passphrase, sizeof(passphrase));
	return err;
}

int
privkey_load(struct privkey *k, const char *path, bool check_perm, key_passphrase_fn *ask,
    void *arg)
{
	struct keyfile kf = {0};
	struct buf b;

	memset(k, 0, sizeof(*k));
	int err = keyfile_read(&b, path, check_perm);
	if (!err)
		err = keyfile_open(&kf, k, buf_data(&b), buf_len(&b));
	buf_free(&b); /* not kept while somebody thinks about a passphrase */
	if (!err)
		err = kf.encrypted ? ask_and_decrypt(k, &kf, path, ask, arg)
				   : keyfile_private(k, kf.secret, QERR_FORMAT);
	keyfile_close(&kf);
	return err;
}
