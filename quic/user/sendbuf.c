/* Send buffers. */
#include <string.h>

#include "quic/user/sendbuf.h"

#define TAIL_ENOUGH 512 /* less room than this at the tail is not worth a short read(2) */

uint8_t *
sendbuf_reserve(struct sendbuf *b, struct chunk_pool *pool, size_t want, size_t *n)
{
	struct chunk *c = b->tail;
	size_t room = c != NULL ? c->cap - c->len : 0;

	if (room < want && room < TAIL_ENOUGH) {
		/* What is in flight already says whether this stream is small or bulk. */
		c = chunk_get(pool, sendbuf_held(b) > CHUNK_SMALL ? CHUNK_LARGE : want);
		if (c == NULL) {
			*n = 0;
			return NULL;
		}
		if (b->tail != NULL)
			b->tail->next = c;
		else
			b->head = c;
		b->tail = c;
		room = c->cap;
	}
	*n = room < want ? room : want;
	return c->p + c->len;
}

void
sendbuf_commit(struct sendbuf *b, size_t n)
{
	if (n == 0)
		return;
	if (b->cur == NULL) {
		b->cur = b->tail;
		b->cur_off = b->tail->len;
	}
	b->tail->len += (uint32_t)n;
	b->end += n;
}

size_t
sendbuf_append(struct sendbuf *b, struct chunk_pool *pool, const uint8_t *p, size_t n)
{
	size_t done = 0, m;
	uint8_t *dst;

	while (done < n) {
		dst = sendbuf_reserve(b, pool, n - done, &m);
		if (dst == NULL)
			break;
		memcpy(dst, p + done, m);
		sendbuf_commit(b, m);
		done += m;
	}
	return done;
}

size_t
sendbuf_peek(struct sendbuf *b, ngtcp2_vec *v, size_t nv, size_t max)
{
	struct chunk *c = b->cur;
	uint32_t off = b->cur_off;
	size_t k = 0, m;

	while (c != NULL && k < nv && max > 0) {
		m = c->len - off;
		if (m > max)
			m = max;
		if (m > 0) {
			v[k].base = c->p + off;
			v[k].len = m;
			k++;
			max -= m;
		}
		c = c->next;
		off = 0;
	}
	return k;
}

size_t
sendbuf_range(const struct sendbuf *b, uint64_t off, ngtcp2_vec *v, size_t nv, size_t *n)
{
	const struct chunk *c;
	uint64_t at = b->base;
	size_t k = 0, left = *n, m;

	if (left > b->sent - off)
		left = (size_t)(b->sent - off);
	*n = 0;
	for (c = b->head; c != NULL && k < nv && left > 0; at += c->len, c = c->next) {
		if (off >= at + c->len)
			continue;
		v[k].base = (uint8_t *)(uintptr_t)(c->p + (off - at));
		m = (size_t)(at + c->len - off);
		v[k].len = m = m < left ? m : left;
		k++;
		*n += m;
		off += m;
		left -= m;
	}
	return k;
}

void
sendbuf_sent(struct sendbuf *b, size_t n)
{
	size_t m;

	b->sent += n;
	while (b->cur != NULL) {
		m = b->cur->len - b->cur_off;
		if (n < m) {
			b->cur_off += (uint32_t)n;
			return;
		}
		n -= m;
		b->cur = b->cur->next;
		b->cur_off = 0;
	}
}

void
sendbuf_ack(struct sendbuf *b, struct chunk_pool *pool, uint64_t offset)
{
	struct chunk *c;

	if (offset > b->acked)
		b->acked = offset;
	while ((c = b->head) != NULL && b->base + c->len <= b->acked && c != b->cur) {
		b->base += c->len;
		b->head = c->next;
		if (b->head == NULL)
			b->tail = NULL;
		chunk_put(pool, c);
	}
}

void
sendbuf_free(struct sendbuf *b, struct chunk_pool *pool)
{
	struct chunk *c;

	while ((c = b->head) != NULL) {
		b->head = c->next;
		chunk_put(pool, c);
	}
	b->tail = b->cur = NULL;
	b->base = b->acked = b->sent = b->end;
}
