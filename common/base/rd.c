/* Bounded reading of what others wrote. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"

void
rd_init(struct rd *r, const void *p, size_t n)
{
	r->p = p;
	r->n = n;
	r->err = 0;
}

struct bytes
rd_bytes(struct rd *r, size_t n)
{
	struct bytes s = {NULL, 0};

	if (r->err != 0)
		return s;
	if (n > r->n) {
		r->err = QERR_TRUNC;
		return s;
	}
	s.p = r->p;
	s.n = n;
	if (n > 0) /* p may be NULL where nothing is left */
		r->p += n;
	r->n -= n;
	return s;
}

static uint64_t
get_be(struct rd *r, size_t n)
{
	struct bytes s = rd_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)get_be(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)get_be(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)get_be(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return get_be(r, 8);
}

uint64_t
rd_varint(struct rd *r)
{
	size_t n;

	if (r->err != 0)
		return 0;
	if (r->n == 0) {
		r->err = QERR_TRUNC;
		return 0;
	}
	n = (size_t)1 << (r->p[0] >> 6);
	return get_be(r, n) & (UINT64_MAX >> 2 >> (64 - 8 * n));
}

static struct bytes
counted(struct rd *r, uint64_t n, size_t max)
{
	struct bytes none = {NULL, 0};

	if (r->err != 0)
		return none;
	if (n > max) {
		r->err = QERR_TOOBIG;
		return none;
	}
	return rd_bytes(r, (size_t)n);
}

struct bytes
rd_str(struct rd *r, size_t max)
{
	return counted(r, rd_varint(r), max);
}

struct bytes
rd_sshstr(struct rd *r, size_t max)
{
	return counted(r, rd_u32(r), max);
}

char *
rd_cstr(struct rd *r, size_t max)
{
	struct bytes s = rd_str(r, max);
	char *c;

	if (r->err != 0)
		return NULL;
	if (s.n > 0 && memchr(s.p, 0, s.n) != NULL) {
		r->err = QERR_FORMAT;
		return NULL;
	}
	if ((c = malloc(s.n + 1)) == NULL) {
		r->err = QERR_NOMEM;
		return NULL;
	}
	if (s.n > 0)
		memcpy(c, s.p, s.n);
	c[s.n] = '\0';
	return c;
}

int
rd_end(struct rd *r)
{
	if (r->err == 0 && r->n != 0)
		r->err = QERR_FORMAT;
	return r->err;
}
