/* Lines of a text. Inside common/keys only. */
#ifndef QSH_KEYS_LINES_H
#define QSH_KEYS_LINES_H

#include "common/base/buf.h"

struct lines {
	struct rd r;
	struct buf line;
	unsigned long no;  /* of the line last given, from 1 */
	bool has_nul;      /* it has a zero byte inside: what is given ends there */
};
void lines_init(struct lines *l, const uint8_t *text, size_t n);
/* The next line, valid until the next call: without its end (also \r\n) and without blanks
 * at either end. 1; 0: no more; QERR_NOMEM. */
int lines_next(struct lines *l, const char **line);
void lines_free(struct lines *l);

#endif
