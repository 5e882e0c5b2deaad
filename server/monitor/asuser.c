/* A user's privileges for a moment. */
#include "server/monitor/asuser.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/monitor/account.h"

static void
restore(struct asuser *s)
{
	if (seteuid(s->uid) < 0 || setegid(s->gid) < 0 ||
	    setgroups((size_t)s->ngroups, s->groups) < 0) {
		log_error("cannot take privileges back: %s", qerr_str(QERR_SYS));
		abort();
	}
}

int
asuser_begin(struct asuser *s, const struct account *a)
{
	memset(s, 0, sizeof *s);
	s->uid = geteuid();
	s->gid = getegid();
	if (s->uid != 0 || a->uid == 0)
		return 0;
	s->ngroups = getgroups(0, NULL);
	if (s->ngroups < 0)
		return QERR_SYS;
	s->groups = calloc((size_t)s->ngroups + 1, sizeof *s->groups);
	if (!s->groups)
		return QERR_NOMEM;
	s->ngroups = getgroups(s->ngroups, s->groups);
	if (s->ngroups < 0 || account_set_groups(a) < 0 || setegid(a->gid) < 0 || seteuid(a->uid) < 0) {
		int e = errno;
		if (s->ngroups >= 0)
			restore(s);
		free(s->groups);
		s->groups = NULL;
		errno = e;
		return QERR_SYS;
	}
	s->changed = true;
	return 0;
}

void
asuser_end(struct asuser *s)
{
	if (s->changed) {
		int e = errno;
		restore(s);
		errno = e;
	}
	free(s->groups);
	memset(s, 0, sizeof *s);
}
