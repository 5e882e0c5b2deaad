/* Looking a key up in the files that AuthorizedKeysFile names. */
#ifndef QSH_SERVER_MONITOR_KEYFILE_H
#define QSH_SERVER_MONITOR_KEYFILE_H

#include "common/keys/authkeys.h"
#include "common/keys/keys.h"
#include "common/net/addr.h"
#include "server/conf/sconf.h"
#include "server/monitor/account.h"

/* Files are opened with the account's privileges, without waiting, and only regular ones that StrictModes
 * permits. Finds the first line that has the key and lets it in from this address at this time (seconds since the epoch); what
 * refuses a line that has the key is logged with file and line. 1: found, *line is the caller's (authkey_line_free); 0: not; QERR_NOMEM,
 * QERR_SYS. For an account that does not exist the same is done in vain. */
int keyfile_find(const struct account *a, const struct sconf *c, const struct pubkey *k,
    const struct addr *from, uint64_t now, struct authkey_line *line);
/* The same in a file's text. */
int keyfile_find_text(const char *path, const uint8_t *text, size_t n, const struct account *a,
    const struct pubkey *k, const struct addr *from, uint64_t now, struct authkey_line *line);
/* Path of an AuthorizedKeysFile pattern for an account, absolute; fresh memory. NULL with a log line. */
char *keyfile_path(const char *pattern, const struct account *a);
/* ~/.ssh/environment as "NAME=value" entries, for PermitUserEnvironment. patterns: NULL all. */
int keyfile_user_env(const struct account *a, const char *patterns, struct strlist *env);

#endif
