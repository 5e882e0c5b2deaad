/* Which addresses to try, and in which order (RFC 8305). Pure. */
#ifndef QSH_CLIENT_RACE_H
#define QSH_CLIENT_RACE_H

#include <stddef.h>

#include "common/net/addr.h"
#include "common/net/transport.h"

#define RACE_DELAY_NS UINT64_C(250000000) /* between two attempts */
#define RACE_MAX      32                  /* attempts at all */

/* Puts the families in turn (RFC 8305 section 4): the first address' family begins; the order
 * within a family, which getaddrinfo chose (RFC 6724), stays. */
void race_interleave(struct addr *v, size_t n);
/* Every port with every address, at most max: all addresses on the first port, then on the next.
 * Returns how many were written to out. */
size_t race_plan(const struct addr *v, size_t n, const unsigned *ports, size_t nports,
    struct addr *out, size_t max);
/* Of two failed attempts, the one that tells the user more: true where a does. */
bool race_tells_more(const struct tp_close *a, const struct tp_close *b);
/* The failure in words, without the address: "Connection refused". dst is filled and returned. */
const char *race_reason(const struct tp_close *why, char *dst, size_t n);

#endif
