/* The environment of a session. */
#include "server/broker/env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/wire/wire.h"

#define PATH_USER "/usr/local/bin:/usr/bin:/bin:/usr/games"
#define PATH_ROOT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MAIL_DIR  "/var/mail"

/* What a client may send is bounded apart from the messages' own limits. */
#define CLIENT_ENV_MAX 128

static char **
find(const struct strlist *env, const char *name, size_t n)
{
	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return &env->v[i];
	}
	return NULL;
}

int
env_put(struct strlist *env, const char *assignment)
{
	const char *eq = strchr(assignment, '=');
	if (!eq || eq == assignment)
		return QERR_FORMAT;
	char **slot = find(env, assignment, (size_t)(eq - assignment));
	if (!slot)
		return strlist_add(env, assignment);
	char *copy = strdup(assignment);
	if (!copy)
		return QERR_NOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

int
env_set(struct strlist *env, const char *name, const char *value)
{
	if (name[0] == '\0' || strchr(name, '='))
		return QERR_FORMAT;
	char *s = str_printf("%s=%s", name, value);
	if (!s)
		return QERR_NOMEM;
	int r = env_put(env, s);
	free(s);
	return r;
}

const char *
env_get(const struct strlist *env, const char *name)
{
	size_t n = strlen(name);
	char **slot = find(env, name, n);
	return slot ? *slot + n + 1 : NULL;
}

bool
env_accepted(const struct strlist *patterns, const char *assignment)
{
	const char *eq = strchr(assignment, '=');
	if (!eq || eq == assignment || (size_t)(eq - assignment) > WIRE_NAME_MAX)
		return false;
	char name[WIRE_NAME_MAX + 1];
	memcpy(name, assignment, (size_t)(eq - assignment));
	name[eq - assignment] = '\0';
	for (size_t i = 0; i < patterns->n; i++) {
		if (str_match(name, patterns->v[i]))
			return true;
	}
	return false;
}

static int
put_client(struct strlist *env, const struct env_in *in)
{
	for (size_t i = 0, taken = 0; i < in->start->env.n && taken < CLIENT_ENV_MAX; i++) {
		const char *a = in->start->env.v[i];
		if (!env_accepted(&in->init->accept_env, a))
			continue;
		if (env_put(env, a) == QERR_NOMEM)
			return QERR_NOMEM;
		taken++;
	}
	return 0;
}

/* Malformed entries are dropped: they come from files of the user and from PAM modules. */
static int
put_all(struct strlist *env, const struct strlist *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (env_put(env, from->v[i]) == QERR_NOMEM)
			return QERR_NOMEM;
	}
	return 0;
}

static int
put_basic(struct strlist *env, const struct env_in *in)
{
	const struct smsg_binit *b = in->init;
	int r = env_set(env, "USER", b->user);
	if (r == 0)
		r = env_set(env, "LOGNAME", b->user);
	if (r == 0)
		r = env_set(env, "HOME", b->home);
	if (r == 0)
		r = env_set(env, "PATH", b->uid == 0 ? PATH_ROOT : PATH_USER);
	/* with PAM, pam_mail says where the mail is */
	if (r == 0 && !b->use_pam_motd) {
		char *mail = str_printf("%s/%s", MAIL_DIR, b->user);
		r = mail ? env_set(env, "MAIL", mail) : QERR_NOMEM;
		free(mail);
	}
	if (r == 0)
		r = env_set(env, "SHELL", b->shell);
	if (r == 0 && in->start->has_pty && in->tty && in->start->term && in->start->term[0])
		r = env_set(env, "TERM", in->start->term);
	return r;
}

static int
put_connection(struct strlist *env, const struct env_in *in)
{
	char ca[ADDR_STRLEN], sa[ADDR_STRLEN];
	addr_host(&in->path->remote, ca);
	addr_host(&in->path->local, sa);
	unsigned cp = addr_port(&in->path->remote), sp = addr_port(&in->path->local);
	char text[2 * ADDR_STRLEN + 16];

	snprintf(text, sizeof text, "%s %u %u", ca, cp, sp);
	int r = env_set(env, "SSH_CLIENT", text);
	snprintf(text, sizeof text, "%s %u %s %u", ca, cp, sa, sp);
	if (r == 0)
		r = env_set(env, "SSH_CONNECTION", text);
	if (r == 0 && in->auth_file)
		r = env_set(env, "SSH_USER_AUTH", in->auth_file);
	if (r == 0 && in->tty)
		r = env_set(env, "SSH_TTY", in->tty);
	if (r == 0 && in->original)
		r = env_set(env, "SSH_ORIGINAL_COMMAND", in->original);
	return r;
}

int
env_build(struct strlist *env, const struct env_in *in)
{
	/* Later ones win: client, basics, key line and PAM, administrator, facts of the connection. */
	int r = put_client(env, in);
	if (r == 0)
		r = put_basic(env, in);
	if (r == 0)
		r = put_all(env, &in->init->env);
	if (r == 0)
		r = put_all(env, &in->init->set_env);
	if (r == 0)
		r = put_connection(env, in);
	if (r != 0)
		strlist_free(env);
	return r;
}
