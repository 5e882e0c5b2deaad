/* Lines of a text. */
#include <string.h>

#include "common/base/err.h"
#include "common/keys/lines.h"

void
lines_init(struct lines *l, const uint8_t *text, size_t n)
{
	memset(l, 0, sizeof(*l));
	rd_init(&l->r, text, n);
	buf_init(&l->line, n + 1);
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int
lines_next(struct lines *l, const char **line)
{
	if (l->r.n == 0)
		return 0;
	const uint8_t *end = memchr(l->r.p, '\n', l->r.n);
	struct bytes b = rd_bytes(&l->r, end ? (size_t)(end - l->r.p) + 1 : l->r.n);
	l->no++;
	if (end)
		b.n--;
	while (b.n > 0 && blank(b.p[b.n - 1]))
		b.n--;
	while (b.n > 0 && blank(*b.p)) {
		b.p++;
		b.n--;
	}
	l->has_nul = b.n > 0 && memchr(b.p, 0, b.n) != NULL;
	buf_reset(&l->line);
	buf_put(&l->line, b.p, b.n);
	if (buf_put_u8(&l->line, 0) != 0)
		return QERR_NOMEM;
	*line = (const char *)buf_data(&l->line);
	return 1;
}

void
lines_free(struct lines *l)
{
	buf_free(&l->line);
}
