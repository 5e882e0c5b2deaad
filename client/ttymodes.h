/* Terminal modes as a list of opcodes and values (RFC 4254 section 8). */
#ifndef QSH_CLIENT_TTYMODES_H
#define QSH_CLIENT_TTYMODES_H

#include <termios.h>

#include "common/base/buf.h"

/* Appends the encoded modes, ended by TTY_OP_END; t NULL (no terminal): the end alone. */
int ttymodes_put(struct buf *b, const struct termios *t);

#endif
