/* May this account log in from this address? */
#include "server/monitor/access.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

int
access_match_host(const struct addr *from, const char *patterns)
{
	/* Names are not looked up, so the address stands for the name too: str_match_list sees
	 * patterns such as "192.0.2.*" and "*", addr_match_list CIDR blocks. */
	char host[ADDR_STRLEN];
	int by_addr = addr_match_list(from, patterns);
	if (by_addr == QERR_FORMAT)
		return QERR_FORMAT;
	int by_name = str_match_list(addr_host(from, host), patterns, true);
	if (by_addr < 0 || by_name < 0)
		return 0;
	return by_addr == 1 || by_name == 1;
}

int
access_match_user(const char *user, const struct addr *from, const char *pattern)
{
	const char *at = strrchr(pattern, '@');
	if (!at)
		return str_match(user, pattern);
	char *name = strndup(pattern, (size_t)(at - pattern));
	if (!name)
		return QERR_FORMAT; /* refuses, as a malformed one does */
	int r = str_match(user, name) ? access_match_host(from, at + 1) : 0;
	free(name);
	return r;
}

/* 1 if one of the patterns matches, 0 if none, QERR_FORMAT at the first malformed one. */
static int
match_users(const struct strlist *patterns, const char *user, const struct addr *from)
{
	for (size_t i = 0; i < patterns->n; i++) {
		int r = access_match_user(user, from, patterns->v[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

static bool
match_groups(const struct strlist *patterns, const struct strlist *groups)
{
	for (size_t i = 0; i < groups->n; i++) {
		for (size_t k = 0; k < patterns->n; k++) {
			if (str_match(groups->v[i], patterns->v[k]))
				return true;
		}
	}
	return false;
}

static enum access
check_account(const struct account *a, const struct sconf *c, uid_t only_uid)
{
	if (!a->exists)
		return ACCESS_NO_USER;
	if (only_uid != (uid_t)-1 && a->uid != only_uid)
		return ACCESS_OTHER_USER;
	if (!c->use_pam && a->expired)
		return ACCESS_EXPIRED;
	if (!c->use_pam && a->locked)
		return ACCESS_LOCKED;
	if (a->shell_state == SHELL_MISSING)
		return ACCESS_NO_SHELL;
	if (a->shell_state == SHELL_NOT_EXECUTABLE)
		return ACCESS_BAD_SHELL;
	return ACCESS_OK;
}

static enum access
check_users(const struct account *a, const struct sconf *c, const struct addr *from)
{
	int r = match_users(&c->deny_users, a->name, from);
	if (r < 0)
		return ACCESS_BAD_PATTERN;
	if (r == 1)
		return ACCESS_DENY_USERS;
	if (c->allow_users.n == 0)
		return ACCESS_OK;
	r = match_users(&c->allow_users, a->name, from);
	if (r < 0)
		return ACCESS_BAD_PATTERN;
	return r == 1 ? ACCESS_OK : ACCESS_ALLOW_USERS;
}

static enum access
check_groups(const struct account *a, const struct sconf *c)
{
	if (c->deny_groups.n == 0 && c->allow_groups.n == 0)
		return ACCESS_OK;
	if (a->groups.n == 0)
		return ACCESS_NO_GROUP;
	if (match_groups(&c->deny_groups, &a->groups))
		return ACCESS_DENY_GROUPS;
	if (c->allow_groups.n > 0 && !match_groups(&c->allow_groups, &a->groups))
		return ACCESS_ALLOW_GROUPS;
	return ACCESS_OK;
}

enum access
access_check(const struct account *a, const struct sconf *c, const struct addr *from, uid_t only_uid)
{
	enum access r = check_account(a, c, only_uid);
	if (r == ACCESS_OK)
		r = check_users(a, c, from);
	if (r == ACCESS_OK)
		r = check_groups(a, c);
	return r;
}

void
access_log(enum access why, const struct account *a, const struct addr *from)
{
	static const char *const because[] = {
	    [ACCESS_OTHER_USER] = "this server serves only the user who runs it",
	    [ACCESS_LOCKED] = "account is locked",
	    [ACCESS_DENY_USERS] = "listed in DenyUsers",
	    [ACCESS_ALLOW_USERS] = "not listed in AllowUsers",
	    [ACCESS_NO_GROUP] = "not in any group",
	    [ACCESS_DENY_GROUPS] = "a group is listed in DenyGroups",
	    [ACCESS_ALLOW_GROUPS] = "none of user's groups are listed in AllowGroups",
	    [ACCESS_BAD_PATTERN] = "a pattern in AllowUsers or DenyUsers is malformed",
	};
	char host[ADDR_STRLEN];
	switch (why) {
	case ACCESS_OK:
		return;
	case ACCESS_NO_USER:
		log_info("Invalid user %s from %s", a->name, addr_show(from));
		return;
	case ACCESS_EXPIRED:
		log_info("Account %s has expired", a->name);
		return;
	case ACCESS_NO_SHELL:
		log_info("User %s not allowed because shell %s does not exist", a->name, a->shell);
		return;
	case ACCESS_BAD_SHELL:
		log_info("User %s not allowed because shell %s is not executable", a->name, a->shell);
		return;
	case ACCESS_LOCKED:
		log_info("User %s not allowed because %s", a->name, because[why]);
		return;
	default:
		log_info("User %s from %s not allowed because %s", a->name, addr_host(from, host),
		    because[why]);
		return;
	}
}

bool
access_root_permitted(int permit_root_login, bool key_has_command)
{
	switch (permit_root_login) {
	case SCONF_ROOT_YES:
	case SCONF_ROOT_PROHIBIT_PASSWORD: /* a key is no password */
		return true;
	case SCONF_ROOT_FORCED_COMMANDS:
		return key_has_command;
	default:
		return false;
	}
}
