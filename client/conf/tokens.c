/* What the %-tokens of ssh_config(5) stand for. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/str.h"

int
cconf_host_now(char **out, const struct cconf_walk *w)
{
	const struct conf_token t = {'h', w->c->host};
	char bad;

	if (w->c->hostname == NULL || w->host_settled)
		return (*out = strdup(w->c->hostname ? w->c->hostname : w->c->host)) == NULL
			   ? QERR_NOMEM
			   : 0;
	return conf_expand(out, w->c->hostname, &t, 1, &bad);
}

static int
host_names(struct cconf_tokens *t)
{
	char name[256];

	if (gethostname(name, sizeof(name)) != 0)
		name[0] = '\0';
	name[sizeof(name) - 1] = '\0';
	t->full_name = strdup(name);
	t->short_name = strndup(name, strcspn(name, "."));
	return t->full_name == NULL || t->short_name == NULL ? QERR_NOMEM : 0;
}

/* %C: a name for the connection, in hexadecimal digits: SHA-1 of %l%h%p%r%j, as ssh makes it. Only where it
 * is asked for: the library's first digest takes more than a millisecond, of every login. */
static int
connection_hash(struct cconf_tokens *t)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0, i;

	if (EVP_Digest(t->hashed, strlen(t->hashed), digest, &n, EVP_sha1(), NULL) != 1 ||
	    n * 2 >= sizeof(t->hash))
		return QERR_CRYPTO;
	for (i = 0; i < n; i++)
		snprintf(t->hash + (size_t)i * 2, 3, "%02x", digest[i]);
	return 0;
}

int
cconf_expand(char **out, const char *s, struct cconf_tokens *t, char *bad)
{
	int r = 0;

	if (t->hash[0] == '\0' && t->hashed != NULL && strstr(s, "%C") != NULL)
		r = connection_hash(t);
	return r == 0 ? conf_expand(out, s, t->t, t->n, bad) : r;
}

int
cconf_tokens_init(struct cconf_tokens *t, const struct cconf_walk *w)
{
	const char *user = w->c->user != NULL ? w->c->user : w->local_user;
	const char *jump = w->c->proxy_jump != NULL ? w->c->proxy_jump : "";
	int r;

	*t = (struct cconf_tokens){.n = 0};
	snprintf(t->port, sizeof(t->port), "%u", w->c->port == 0 ? 22 : w->c->port);
	snprintf(t->uid, sizeof(t->uid), "%lu", (unsigned long)getuid());
	if ((r = host_names(t)) != 0)
		return r;
	if ((r = cconf_host_now(&t->host, w)) != 0)
		return r;
	t->key_host = strdup(w->c->host_key_alias != NULL ? w->c->host_key_alias : w->c->host);
	if (t->key_host == NULL)
		return QERR_NOMEM;
	t->hashed = str_printf("%s%s%s%s%s", t->full_name, t->host, t->port, user, jump);
	if (t->hashed == NULL)
		return QERR_NOMEM;
	{
		const struct conf_token all[] = {{'C', t->hash}, {'L', t->short_name},
		    {'d', w->home}, {'h', t->host}, {'i', t->uid}, {'j', jump},
		    {'k', t->key_host}, {'l', t->full_name}, {'n', w->c->host}, {'p', t->port},
		    {'r', user}, {'u', w->local_user}};

		t->n = sizeof(all) / sizeof(all[0]);
		memcpy(t->t, all, sizeof(all));
	}
	return 0;
}

void
cconf_tokens_free(struct cconf_tokens *t)
{
	free(t->full_name);
	free(t->short_name);
	free(t->host);
	free(t->key_host);
	free(t->hashed);
	*t = (struct cconf_tokens){.n = 0};
}
