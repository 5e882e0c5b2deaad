/* What str_vis, str_vis_text and the log share. */
#ifndef QSH_BASE_VIS_H
#define QSH_BASE_VIS_H

#include <stddef.h>

enum {
	VIS_TEXT = 1,      /* newlines and tabs stay */
	VIS_BACKSLASH = 2, /* backslashes stay: what is shown already is not changed again */
};

/* As str_vis, with flags. */
char *vis(char *dst, size_t dstlen, const void *src, size_t n, unsigned flags);

#endif
