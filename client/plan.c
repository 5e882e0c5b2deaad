#include "client/plan.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"

#define KEEPALIVE_NS (25 * NS_PER_S) /* NATs forget UDP after 30 s at the earliest */
#define IDLE_NS      (120 * NS_PER_S)
#define IDLE_MAX_NS  (3650 * UINT64_C(86400) * NS_PER_S) /* times of the configuration end here, too */

static int
plan_command(struct plan *p, const struct cconf *conf, const char *command, const char **why)
{
	if (conf->remote_command && command)
		return *why = "Cannot execute command-line and remote command.", QERR_INVAL;
	p->command = command ? command : conf->remote_command;
	if (conf->session_type == CCONF_SESSION_SUBSYSTEM) {
		if (!p->command)
			return *why = "You must specify a subsystem to invoke.", QERR_INVAL;
		p->kind = WIRE_START_SUBSYSTEM;
	} else {
		p->kind = p->command ? WIRE_START_EXEC : WIRE_START_SHELL;
	}
	if (p->command && strlen(p->command) > WIRE_COMMAND_MAX)
		return *why = "the command is too long (131072 bytes are permitted)", QERR_INVAL;
	return 0;
}

int
plan_make(struct plan *p, const struct cconf *conf, const char *command, bool stdin_tty,
    const char **why)
{
	int rc;

	memset(p, 0, sizeof(*p));
	p->session = conf->session_type != CCONF_SESSION_NONE;
	p->background = conf->fork_after_auth;
	p->stdin_null = conf->stdin_null || conf->fork_after_auth;
	rc = plan_command(p, conf, command, why);
	if (rc < 0)
		return rc;
	if (!p->session)
		return 0;
	if (p->background && !p->command) {
		*why = "Cannot fork into background without a command to execute.";
		return QERR_INVAL;
	}
	p->pty = conf->request_tty == CCONF_TTY_YES || conf->request_tty == CCONF_TTY_FORCE ||
	    (conf->request_tty == CCONF_TTY_AUTO && !p->command);
	if ((!stdin_tty || p->stdin_null) && conf->request_tty != CCONF_TTY_FORCE && p->pty) {
		p->pty = false;
		p->pty_refused = true;
	}
	return 0;
}

void
plan_silence(const struct plan *p, const struct cconf *conf, uint64_t *keepalive, uint64_t *idle)
{
	unsigned count = conf->server_alive_count ? conf->server_alive_count : 1;

	*keepalive = KEEPALIVE_NS;
	*idle = p->pty ? conf->connection_timeout_ns : IDLE_NS;
	if (conf->server_alive_interval) {
		uint64_t asked = conf->server_alive_interval * NS_PER_S;

		/* Not more rarely than without it: the translator and the server still forget. */
		if (asked < *keepalive)
			*keepalive = asked;
		*idle = asked < IDLE_MAX_NS / count ? asked * count : IDLE_MAX_NS;
	}
	/* Who is there answers in time, also when a packet is lost. */
	if (*idle != 0 && *keepalive > *idle / 3)
		*keepalive = *idle / 3;
}
