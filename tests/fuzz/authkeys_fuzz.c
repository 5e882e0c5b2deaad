/* authorized_keys. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/keys/authkeys.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct authkey_line l;
	struct pubkey k;
	const char *why;
	unsigned line = 0;

	log_set_level(LOG_L_QUIET);
	if (pubkey_from_text(&k, KEY, NULL) != 0)
		abort();
	while (authkeys_find_next("f", p, n, &k, line, &l, &line) == 1) {
		if (!pubkey_equal(&l.key, &k) || l.opts.cert_authority)
			abort();
		authkey_line_free(&l);
	}
	pubkey_free(&k);
	char *s = strndup((const char *)p, n);
	if (s && authkey_parse(&l, s, &why) == 1)
		authkey_line_free(&l);
	free(s);
	return 0;
}
