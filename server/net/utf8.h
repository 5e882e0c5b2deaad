/* UTF-8 (RFC 3629). */
#ifndef QSH_SERVER_NET_UTF8_H
#define QSH_SERVER_NET_UTF8_H

#include <stdbool.h>

/* Shortest forms only, no surrogates, nothing over U+10FFFF. */
bool utf8_valid(const char *s);

#endif
