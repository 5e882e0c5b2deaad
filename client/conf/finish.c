/* From all settings and files to what holds for one host. */
#include <ctype.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/net/addr.h"

static const char *const default_identities[] = {"~/.ssh/id_rsa", "~/.ssh/id_ecdsa",
    "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"};

static void
replace(char **p, char *by)
{
	free(*p);
	*p = by;
}

/* ---- expansion -------------------------------------------------------------- */

enum { TILDE = 1, TOKENS = 2, ENV = 4 };

static int
expand(char **p, unsigned how, struct cconf_tokens *t, const char *home, const char *what)
{
	char *s = NULL, bad = '?';
	int r = 0;

	if (*p == NULL)
		return 0;
	if ((how & TILDE) && (r = conf_expand_tilde(&s, *p, home)) == 0)
		replace(p, s);
	else if (r == QERR_NOTFOUND)
		log_error("%s %s: no such user for ~", what, *p);
	if (r == 0 && (how & TOKENS) && (r = cconf_expand(&s, *p, t, &bad)) == 0)
		replace(p, s);
	else if (r == QERR_UNKNOWN)
		log_error("%s %s: %%%c is not a token", what, *p, bad);
	if (r == 0 && (how & ENV) && (r = conf_expand_env(&s, *p)) == 0)
		replace(p, s);
	else if (r == QERR_NOTFOUND && (how & ENV) && strstr(*p, "${") != NULL)
		log_error("%s %s: the environment has no such variable", what, *p);
	else if (r == QERR_FORMAT)
		log_error("%s %s: malformed ${NAME}", what, *p);
	return r == 0 || r == QERR_NOMEM ? r : QERR_FORMAT;
}

static int
expand_list(struct strlist *l, unsigned how, struct cconf_tokens *t, const char *home,
    const char *what)
{
	size_t i;
	int r = 0;

	for (i = 0; i < l->n && r == 0; i++)
		r = expand(&l->v[i], how, t, home, what);
	return r;
}

/* "$NAME" is the older way to name a variable; where it is not set there is no agent. */
static int
expand_agent(struct cconf *c, struct cconf_tokens *t, const char *home)
{
	const char *value;

	if (c->identity_agent == NULL || strcasecmp(c->identity_agent, "none") == 0)
		return 0;
	if (strcmp(c->identity_agent, "SSH_AUTH_SOCK") == 0) {
		replace(&c->identity_agent, NULL);
		return 0;
	}
	if (c->identity_agent[0] == '$' && c->identity_agent[1] != '{') {
		value = getenv(c->identity_agent + 1);
		replace(&c->identity_agent, strdup(value != NULL ? value : "none"));
		return c->identity_agent == NULL ? QERR_NOMEM : 0;
	}
	return expand(&c->identity_agent, TILDE | TOKENS | ENV, t, home, "IdentityAgent");
}

/* What a command for the shell is made of is kept to what is checked: host and user names, and numbers. */
static int
expand_proxy(struct cconf *c, struct cconf_tokens *t, const char *home)
{
	struct cconf_tokens few = {.n = 0};
	size_t i;

	if (c->proxy_command == NULL)
		return 0;
	for (i = 0; i < t->n; i++)
		if (strchr("hnpr", t->t[i].c) != NULL)
			few.t[few.n++] = t->t[i];
	replace(&c->proxy_run, strdup(c->proxy_command));
	if (c->proxy_run == NULL)
		return QERR_NOMEM;
	return expand(&c->proxy_run, TOKENS, &few, home, "ProxyCommand");
}

static int
expand_all(struct cconf_walk *w)
{
	const unsigned all = TILDE | TOKENS | ENV;
	struct cconf *c = w->c;
	struct cconf_tokens t;
	int r;

	if ((r = cconf_tokens_init(&t, w)) != 0)
		goto out;
	if ((r = expand_list(&c->identity_files, all, &t, w->home, "IdentityFile")) != 0 ||
	    (r = expand_list(&c->user_known_hosts, all, &t, w->home, "UserKnownHostsFile")) !=
		0 ||
	    (r = expand_agent(c, &t, w->home)) != 0 || (r = expand_proxy(c, &t, w->home)) != 0 ||
	    (r = expand(&c->token_file, all, &t, w->home, "TokenFile")) != 0 ||
	    (r = expand(&c->key_log_file, TILDE | TOKENS, &t, w->home, "KeyLogFile")) != 0 ||
	    (r = expand(&c->qlog_dir, TILDE | TOKENS, &t, w->home, "QLogDirectory")) != 0)
		goto out;
	r = expand(&c->remote_command, TOKENS, &t, w->home, "RemoteCommand");
out:
	cconf_tokens_free(&t);
	return r;
}

/* ---- values that depend on others --------------------------------------------- */

static void
lower_case(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* An address as ssh writes it ("127.1" and "0::1" are 127.0.0.1 and ::1), since known_hosts has it in that form.
 * A name stays. */
static int
usual_address(char **host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *ai = NULL;
	char text[NI_MAXHOST], *s = NULL;
	int r = 0;

	if (getaddrinfo(*host, NULL, &hints, &ai) != 0)
		return 0;
	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0) {
		s = strdup(text);
		r = s == NULL ? QERR_NOMEM : 0;
	}
	freeaddrinfo(ai);
	if (s != NULL)
		replace(host, s);
	return r;
}

/* HostName with its %h; what is left to be done before a second pass too. */
static int
settle_host(struct cconf_walk *w)
{
	char *host;
	int r;

	if ((r = cconf_host_now(&host, w)) == QERR_UNKNOWN) {
		log_error("HostName %s: only %%h and %%%% are tokens here", w->c->hostname);
		return QERR_FORMAT;
	}
	if (r != 0)
		return r;
	lower_case(host);
	r = usual_address(&host);
	replace(&w->c->hostname, host);
	w->host_settled = true;
	return r;
}

static int
settle_identities(struct cconf *c)
{
	size_t i, n = 0;
	int r = 0;

	if (c->identity_files.n == 0) {
		for (i = 0; i < sizeof(default_identities) / sizeof(*default_identities); i++)
			if ((r = strlist_add(&c->identity_files, default_identities[i])) != 0)
				return r;
		return 0;
	}
	for (i = 0; i < c->identity_files.n; i++) {
		if (strcasecmp(c->identity_files.v[i], "none") == 0)
			free(c->identity_files.v[i]);
		else
			c->identity_files.v[n++] = c->identity_files.v[i];
	}
	c->identity_files.n = n;
	return 0;
}

/* Would ssh look for another name of the host? */
static bool
would_be_canonical(const struct cconf *c)
{
	size_t n = strlen(c->hostname), dots = 0;
	struct addr a;
	const char *s;

	if (c->canonicalize == CCONF_CANON_NO || addr_parse(&a, c->hostname, 0) == 0)
		return false;
	if (n > 0 && c->hostname[n - 1] == '.')
		return false; /* a whole name */
	for (s = c->hostname; *s != '\0'; s++)
		dots += *s == '.';
	return c->canonical_cnames.n > 0 ||
	       (c->canonical_domains.n > 0 && dots <= c->canonical_max_dots);
}

/* What may not be passed over, and cannot be done yet. */
static int
refuse(const struct cconf *c)
{
	if (would_be_canonical(c)) {
		log_error("%s: CanonicalizeHostname is not supported yet: give the whole name, "
			  "and set "
			  "it to no for this host",
		    c->host);
		return QERR_UNSUPPORTED;
	}
	if (c->refuse_connection != NULL) {
		log_error("%s: connection refused by RefuseConnection: %s", c->host,
		    c->refuse_connection);
		return QERR_DENIED;
	}
	if (c->revoked_host_keys != NULL) {
		log_error(
		    "%s: RevokedHostKeys is not supported yet: set it to none for this host",
		    c->host);
		return QERR_UNSUPPORTED;
	}
	return 0;
}

static int
settle(struct cconf_walk *w)
{
	struct cconf *c = w->c;
	int r;

	if (c->user == NULL && (c->user = strdup(w->local_user)) == NULL)
		return QERR_NOMEM;
	if ((r = conf_table_defaults(&cconf_table, c, w->set)) != 0 ||
	    (r = settle_host(w)) != 0 || (r = settle_identities(c)) != 0 ||
	    (r = expand_all(w)) != 0)
		return r;
	if (!conf_algs_have(c->pubkey_algs, "ssh-ed25519"))
		c->pubkey_auth = false;
	return refuse(c);
}

/* ---- the passes ------------------------------------------------------------------ */

static int
passes(struct cconf_walk *w, const char *user_arg)
{
	size_t user = conf_opt_find(&cconf_table, "User");
	size_t hostname = conf_opt_find(&cconf_table, "Hostname");
	int r;

	if ((r = cconf_walk_settings(w)) != 0)
		return r;
	/* a port typed on the command line is not overruled by a file */
	if (w->set[conf_opt_find(&cconf_table, "Port")])
		w->set[conf_opt_find(&cconf_table, "QuicPort")] = true;
	if (user_arg != NULL && !w->set[user]) {
		if ((w->c->user = strdup(user_arg)) == NULL)
			return QERR_NOMEM;
		w->set[user] = true;
	}
	r = cconf_walk_files(w);
	if (r != 0 || (!w->want_final && w->c->canonicalize == CCONF_CANON_NO))
		return r;
	if ((r = settle_host(w)) != 0)
		return r;
	log_debug("re-parsing configuration");
	w->set[hostname] = true;
	w->final = true;
	return cconf_walk_files(w);
}

static int
who_am_i(struct cconf_walk *w)
{
	const struct passwd *pw = getpwuid(getuid());

	if (pw == NULL) {
		log_error("No user exists for uid %lu", (unsigned long)getuid());
		return QERR_NOTFOUND;
	}
	w->local_user = strdup(pw->pw_name);
	w->home = strdup(pw->pw_dir);
	return w->local_user == NULL || w->home == NULL ? QERR_NOMEM : 0;
}

int
cconf_finish(struct cconf_ctx *ctx, const char *host, const char *user_arg, const char *command,
    struct cconf **out)
{
	struct cconf_walk w = {.ctx = ctx, .command = command};
	int r = QERR_NOMEM;

	*out = w.c = calloc(1, sizeof(*w.c));
	w.set = calloc(cconf_table.n, sizeof(*w.set));
	if (w.c == NULL || w.set == NULL || (w.c->host = strdup(host)) == NULL)
		goto out;
	if ((r = who_am_i(&w)) == 0 && (r = passes(&w, user_arg)) == 0)
		r = settle(&w);
out:
	free(w.set);
	free(w.local_user);
	free(w.home);
	if (r != 0)
		cconf_free(out);
	return r;
}

void
cconf_free(struct cconf **c)
{
	if (*c == NULL)
		return;
	conf_table_clear(&cconf_table, *c);
	free((*c)->host);
	free((*c)->proxy_run);
	free(*c);
	*c = NULL;
}

int
cconf_dump(struct buf *b, const struct cconf *c)
{
	buf_printf(b, "host %s\n", c->host);
	return conf_table_dump(b, &cconf_table, c);
}
