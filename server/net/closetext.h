/* Why a connection ended, in words for the log. */
#ifndef QSH_SERVER_NET_CLOSETEXT_H
#define QSH_SERVER_NET_CLOSETEXT_H

#include <stddef.h>

#include "common/net/transport.h"

#define CLOSE_TEXT_MAX 512

/* One printable line: who ended it, code, reason. dst has n bytes; returns dst. */
const char *close_text(char *dst, size_t n, const struct tp_close *why);

#endif
