/* Private key files without a passphrase: nothing here needs libcrypto. */
#include <string.h>

#include "common/base/err.h"
#include "common/keys/keyfile.h"

int
privkey_parse_plain(struct privkey *k, const uint8_t *p, size_t n)
{
	struct keyfile kf;

	memset(k, 0, sizeof(*k));
	int err = keyfile_open(&kf, k, p, n);
	if (!err)
		err = kf.encrypted ? QERR_PASSPHRASE : keyfile_private(k, kf.secret, QERR_FORMAT);
	keyfile_close(&kf);
	return err;
}

int
privkey_load_plain(struct privkey *k, const char *path, bool check_perm)
{
	struct buf b;

	memset(k, 0, sizeof(*k));
	int err = keyfile_read(&b, path, check_perm);
	if (!err)
		err = privkey_parse_plain(k, buf_data(&b), buf_len(&b));
	buf_free(&b);
	return err;
}
