/* What a key line grants. */
#include "server/monitor/grant.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "server/monitor/access.h"

enum grant_refusal
grant_check(const struct authkey_opts *o, const struct addr *from, uint64_t now)
{
	if (o->cert_authority)
		return GRANT_CERT_AUTHORITY;
	if (o->verify_required)
		return GRANT_VERIFY;
	if (o->expiry != 0 && now >= o->expiry)
		return GRANT_EXPIRED;
	if (o->from && access_match_host(from, o->from) != 1)
		return GRANT_FROM;
	return GRANT_OK;
}

const char *
grant_refusal_str(enum grant_refusal r)
{
	static const char *const text[] = {
	    [GRANT_OK] = "permitted",
	    [GRANT_EXPIRED] = "the key has expired (expiry-time)",
	    [GRANT_FROM] = "not from a permitted address (from)",
	    [GRANT_CERT_AUTHORITY] = "the line is for certificates (cert-authority)",
	    [GRANT_VERIFY] = "the key cannot show that its user was verified (verify-required)",
	};
	return text[r];
}

static int
add_env(struct grant *g, const struct authkey_opts *o, const char *patterns)
{
	for (size_t i = 0; i < o->nenv; i++) {
		const char *eq = strchr(o->env[i], '=');
		if (!eq)
			continue;
		if (patterns) {
			char *name = strndup(o->env[i], (size_t)(eq - o->env[i]));
			if (!name)
				return QERR_NOMEM;
			int m = str_match_list(name, patterns, false);
			free(name);
			if (m != 1)
				continue;
		}
		int r = strlist_add(&g->env, o->env[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int
grant_add(struct grant *g, const struct authkey_opts *o, bool env_ok, const char *env_patterns)
{
	if (o->command && g->command && strcmp(o->command, g->command) != 0)
		return QERR_DENIED;
	if (o->command && !g->command && !(g->command = strdup(o->command)))
		return QERR_NOMEM;
	if (o->from) {
		int r = strlist_add(&g->from, o->from);
		if (r < 0)
			return r;
	}
	g->no_pty |= o->no_pty;
	g->no_user_rc |= o->no_user_rc;
	return env_ok ? add_env(g, o, env_patterns) : 0;
}

bool
grant_permits(const struct grant *g, const struct addr *from)
{
	for (size_t i = 0; i < g->from.n; i++) {
		if (access_match_host(from, g->from.v[i]) != 1)
			return false;
	}
	return true;
}

void
grant_free(struct grant *g)
{
	strlist_free(&g->from);
	strlist_free(&g->env);
	free(g->command);
	memset(g, 0, sizeof *g);
}
