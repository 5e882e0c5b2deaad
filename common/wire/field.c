#include "common/wire/field.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

void
field_put_bytes(struct buf *b, struct bytes v, size_t max)
{
	if (v.n > max && b->err == 0)
		b->err = QERR_TOOBIG;
	buf_put_str(b, v.p, v.n);
}

void
field_put_text(struct buf *b, const char *s, size_t max)
{
	if (s == NULL)
		s = "";
	field_put_bytes(b, (struct bytes){(const uint8_t *)s, strlen(s)}, max);
}

void
field_put_bool(struct buf *b, bool v)
{
	buf_put_u8(b, v ? 1 : 0);
}

uint32_t
field_u32(struct rd *r)
{
	uint64_t v = rd_varint(r);

	if (v > UINT32_MAX) {
		r->err = QERR_TOOBIG;
		return 0;
	}
	return (uint32_t)v;
}

bool
field_bool(struct rd *r)
{
	uint8_t v = rd_u8(r);

	if (v > 1) {
		r->err = QERR_FORMAT;
		return false;
	}
	return v == 1;
}

void
field_free(char **s)
{
	if (*s != NULL)
		sodium_memzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}
