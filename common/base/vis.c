/* Making untrusted bytes fit for a terminal or a log. */
#include "common/base/vis.h"

#include <string.h>

#include "common/base/str.h"

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 if there is none. */
static size_t
utf8_seq(const uint8_t *p, size_t n, uint32_t *cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	*cp = p[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[len] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

/* Characters that move the cursor, start terminal commands, or reorder what is read
 * after them (Unicode's bidirectional controls). */
static bool
is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool
stays(uint32_t c, unsigned flags)
{
	if (c == '\n' || c == '\t')
		return (flags & VIS_TEXT) != 0;
	if (c == '\\')
		return (flags & VIS_BACKSLASH) != 0;
	return !is_unsafe(c);
}

/* The next character of the input as it is to be shown. */
static size_t
show(char out[4], const uint8_t *p, size_t n, unsigned flags, size_t *used)
{
	uint32_t cp;
	size_t len = utf8_seq(p, n, &cp);

	if (len > 0 && stays(cp, flags)) {
		memcpy(out, p, len);
		*used = len;
		return len;
	}
	out[0] = '\\';
	out[1] = (char)('0' + (p[0] >> 6));
	out[2] = (char)('0' + (p[0] >> 3 & 7));
	out[3] = (char)('0' + (p[0] & 7));
	*used = 1;
	return 4;
}

char *
vis(char *dst, size_t dstlen, const void *src, size_t n, unsigned flags)
{
	static const char more[] = "...";
	const uint8_t *p = src;
	size_t at = 0, cut = 0, len, used;
	char out[4];

	if (dstlen == 0)
		return dst;
	while (n > 0) {
		len = show(out, p, n, flags, &used);
		if (at + len > dstlen - 1) {
			at = cut;
			len = dstlen > sizeof(more) ? sizeof(more) - 1 : dstlen - 1 - at;
			memcpy(dst + at, more, len);
			at += len;
			break;
		}
		memcpy(dst + at, out, len);
		at += len;
		if (at + sizeof(more) <= dstlen)
			cut = at;
		p += used;
		n -= used;
	}
	dst[at] = '\0';
	return dst;
}

char *
str_vis(char *dst, size_t dstlen, const void *src, size_t n)
{
	return vis(dst, dstlen, src, n, 0);
}

char *
str_vis_text(char *dst, size_t dstlen, const void *src, size_t n)
{
	return vis(dst, dstlen, src, n, VIS_TEXT);
}
