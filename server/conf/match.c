/* Match lines of sshd_config. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "server/conf/table.h"

struct criterion {
	const char *name;
	/* 1 or 0 */
	int (*match)(const char *list, const struct sconf_match *m);
	/* 0 or QERR_FORMAT; NULL: any value is good */
	int (*check)(const char *list, struct conf_why *why);
};

static int
match_user(const char *list, const struct sconf_match *m)
{
	return m->user != NULL && str_match_list(m->user, list, false) == 1;
}

/* A negated pattern that matches any group decides. */
static int
match_group(const char *list, const struct sconf_match *m)
{
	int found = 0;
	size_t i;

	for (i = 0; i < m->ngroups; i++) {
		switch (str_match_list(m->groups[i], list, false)) {
		case 1:
			found = 1;
			break;
		case -1:
			return 0;
		}
	}
	return found;
}

static int
match_host(const char *list, const struct sconf_match *m)
{
	char text[ADDR_STRLEN];
	const char *host = m->host;

	if (host == NULL && m->remote != NULL)
		host = addr_host(m->remote, text);
	return host != NULL && str_match_list(host, list, true) == 1;
}

static int
match_address(const char *list, const struct sconf_match *m)
{
	return m->remote != NULL && addr_match_list(m->remote, list) == 1;
}

static int
match_local_address(const char *list, const struct sconf_match *m)
{
	return m->local != NULL && addr_match_list(m->local, list) == 1;
}

static int
match_local_port(const char *list, const struct sconf_match *m)
{
	long long port;

	return m->local != NULL && str_to_int(list, 1, 65535, &port) == 0 &&
	       addr_port(m->local) == port;
}

static int
check_addresses(const char *list, struct conf_why *why)
{
	if (addr_match_list(NULL, list) == QERR_FORMAT)
		return conf_bad(why, "\"%.80s\" is not a list of addresses", list);
	return 0;
}

static int
check_port(const char *list, struct conf_why *why)
{
	long long port;

	if (str_to_int(list, 1, 65535, &port) != 0)
		return conf_bad(why, "\"%.60s\" is not a port", list);
	return 0;
}

static const struct criterion criteria[] = {
    {"user", match_user, NULL},
    {"group", match_group, NULL},
    {"host", match_host, NULL},
    {"address", match_address, check_addresses},
    {"localaddress", match_local_address, check_addresses},
    {"localport", match_local_port, check_port},
};

/* The criterion that begins at word *i, and its value; *i goes to the next one. "name value"
 * and "name=value". NULL: not known. */
static const struct criterion *
next_criterion(const struct strlist *args, size_t *i, const char **value)
{
	const char *word = args->v[(*i)++];
	size_t k, n = strcspn(word, "=");

	if (word[n] == '=')
		*value = word + n + 1;
	else
		*value = *i < args->n ? args->v[(*i)++] : NULL;
	for (k = 0; k < sizeof(criteria) / sizeof(criteria[0]); k++)
		if (strlen(criteria[k].name) == n &&
		    strncasecmp(criteria[k].name, word, n) == 0)
			return &criteria[k];
	return NULL;
}

bool
sconf_match_is_all(const struct conf_line *l)
{
	return conf_opt_says(l, "all");
}

int
sconf_match_line(const struct conf_line *l, const struct sconf_match *m)
{
	const struct criterion *c;
	const char *value;
	size_t i = 0;

	if (sconf_match_is_all(l))
		return 1;
	if (m == NULL || l->args.n == 0)
		return 0;
	while (i < l->args.n) {
		c = next_criterion(&l->args, &i, &value);
		if (c == NULL || value == NULL || c->match(value, m) != 1)
			return 0;
	}
	return 1;
}

int
sconf_match_check(const struct conf_line *l, bool *by_host, struct conf_why *why)
{
	const struct criterion *c;
	const char *value, *name;
	size_t i = 0;

	*by_host = false;
	if (l->args.n == 0)
		return conf_bad(why, "criterion is missing");
	if (sconf_match_is_all(l))
		return 0;
	while (i < l->args.n) {
		name = l->args.v[i];
		if (strcasecmp(name, "all") == 0)
			return conf_bad(why, "\"all\" must stand alone");
		c = next_criterion(&l->args, &i, &value);
		if (c == NULL)
			return conf_bad(why, "criterion \"%.60s\" is not supported", name);
		if (value == NULL || *value == '\0')
			return conf_bad(why, "value of \"%.60s\" is missing", name);
		if (c->check != NULL && c->check(value, why) != 0)
			return QERR_FORMAT;
		*by_host |= strcmp(c->name, "host") == 0;
	}
	return 0;
}
