#include "client/vtscan.h"

#include <string.h>

enum { BEL = 0x07, CAN = 0x18, SUB = 0x1a, ESC = 0x1b };

static void
text(struct vtscan *v, uint8_t c)
{
	if (c == ESC) {
		v->state = VT_ESCAPE;
		v->more = 0;
	} else if (c >= 0xc2 && c <= 0xf4) {
		v->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	} else if ((c & 0xc0) == 0x80 && v->more > 0) {
		v->more--;
	} else {
		v->more = 0;
	}
}

/* Behind ESC and an intermediate: whatever byte comes ends it, so ESC ( P begins no string. */
static void
escape_more(struct vtscan *v, uint8_t c)
{
	if (c == ESC)
		v->state = VT_ESCAPE;
	else if (c == CAN || c == SUB || c >= 0x30)
		v->state = VT_GROUND;
}

/* Behind ESC: intermediates (0x20 to 0x2f) go on, one byte says what it is. */
static void
escape(struct vtscan *v, uint8_t c)
{
	if (c >= 0x20 && c <= 0x2f)
		v->state = VT_ESCAPE_MORE;
	else if (c == '[')
		v->state = VT_CSI;
	else if (memchr("]PX^_", c, 5) != NULL)
		v->state = VT_STRING;
	else if (c == CAN || c == SUB || c >= 0x30)
		v->state = VT_GROUND;
}

static void
step(struct vtscan *v, uint8_t c)
{
	switch (v->state) {
	case VT_GROUND:
		text(v, c);
		break;
	case VT_ESCAPE:
		escape(v, c);
		break;
	case VT_ESCAPE_MORE:
		escape_more(v, c);
		break;
	case VT_CSI:
		if (c == ESC)
			v->state = VT_ESCAPE;
		else if (c == CAN || c == SUB || c >= 0x40)
			v->state = VT_GROUND;
		break;
	case VT_STRING:
		if (c == ESC)
			v->state = VT_STRING_ESCAPE;
		else if (c == BEL || c == CAN || c == SUB)
			v->state = VT_GROUND;
		break;
	case VT_STRING_ESCAPE: /* ESC \ ends the string; ESC and another byte is a new sequence */
		v->state = VT_GROUND;
		if (c != '\\') {
			v->state = VT_ESCAPE;
			escape(v, c);
		}
		break;
	}
}

void
vtscan_feed(struct vtscan *v, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n, *esc;

	while (p < end) {
		/* Of plain text only the last few bytes can matter. */
		if (v->state == VT_GROUND) {
			esc = memchr(p, ESC, (size_t)(end - p));
			if (esc == NULL && end - p > 4) {
				v->more = 0;
				p = end - 4;
			} else if (esc != NULL) {
				p = esc;
			}
		}
		step(v, *p++);
	}
}

bool
vtscan_between(const struct vtscan *v)
{
	return v->state == VT_GROUND && v->more == 0;
}
