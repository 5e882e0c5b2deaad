/* A stream's send buffer: bytes stay where they are from the write until they are acknowledged,
 * because packets and their repetitions are built straight from here. */
#ifndef QSH_QUIC_USER_SENDBUF_H
#define QSH_QUIC_USER_SENDBUF_H

#include <stdbool.h>
#include <sys/uio.h>

#include <ngtcp2/ngtcp2.h>

#include "quic/user/chunk.h"

struct sendbuf {
	struct chunk *head, *tail;
	struct chunk *cur;         /* holds the next byte to send, where there is one */
	uint32_t cur_off;
	struct chunk *ahead;       /* reserved, behind tail; empty */
	bool past_tail;            /* what is committed next goes to ahead at once */
	uint64_t base;             /* stream offset of head's first byte */
	uint64_t acked, sent, end; /* stream offsets: acked <= sent <= end */
};

static inline uint64_t sendbuf_unsent(const struct sendbuf *b) { return b->end - b->sent; }
static inline uint64_t sendbuf_held(const struct sendbuf *b) { return b->end - b->acked; }

/* Room at the end, about want bytes in at most nv pieces (at least 1); returns the number of pieces, 0
 * where there is no memory. Valid until the next call. */
size_t sendbuf_reserve(struct sendbuf *b, struct chunk_pool *pool, size_t want, struct iovec *v,
    size_t nv);
/* The first n bytes of those pieces, taken together, are filled. */
void sendbuf_commit(struct sendbuf *b, struct chunk_pool *pool, size_t n);
/* Copies up to n bytes to the end; how many (fewer only where there is no memory). */
size_t sendbuf_append(struct sendbuf *b, struct chunk_pool *pool, const uint8_t *p, size_t n);
/* The next bytes to send, up to max, in at most nv pieces; returns the number of pieces. */
size_t sendbuf_peek(struct sendbuf *b, ngtcp2_vec *v, size_t nv, size_t max);
/* The bytes from this offset (at least acked) on, up to *n and to what was sent, in at most nv pieces;
 * returns the number of pieces, and in *n what is in them. */
size_t sendbuf_range(const struct sendbuf *b, uint64_t off, ngtcp2_vec *v, size_t nv, size_t *n);
/* n more bytes have left. */
void sendbuf_sent(struct sendbuf *b, size_t n);
/* Everything before this offset is acknowledged. */
void sendbuf_ack(struct sendbuf *b, struct chunk_pool *pool, uint64_t offset);
/* Drops everything. */
void sendbuf_free(struct sendbuf *b, struct chunk_pool *pool);

#endif
