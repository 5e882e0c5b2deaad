/* Chunks, their pool, and queues of them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "quic/user/chunk.h"

#define SPARE_SMALL 16
#define SPARE_LARGE 64 /* 4 MiB; more than that is in use for long where it is in use at all */

static struct chunk *
pop(struct chunk **list, unsigned *n)
{
	struct chunk *c = *list;

	if (c != NULL) {
		*list = c->next;
		--*n;
	}
	return c;
}

struct chunk *
chunk_get(struct chunk_pool *pool, size_t want)
{
	size_t cap = want <= CHUNK_SMALL ? CHUNK_SMALL : CHUNK_LARGE;
	struct chunk *c;

	if (cap == CHUNK_SMALL)
		c = pop(&pool->spare_small, &pool->nsmall);
	else
		c = pop(&pool->spare_large, &pool->nlarge);
	if (c == NULL) {
		c = malloc(sizeof(*c) + cap);
		if (c == NULL)
			return NULL;
		c->cap = (uint32_t)cap;
	}
	c->next = NULL;
	c->off = c->len = 0;
	return c;
}

void
chunk_put(struct chunk_pool *pool, struct chunk *c)
{
	if (c->cap == CHUNK_SMALL && pool->nsmall < SPARE_SMALL) {
		c->next = pool->spare_small;
		pool->spare_small = c;
		pool->nsmall++;
	} else if (c->cap == CHUNK_LARGE && pool->nlarge < SPARE_LARGE) {
		c->next = pool->spare_large;
		pool->spare_large = c;
		pool->nlarge++;
	} else {
		free(c);
	}
}

void
chunk_pool_free(struct chunk_pool *pool)
{
	struct chunk *c;

	while ((c = pop(&pool->spare_small, &pool->nsmall)) != NULL)
		free(c);
	while ((c = pop(&pool->spare_large, &pool->nlarge)) != NULL)
		free(c);
}

size_t
chunk_pool_spare(const struct chunk_pool *pool)
{
	return pool->nsmall * (size_t)CHUNK_SMALL + pool->nlarge * (size_t)CHUNK_LARGE;
}

int
chunkq_expect(struct chunkq *q, struct chunk_pool *pool)
{
	if (q->head == NULL)
		q->head = q->tail = chunk_get(pool, CHUNK_LARGE);
	return q->head != NULL ? 0 : QERR_NOMEM;
}

int
chunkq_append(struct chunkq *q, struct chunk_pool *pool, const uint8_t *p, size_t n)
{
	struct chunk *first = NULL, **link = &first, *last = NULL, *c;
	size_t room = q->tail != NULL ? q->tail->cap - q->tail->len : 0, left, m;

	/* All memory first, so that a failure leaves the queue as it was. A queue that already
	 * holds something is likely to get more. */
	for (left = n > room ? n - room : 0; left > 0; left -= m) {
		c = chunk_get(pool, q->n + left);
		if (c == NULL) {
			while ((c = first) != NULL) {
				first = c->next;
				chunk_put(pool, c);
			}
			return QERR_NOMEM;
		}
		m = left < c->cap ? left : c->cap;
		*link = last = c;
		link = &c->next;
	}
	q->n += n;
	if (room > 0) {
		m = n < room ? n : room;
		memcpy(q->tail->p + q->tail->len, p, m);
		q->tail->len += (uint32_t)m;
		p += m;
		n -= m;
	}
	if (first == NULL)
		return 0;
	if (q->tail != NULL)
		q->tail->next = first;
	else
		q->head = first;
	q->tail = last;
	for (c = first; c != NULL; c = c->next) {
		m = n < c->cap ? n : c->cap;
		memcpy(c->p, p, m);
		c->len = (uint32_t)m;
		p += m;
		n -= m;
	}
	return 0;
}

const uint8_t *
chunkq_front(const struct chunkq *q, size_t *n)
{
	if (q->n == 0) {
		*n = 0;
		return NULL;
	}
	*n = q->head->len - q->head->off;
	return q->head->p + q->head->off;
}

void
chunkq_consume(struct chunkq *q, struct chunk_pool *pool, size_t n)
{
	struct chunk *c;
	size_t m;

	q->n -= n;
	while (n > 0) {
		c = q->head;
		m = c->len - c->off;
		if (m > n) {
			c->off += (uint32_t)n;
			return;
		}
		n -= m;
		q->head = c->next;
		if (q->head == NULL)
			q->tail = NULL;
		chunk_put(pool, c);
	}
}

void
chunkq_free(struct chunkq *q, struct chunk_pool *pool)
{
	struct chunk *c;

	while ((c = q->head) != NULL) {
		q->head = c->next;
		chunk_put(pool, c);
	}
	q->tail = NULL;
	q->n = 0;
}
