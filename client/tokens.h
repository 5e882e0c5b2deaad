/* Tokens of servers that know this machine's address (RFC 9000 section 8.1.3), in a small file. Shown once,
 * to the address and port that gave them and from the address that they were given to: whoever watches
 * two networks cannot tell by them that the same machine was there. Best effort: no login hangs on them. */
#ifndef QSH_CLIENT_TOKENS_H
#define QSH_CLIENT_TOKENS_H

#include "quic/quic.h"

#define TOKENS_MAX  64 /* lines of the file */
#define TOKENS_SAME 4  /* for one pair of addresses */

struct tokens;

/* path: the file, which need not be there. QERR_NOMEM, and *out is NULL. */
int tokens_new(struct tokens **out, const char *path);
void tokens_free(struct tokens **t);
extern const struct quic_tokens tokens_ops; /* argument: struct tokens */

#endif
