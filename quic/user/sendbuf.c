/* Send buffers. */
#include <string.h>

#include "quic/user/sendbuf.h"

#define TAIL_ENOUGH 512 /* less room than this at the tail is not worth a short read(2) */

/* The next reserved chunk behind *link, or a new one. */
static struct chunk *
ahead(struct sendbuf *b, struct chunk_pool *pool, struct chunk **link, size_t want)
{
	if (*link == NULL)
		/* What is in flight already says whether this stream is small or bulk. */
		*link = chunk_get(pool, sendbuf_held(b) > CHUNK_SMALL ? CHUNK_LARGE : want);
	return *link;
}

size_t
sendbuf_reserve(struct sendbuf *b, struct chunk_pool *pool, size_t want, struct iovec *v, size_t nv)
{
	struct chunk *c = b->tail, **link = &b->ahead;
	size_t room = c != NULL ? c->cap - c->len : 0, k = 0;

	b->past_tail = room == 0 || (room < want && room < TAIL_ENOUGH);
	if (!b->past_tail) {
		v[0].iov_base = c->p + c->len;
		v[0].iov_len = room < want ? room : want;
		want -= v[0].iov_len;
		k = 1;
	}
	for (; k < nv && want > 0 && (c = ahead(b, pool, link, want)) != NULL; k++) {
		v[k].iov_base = c->p;
		v[k].iov_len = c->cap < want ? c->cap : want;
		want -= v[k].iov_len;
		link = &c->next;
	}
	return k;
}

/* The first of the reserved chunks becomes the tail. */
static void
advance(struct sendbuf *b)
{
	struct chunk *c = b->ahead;

	b->ahead = c->next;
	c->next = NULL;
	if (b->tail != NULL)
		b->tail->next = c;
	else
		b->head = c;
	b->tail = c;
}

static void
drop(struct chunk **list, struct chunk_pool *pool)
{
	struct chunk *c;

	while ((c = *list) != NULL) {
		*list = c->next;
		chunk_put(pool, c);
	}
}

void
sendbuf_commit(struct sendbuf *b, struct chunk_pool *pool, size_t n)
{
	size_t room, m;

	b->end += n;
	if (n > 0 && b->past_tail)
		advance(b);
	while (n > 0) {
		room = b->tail->cap - b->tail->len;
		if (room == 0) {
			advance(b);
			continue;
		}
		m = n < room ? n : room;
		if (b->cur == NULL) {
			b->cur = b->tail;
			b->cur_off = b->tail->len;
		}
		b->tail->len += (uint32_t)m;
		n -= m;
	}
	drop(&b->ahead, pool);
}

size_t
sendbuf_append(struct sendbuf *b, struct chunk_pool *pool, const uint8_t *p, size_t n)
{
	struct iovec v;
	size_t done;

	for (done = 0; done < n && sendbuf_reserve(b, pool, n - done, &v, 1) > 0; done += v.iov_len) {
		memcpy(v.iov_base, p + done, v.iov_len);
		sendbuf_commit(b, pool, v.iov_len);
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
	drop(&b->head, pool);
	drop(&b->ahead, pool);
	b->tail = b->cur = NULL;
	b->base = b->acked = b->sent = b->end;
}
