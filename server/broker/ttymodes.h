/* Terminal modes as a client encodes them (RFC 4254 section 8). */
#ifndef QSH_SERVER_BROKER_TTYMODES_H
#define QSH_SERVER_BROKER_TTYMODES_H

#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/* Changes *t by the modes in p. Opcodes that are not known here are skipped; from 160 on their
 * size is not known, so decoding ends there. QERR_TRUNC: an argument is cut off (what came before it is
 * applied); else 0. */
int ttymodes_decode(struct termios *t, const uint8_t *p, size_t n);

#endif
