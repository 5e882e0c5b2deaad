/* Replies of an agent. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/keys/agent_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t pk[32];
	struct agent_id *ids;
	struct pubkey k;
	struct buf sig;
	size_t nids;

	if (agent_get_list(p, n, &ids, &nids) == 0) {
		for (size_t i = 0; i < nids; i++)
			if (!ids[i].pub.blob || !ids[i].comment)
				abort();
		agent_ids_free(ids, nids);
	}
	if (pubkey_from_ed25519(&k, pk) != 0)
		abort();
	buf_init(&sig, AGENT_MSG_MAX);
	if (agent_get_sign(p, n, &k, &sig) == 0 && buf_len(&sig) != 83)
		abort();
	buf_free(&sig);
	pubkey_free(&k);
	agent_get_done(p, n);
	return 0;
}
