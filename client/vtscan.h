/* Where a terminal stands in what a program writes to it: between two characters, or inside of one or of an
 * escape sequence, where nothing else may be written. Pure. */
#ifndef QSH_CLIENT_VTSCAN_H
#define QSH_CLIENT_VTSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vtscan {
	enum { VT_GROUND, VT_ESCAPE, VT_ESCAPE_MORE, VT_CSI, VT_STRING, VT_STRING_ESCAPE } state;
	unsigned more; /* bytes of a UTF-8 character that are to come */
};

/* All zero: nothing was written yet. */
void vtscan_feed(struct vtscan *v, const uint8_t *p, size_t n);
bool vtscan_between(const struct vtscan *v);

#endif
