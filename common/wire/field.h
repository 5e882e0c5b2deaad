/* Fields of messages: strings with their limits, small integers, truth values. */
#ifndef QSH_WIRE_FIELD_H
#define QSH_WIRE_FIELD_H

#include "common/base/buf.h"

/* Each sets the sticky error: QERR_TOOBIG for what the peer would not take. */
void field_put_text(struct buf *b, const char *s, size_t max); /* NULL as "" */
void field_put_bytes(struct buf *b, struct bytes v, size_t max);
void field_put_bool(struct buf *b, bool v);

/* rd_cstr and rd_str read the strings. */
uint32_t field_u32(struct rd *r); /* a varint below 2^32, else QERR_TOOBIG */
bool field_bool(struct rd *r);    /* a byte 0 or 1, else QERR_FORMAT */
void field_free(char **s);        /* wipes */

#endif
