#include "common/base/buf.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

#define BUF_MIN 128

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_init_secret(struct buf *b, size_t max)
{
	buf_init(b, max);
	b->secret = true;
}

void
buf_free(struct buf *b)
{
	if (b->secret && b->p != NULL)
		sodium_memzero(b->p, b->cap);
	free(b->p);
	b->p = NULL;
	b->off = b->len = b->cap = 0;
	b->err = 0;
}

void
buf_reset(struct buf *b)
{
	if (b->secret && b->p != NULL)
		sodium_memzero(b->p, b->len);
	b->off = b->len = 0;
	b->err = 0;
}

/* Moves the content to the front of its memory. */
static void
compact(struct buf *b)
{
	size_t n = buf_len(b);

	if (b->off == 0)
		return;
	memmove(b->p, b->p + b->off, n);
	if (b->secret)
		sodium_memzero(b->p + n, b->len - n);
	b->off = 0;
	b->len = n;
}

/* Moves the content to a new piece of memory of cap bytes. Never realloc():
 * it would leave copies of secrets behind, and copy consumed bytes. */
static int
enlarge(struct buf *b, size_t cap)
{
	size_t n = buf_len(b);
	uint8_t *p = malloc(cap);

	if (p == NULL)
		return b->err = QERR_NOMEM;
	if (n > 0)
		memcpy(p, b->p + b->off, n);
	if (b->secret && b->p != NULL)
		sodium_memzero(b->p, b->cap);
	free(b->p);
	b->p = p;
	b->off = 0;
	b->len = n;
	b->cap = cap;
	return 0;
}

/* Room for n bytes of content and slack bytes that never count. */
static uint8_t *
make_room(struct buf *b, size_t n, size_t slack)
{
	size_t have = buf_len(b), cap;

	if (b->err != 0)
		return NULL;
	if (have > b->max || n > b->max - have || n > SIZE_MAX / 4) {
		b->err = QERR_TOOBIG;
		return NULL;
	}
	/* Moving costs no more than what was consumed before: linear in all. */
	if (b->p != NULL && b->off >= have)
		compact(b);
	if (b->p == NULL || b->cap - b->len < n + slack) {
		/* Twice the content at least, so that a full buffer that is read and
		 * written by single bytes is not copied for each of them. */
		cap = b->cap > BUF_MIN ? b->cap : BUF_MIN;
		while (cap < have + n + slack || cap < 2 * have)
			cap *= 2;
		if (enlarge(b, cap) != 0)
			return NULL;
	}
	return b->p + b->len;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
	return make_room(b, n, 0);
}

void
buf_commit(struct buf *b, size_t n)
{
	if (b->err == 0 && n <= b->cap - b->len)
		b->len += n;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n > buf_len(b))
		n = buf_len(b);
	if (b->secret && n > 0)
		sodium_memzero(b->p + b->off, n);
	b->off += n;
	if (b->off == b->len)
		b->off = b->len = 0;
}

int
buf_put(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0 || (to = make_room(b, n, 0)) == NULL)
		return b->err;
	memcpy(to, p, n);
	b->len += n;
	return 0;
}

static int
put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *to = make_room(b, n, 0);

	if (to == NULL)
		return b->err;
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	b->len += n;
	return 0;
}

int
buf_put_u8(struct buf *b, uint8_t v)
{
	return put_be(b, v, 1);
}

int
buf_put_u16(struct buf *b, uint16_t v)
{
	return put_be(b, v, 2);
}

int
buf_put_u32(struct buf *b, uint32_t v)
{
	return put_be(b, v, 4);
}

int
buf_put_u64(struct buf *b, uint64_t v)
{
	return put_be(b, v, 8);
}

int
buf_put_varint(struct buf *b, uint64_t v)
{
	if (v < UINT64_C(1) << 6)
		return put_be(b, v, 1);
	if (v < UINT64_C(1) << 14)
		return put_be(b, v | UINT64_C(1) << 14, 2);
	if (v < UINT64_C(1) << 30)
		return put_be(b, v | UINT64_C(2) << 30, 4);
	if (v < UINT64_C(1) << 62)
		return put_be(b, v | UINT64_C(3) << 62, 8);
	if (b->err == 0)
		b->err = QERR_TOOBIG;
	return b->err;
}

int
buf_put_str(struct buf *b, const void *p, size_t n)
{
	buf_put_varint(b, n);
	return buf_put(b, p, n);
}

int
buf_put_cstr(struct buf *b, const char *s)
{
	return buf_put_str(b, s, s != NULL ? strlen(s) : 0);
}

int
buf_put_sshstr(struct buf *b, const void *p, size_t n)
{
	if (n > UINT32_MAX && b->err == 0)
		b->err = QERR_TOOBIG;
	buf_put_u32(b, (uint32_t)n);
	return buf_put(b, p, n);
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		if (b->err == 0)
			b->err = QERR_INVAL;
		return b->err;
	}
	/* vsnprintf writes a zero byte that is not content. */
	if ((to = (char *)make_room(b, (size_t)n, 1)) == NULL)
		return b->err;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}
