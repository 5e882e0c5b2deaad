/* What a start request becomes. */
#include "server/broker/plan.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/wire/wire.h"

#define INTERNAL_SFTP "internal-sftp"

void
plan_free(struct plan *p)
{
	free(p->command);
	free(p->original);
	memset(p, 0, sizeof *p);
}

/* "name command with arguments" -> the command; NULL if the name is another. */
static const char *
subsystem_command(const char *entry, const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || strncmp(entry, name, n) != 0 || (entry[n] != ' ' && entry[n] != '\t'))
		return NULL;
	entry += n;
	return entry + strspn(entry, " \t");
}

static const char *
find_subsystem(const struct strlist *subsystems, const char *name)
{
	for (size_t i = 0; i < subsystems->n; i++) {
		const char *c = subsystem_command(subsystems->v[i], name);
		if (c && *c)
			return c;
	}
	return NULL;
}

static bool
is_internal_sftp(const char *c)
{
	size_t n = strlen(INTERNAL_SFTP);
	return strncmp(c, INTERNAL_SFTP, n) == 0 && (c[n] == '\0' || c[n] == ' ' || c[n] == '\t');
}

/* The command that the client wants: NULL for a shell. */
static int
wanted(const char **out, const struct smsg_binit *init, const struct smsg_start *start,
    const char **why)
{
	*out = NULL;
	if (start->kind == WIRE_START_SHELL)
		return 0;
	if (start->kind == WIRE_START_EXEC) {
		*out = start->command ? start->command : "";
		return 0;
	}
	if (start->kind != WIRE_START_SUBSYSTEM) {
		*why = "this kind of session is not known here";
		return QERR_DENIED;
	}
	*out = find_subsystem(&init->subsystems, start->command ? start->command : "");
	if (!*out) {
		*why = "no such subsystem is configured (Subsystem in the server's configuration)";
		return QERR_DENIED;
	}
	return 0;
}

int
plan_make(struct plan *p, const struct smsg_binit *init, const struct smsg_start *start,
    size_t nsessions, const char **why)
{
	memset(p, 0, sizeof *p);
	if (nsessions >= init->max_sessions) {
		*why = "no more sessions on this connection (MaxSessions)";
		return QERR_DENIED;
	}
	const char *command;
	int r = wanted(&command, init, start, why);
	if (r < 0)
		return r;
	if (start->kind == WIRE_START_SUBSYSTEM)
		p->subsystem = start->command;
	if (init->force_command && init->force_command[0]) {
		p->forced = true;
		if (command && !(p->original = strdup(command)))
			return QERR_NOMEM;
		command = init->force_command;
	}
	if (command && is_internal_sftp(command)) {
		*why = "internal-sftp is not there yet: let Subsystem sftp name a program";
		plan_free(p);
		return QERR_DENIED;
	}
	if (command && !(p->command = strdup(command))) {
		plan_free(p);
		return QERR_NOMEM;
	}
	p->pty = start->has_pty && init->permit_tty;
	p->pty_refused = start->has_pty && !init->permit_tty;
	return 0;
}
