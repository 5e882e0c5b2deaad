/* What the system knows of a user, as plain facts that access_check judges. */
#ifndef QSH_SERVER_MONITOR_ACCOUNT_H
#define QSH_SERVER_MONITOR_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/conf/conf.h"

enum shell_state { SHELL_OK, SHELL_MISSING, SHELL_NOT_EXECUTABLE };

struct account {
	char *name;            /* as the system spells it; as given for a user that does not exist */
	char *home, *shell;
	uid_t uid;
	gid_t gid;
	struct strlist groups; /* names: the user's own and the supplementary ones */
	gid_t *gids;           /* the same as numbers, ngids of them */
	int ngids;
	bool exists;
	bool locked;           /* the password field says so (needs root to be seen) */
	bool expired;          /* the account, not the password */
	enum shell_state shell_state;
};

/* now: seconds since the epoch. A user that does not exist gets an account too (exists false; home that
 * does not exist), so that what follows takes the same way. Blocks on NSS. QERR_NOMEM. */
int account_lookup(struct account **out, const char *user, uint64_t now);
/* Has the system load what it looks users up with, so that no login waits for it. Blocks on NSS. */
void account_warm_up(void);
void account_free(struct account **a);
/* Gives this process the groups of the account, as they were looked up: a directory service need not be asked again.
 * QERR_SYS. */
int account_set_groups(const struct account *a);
/* The text of a file for the user who logs in (Banner, /etc/nologin), at most max bytes; NULL where there is none. */
char *account_text_file(const char *path, size_t max);

#endif
