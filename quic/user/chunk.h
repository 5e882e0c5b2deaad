/* Memory for stream data: chunks of two sizes from a pool of the connection, and byte queues of
 * chunks. Nothing is allocated for each packet: what a busy connection gives back it keeps for the next
 * packets, until it has been quiet for a while (rest.c). */
#ifndef QSH_QUIC_USER_CHUNK_H
#define QSH_QUIC_USER_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#define CHUNK_SMALL 2048  /* bytes of content: a keystroke, a message */
#define CHUNK_LARGE 65536 /* bulk: one read(2) or write(2) of a pipe */

struct chunk {
	struct chunk *next;
	uint32_t cap, off, len; /* content is p[off] to p[len - 1] */
	uint8_t p[];
};

struct chunk_pool {
	struct chunk *spare_small, *spare_large;
	unsigned nsmall, nlarge;
};

/* An empty chunk for about want bytes; NULL where there is no memory. */
struct chunk *chunk_get(struct chunk_pool *pool, size_t want);
void chunk_put(struct chunk_pool *pool, struct chunk *c);
/* Frees the spare chunks; those in use are not the pool's. */
void chunk_pool_free(struct chunk_pool *pool);
/* Bytes of spare chunks. */
size_t chunk_pool_spare(const struct chunk_pool *pool);

/* A queue of received bytes. */
struct chunkq {
	struct chunk *head, *tail;
	size_t n; /* bytes */
};
/* Copies n bytes to the end. QERR_NOMEM (nothing was added). */
int chunkq_append(struct chunkq *q, struct chunk_pool *pool, const uint8_t *p, size_t n);
/* Says that an empty queue will get much: a large chunk at once. QERR_NOMEM. */
int chunkq_expect(struct chunkq *q, struct chunk_pool *pool);
/* The first contiguous bytes; NULL and 0 where it is empty. Valid until the next call. */
const uint8_t *chunkq_front(const struct chunkq *q, size_t *n);
void chunkq_consume(struct chunkq *q, struct chunk_pool *pool, size_t n);
void chunkq_free(struct chunkq *q, struct chunk_pool *pool);

#endif
