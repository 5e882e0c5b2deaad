/* Which channels' streams have ever been opened. QUIC opens streams in order, but their
 * packets arrive in any: a data stream may name a channel whose own stream is still to
 * come. */
#ifndef QSH_SERVER_NET_CHANIDS_H
#define QSH_SERVER_NET_CHANIDS_H

#include <stdbool.h>
#include <stdint.h>

/* More than the streams that a client may have open at a time. */
#define CHANIDS_SPAN 2048

struct chanids {
	uint64_t low; /* every stream before this one has been opened */
	uint64_t bits[CHANIDS_SPAN / 64];
};

/* Client-initiated, bidirectional (RFC 9000 section 2.1). */
static inline bool
chanids_valid(uint64_t stream_id)
{
	return stream_id % 4 == 0;
}

/* QERR_TOOBIG where the stream is too far ahead of one that is missing. */
int chanids_add(struct chanids *c, uint64_t stream_id);
bool chanids_has(const struct chanids *c, uint64_t stream_id);

#endif
