/* known_hosts. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/keys/knownhosts.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct kh_result r;
	struct pubkey k;

	log_set_level(LOG_L_QUIET);
	if (pubkey_from_text(&k, KEY, NULL) != 0)
		abort();
	if (kh_check_text("f", p, n, "[h.example]:2222", "192.0.2.1", &k, &r) == 0) {
		if ((r.status == KH_NEW) != (r.path == NULL) ||
		    (r.status == KH_CHANGED) != (r.fingerprint != NULL) ||
		    (r.status == KH_OTHER) != (r.other_type != NULL))
			abort();
		kh_result_free(&r);
	}
	pubkey_free(&k);
	return 0;
}
