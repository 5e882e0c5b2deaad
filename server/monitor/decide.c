/* What an authentication request comes to. */
#include "server/monitor/decide.h"

enum auth_decision
auth_decide(const struct auth_facts *f)
{
	if (!f->user_ok || !f->method_ok || !f->key_ok || !f->key_fresh)
		return AUTH_FAILED;
	if (!f->has_sig)
		return AUTH_KEY_WOULD_DO;
	return f->sig_ok && f->root_ok && f->grants_agree ? AUTH_PROVED : AUTH_FAILED;
}

bool
auth_count_attempt(struct auth_count *c)
{
	if (c->attempts >= AUTH_ATTEMPTS_MAX)
		return false;
	c->attempts++;
	return true;
}

bool
auth_count_failure(struct auth_count *c, bool none)
{
	if (!none || c->attempts > 1)
		c->failures++;
	return c->failures >= c->max;
}

bool
auth_count_loud(const struct auth_count *c)
{
	return c->failures >= c->max / 2;
}
