/* Options of a line in authorized_keys. Inside common/keys only. */
#ifndef QSH_KEYS_AUTHKEYS_OPTS_H
#define QSH_KEYS_AUTHKEYS_OPTS_H

#include "common/keys/authkeys.h"

/* The n characters before the key. 0, QERR_FORMAT, QERR_UNKNOWN, QERR_NOMEM; *why: a
 * constant text. o is zeroed before, and to be freed in any case. */
int authkey_opts_parse(struct authkey_opts *o, const char *s, size_t n, const char **why);
void authkey_opts_free(struct authkey_opts *o);
/* A time as expiry-time= has it: YYYYMMDD[HHMM[SS]], in local time, or UTC where Z or UTC
 * follows. 0 or QERR_FORMAT. */
int authkey_time_parse(const char *s, uint64_t *t);

#endif
