/* Datagrams from anybody: to a server that has not heard its client yet, and to a client that waits
 * for its server. The first byte says to which; then records of a length (two bytes, big endian)
 * and a datagram. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/sim/simpeer.h"
#include "tests/unit/quic_raw.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
feed(struct rawpair *r, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1); /* exactly so long, for the sanitizer */

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	r->now += NS_PER_MS;
	if (qconn_owns(r->c, copy, n) && qconn_input(r->c, &r->path, 0, copy, n, r->now) != 0)
		r->c = NULL;
	if (r->c != NULL && qconn_run(r->c, r->now) != 0)
		r->c = NULL;
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rawpair *r;
	size_t len;

	if (n == 0)
		return 0;
	r = malloc(sizeof(*r));
	if (r == NULL)
		abort();
	if (*p & 1)
		raw_server_init(r, QUIC_ALPN);
	else
		raw_client_init(r, QUIC_ALPN, RAW_PRIORITY, GNUTLS_ENABLE_RAWPK,
		    raw_cred(GNUTLS_PK_EDDSA_ED25519, 0));
	for (p++, n--; n >= 2 && r->c != NULL; p += len, n -= len) {
		len = (size_t)p[0] << 8 | p[1];
		p += 2;
		n -= 2;
		if (len > n)
			len = n;
		feed(r, p, len);
	}
	raw_free(r);
	free(r);
	return 0;
}
