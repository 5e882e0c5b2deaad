/* May this account log in from this address? Everything but the proof of identity. Pure. */
#ifndef QSH_SERVER_MONITOR_ACCESS_H
#define QSH_SERVER_MONITOR_ACCESS_H

#include "common/net/addr.h"
#include "server/conf/sconf.h"
#include "server/monitor/account.h"

enum access {
	ACCESS_OK,
	ACCESS_NO_USER,       /* does not exist */
	ACCESS_OTHER_USER,    /* a server that an ordinary user runs serves only that user */
	ACCESS_EXPIRED,
	ACCESS_LOCKED,
	ACCESS_NO_SHELL,
	ACCESS_BAD_SHELL,
	ACCESS_DENY_USERS,
	ACCESS_ALLOW_USERS,
	ACCESS_NO_GROUP,
	ACCESS_DENY_GROUPS,
	ACCESS_ALLOW_GROUPS,
	ACCESS_BAD_PATTERN,   /* a pattern of the configuration cannot be read: nobody gets in by it */
};

/* In sshd's order: the account itself, then DenyUsers, AllowUsers, DenyGroups, AllowGroups. c is the configuration as
 * it holds for this user and address. only_uid: the one user served, or -1 for all. */
enum access access_check(const struct account *a, const struct sconf *c, const struct addr *from,
    uid_t only_uid);
/* Logs a refusal in the words that log watchers know. */
void access_log(enum access why, const struct account *a, const struct addr *from);

/* Does "user" or "user@host" match? host: patterns and CIDR blocks. 1, 0, QERR_FORMAT. */
int access_match_user(const char *user, const struct addr *from, const char *pattern);
/* Host part alone, as from= has it (comma list of patterns and CIDR blocks): 1, 0, QERR_FORMAT. */
int access_match_host(const struct addr *from, const char *patterns);

/* PermitRootLogin for an account that has proved its identity with a key. */
bool access_root_permitted(int permit_root_login, bool key_has_command);

#endif
