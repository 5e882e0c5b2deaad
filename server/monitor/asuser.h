/* Doing something with a user's privileges, for a moment. */
#ifndef QSH_SERVER_MONITOR_ASUSER_H
#define QSH_SERVER_MONITOR_ASUSER_H

#include <stdbool.h>
#include <sys/types.h>

struct asuser {
	gid_t *groups;
	int ngroups;
	uid_t uid;
	gid_t gid;
	bool changed;
};
struct account;
/* Takes on effective ids and groups of an account that exists; does nothing where we are not root, or user is. QERR_SYS, QERR_NOMEM (then
 * nothing has changed). */
int asuser_begin(struct asuser *s, const struct account *a);
/* Takes the former ones back. A process that cannot do so must not go on: it aborts. */
void asuser_end(struct asuser *s);

#endif
