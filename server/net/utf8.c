#include "server/net/utf8.h"

#include <stddef.h>

struct form {
	unsigned char first_lo, first_hi;   /* first byte */
	unsigned char second_lo, second_hi; /* what that permits as the second */
	unsigned char more;                 /* bytes after the first */
};

/* RFC 3629 section 4. */
static const struct form forms[] = {
	{0x01, 0x7f, 0x00, 0x00, 0},
	{0xc2, 0xdf, 0x80, 0xbf, 1},
	{0xe0, 0xe0, 0xa0, 0xbf, 2},
	{0xe1, 0xec, 0x80, 0xbf, 2},
	{0xed, 0xed, 0x80, 0x9f, 2},
	{0xee, 0xef, 0x80, 0xbf, 2},
	{0xf0, 0xf0, 0x90, 0xbf, 3},
	{0xf1, 0xf3, 0x80, 0xbf, 3},
	{0xf4, 0xf4, 0x80, 0x8f, 3},
};

static const struct form *
form_of(unsigned char first)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (first >= forms[i].first_lo && first <= forms[i].first_hi)
			return &forms[i];
	return NULL;
}

bool
utf8_valid(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p != '\0') {
		const struct form *f = form_of(*p++);

		if (f == NULL || (f->more > 0 && (*p < f->second_lo || *p > f->second_hi)))
			return false;
		/* A zero byte fails here, so nothing is read behind it. */
		for (size_t i = 1; i < f->more; i++)
			if ((p[i] & 0xc0) != 0x80)
				return false;
		p += f->more;
	}
	return true;
}
