/* Host and Match lines of ssh_config. */
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/conf/exec.h"
#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/net/addr.h"

struct criterion {
	const char *name;
	bool has_value;
	/* 1 or 0 */
	int (*match)(struct cconf_walk *w, const char *value);
};

static int
match_host(struct cconf_walk *w, const char *value)
{
	char *host;
	int r;

	if (cconf_host_now(&host, w) != 0)
		return 0;
	r = str_match_list(host, value, true) == 1;
	free(host);
	return r;
}

static int
match_original_host(struct cconf_walk *w, const char *value)
{
	return str_match_list(w->c->host, value, true) == 1;
}

static int
match_user(struct cconf_walk *w, const char *value)
{
	const char *user = w->c->user != NULL ? w->c->user : w->local_user;

	return str_match_list(user, value, false) == 1;
}

static int
match_local_user(struct cconf_walk *w, const char *value)
{
	return str_match_list(w->local_user, value, false) == 1;
}

static int
match_tagged(struct cconf_walk *w, const char *value)
{
	return str_match_list(w->c->tag != NULL ? w->c->tag : "", value, false) == 1;
}

static int
match_version(struct cconf_walk *w, const char *value)
{
	(void)w;
	return str_match_list("qsh_" PACKAGE_VERSION, value, false) == 1;
}

static int
match_command(struct cconf_walk *w, const char *value)
{
	return str_match_list(w->command != NULL ? w->command : "", value, false) == 1;
}

static int
match_session_type(struct cconf_walk *w, const char *value)
{
	const char *type = w->command != NULL ? "exec" : "shell";

	if (w->c->session_type == CCONF_SESSION_NONE)
		type = "none";
	else if (w->c->session_type == CCONF_SESSION_SUBSYSTEM)
		type = "subsystem";
	return str_match_list(type, value, false) == 1;
}

static int
match_local_network(struct cconf_walk *w, const char *value)
{
	struct ifaddrs *list, *i;
	struct addr a;
	socklen_t len;
	int found = 0;

	(void)w;
	if (getifaddrs(&list) != 0)
		return 0;
	for (i = list; i != NULL && !found; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		len = i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6);
		if (addr_from_sa(&a, i->ifa_addr, len) == 0)
			found = addr_match_list(&a, value) == 1;
	}
	freeifaddrs(list);
	return found;
}

static int
match_exec(struct cconf_walk *w, const char *value)
{
	struct cconf_tokens t;
	char *command = NULL, bad = '?';
	int r;

	if (w->ctx->no_exec)
		return 0;
	if ((r = cconf_tokens_init(&t, w)) == 0)
		r = cconf_expand(&command, value, &t, &bad);
	cconf_tokens_free(&t);
	if (r == QERR_UNKNOWN)
		log_error("Match exec: %%%c is not a token", bad);
	if (r != 0)
		return 0;
	r = cconf_exec(command);
	log_debug("Match exec \"%s\": %s", command, r == 0 ? "true" : "false");
	free(command);
	return r == 0;
}

static int
match_final(struct cconf_walk *w, const char *value)
{
	(void)value;
	w->want_final = true;
	return w->final;
}

/* Names are not made canonical, so this is true in a second pass that "final" asks for, and
 * asks for none. */
static int
match_canonical(struct cconf_walk *w, const char *value)
{
	(void)value;
	return w->final;
}

static int
match_all(struct cconf_walk *w, const char *value)
{
	(void)w;
	(void)value;
	return 1;
}

static const struct criterion criteria[] = {
    {"all", false, match_all},
    {"canonical", false, match_canonical},
    {"final", false, match_final},
    {"host", true, match_host},
    {"originalhost", true, match_original_host},
    {"user", true, match_user},
    {"localuser", true, match_local_user},
    {"localnetwork", true, match_local_network},
    {"exec", true, match_exec},
    {"tagged", true, match_tagged},
    {"version", true, match_version},
    {"sessiontype", true, match_session_type},
    {"command", true, match_command},
};

/* The criterion that begins at word *i, with its value; *i goes to the next. NULL: not known.
 */
static const struct criterion *
next_criterion(const struct strlist *args, size_t *i, bool *negated, const char **value)
{
	const char *word = args->v[(*i)++];
	size_t k, n;

	*negated = *word == '!';
	word += *negated;
	n = strcspn(word, "=");
	*value = word[n] == '=' ? word + n + 1 : NULL;
	for (k = 0; k < sizeof(criteria) / sizeof(criteria[0]); k++) {
		if (strlen(criteria[k].name) != n ||
		    strncasecmp(criteria[k].name, word, n) != 0)
			continue;
		if (criteria[k].has_value && *value == NULL && *i < args->n)
			*value = args->v[(*i)++];
		return &criteria[k];
	}
	return NULL;
}

/* "all" may stand alone or behind "canonical" or "final". */
static bool
all_is_alone(const struct strlist *args, size_t at)
{
	if (at + 1 != args->n || at > 1)
		return false;
	return at == 0 || strcasecmp(args->v[0], "canonical") == 0 ||
	       strcasecmp(args->v[0], "final") == 0;
}

int
cconf_match_line(
    struct cconf_walk *w, const struct conf_line *l, bool run, struct conf_why *why)
{
	const struct criterion *c;
	const char *value;
	bool negated;
	size_t i = 0, at;
	int result = 1;

	if (l->args.n == 0)
		return conf_bad(why, "criterion is missing");
	while (i < l->args.n) {
		at = i;
		c = next_criterion(&l->args, &i, &negated, &value);
		if (c == NULL)
			return conf_bad(why, "criterion \"%.60s\" is not known", l->args.v[at]);
		if (c->has_value &&
		    (value == NULL || (*value == '\0' && c->match == match_host)))
			return conf_bad(why, "value of \"%.60s\" is missing", l->args.v[at]);
		if (c->match == match_local_network && addr_match_list(NULL, value) != 0)
			return conf_bad(why, "\"%.80s\" is not a list of addresses", value);
		if (c->match == match_all && (negated || !all_is_alone(&l->args, at)))
			return conf_bad(why, "\"all\" must stand alone");
		/* a command is run only where what stands before it matches */
		if (!run || (c->match == match_exec && !result))
			continue;
		if ((c->match(w, value) != 0) == negated)
			result = 0;
	}
	return run ? result : 0;
}

int
cconf_host_line(const struct cconf_walk *w, const struct conf_line *l)
{
	const char *pattern;
	int active = 0;
	size_t i;

	for (i = 0; i < l->args.n; i++) {
		pattern = l->args.v[i];
		if (*pattern == '!' && str_match(w->c->host, pattern + 1))
			return 0;
		if (*pattern != '!' && str_match(w->c->host, pattern))
			active = 1;
	}
	return active;
}
