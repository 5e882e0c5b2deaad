/* What the broker may ask for. It is the user's own process: it is believed nothing that can be looked up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/monitor/monint.h"
#include "server/monitor/record.h"

static struct record
record_of(const struct monitor *m, const char *tty)
{
	const struct account *a = auth_account(m->auth);
	return (struct record){.user = a->name,
	    .uid = a->uid,
	    .pid = m->broker_pid, /* lives as long as its sessions */
	    .tty = tty,
	    .from = &m->env.path.remote};
}

static struct login **
find_login(struct monitor *m, const char *tty)
{
	for (struct login **p = &m->logins; *p; p = &(*p)->next) {
		if (strcmp((*p)->tty, tty) == 0)
			return p;
	}
	return NULL;
}

/* Only root's files are to be kept; a server of an ordinary user has none. */
static bool
keeps_records(const struct monitor *m)
{
	return !m->init.user_mode;
}

/* A user can have terminals come and go as fast as his processes can: the records of all users
 * shall not drown in that. */
#define LOGIN_INTERVAL (NS_PER_S / 2)
#define LOGIN_BURST    50

static int
add_login(struct monitor *m, const char *tty)
{
	int r = record_tty_ok(tty, auth_account(m->auth)->uid);
	if (r < 0)
		return r;
	if (find_login(m, tty))
		return QERR_EXISTS;
	if (!rate_take(&m->login_rate, ev_now(m->ev), LOGIN_INTERVAL, LOGIN_BURST, NULL))
		return QERR_AGAIN;
	struct login *l = m->nlogins < LOGINS_MAX ? calloc(1, sizeof *l) : NULL;
	if (!l)
		return QERR_NOMEM;
	strncpy(l->tty, tty, sizeof l->tty - 1);
	l->next = m->logins;
	m->logins = l;
	m->nlogins++;
	const struct record rec = record_of(m, tty);
	record_login(&rec, NULL, clock_wall());
	return 0;
}

static void
drop_login(struct monitor *m, struct login **p)
{
	struct login *l = *p;
	const struct record rec = record_of(m, l->tty);
	record_logout(&rec, NULL, clock_wall());
	*p = l->next;
	m->nlogins--;
	free(l);
}

void
monitor_logout_all(struct monitor *m)
{
	while (m->logins)
		drop_login(m, &m->logins);
}

/* What is shown before a prompt: PAM's texts, then when the user was here last. */
static int
greet(struct monitor *m)
{
	char last[512] = "";
	if (keeps_records(m) && auth_conf(m->auth)->print_lastlog)
		record_last(auth_account(m->auth)->uid, NULL, last, sizeof last);
	char *text = str_printf("%s%s", m->pam ? mpam_text(m->pam) : "", last);
	if (!text)
		return QERR_NOMEM;
	int r = monitor_send_text(m->broker, MB_PTY_LOGIN_OK, text);
	free(text);
	return r;
}

static int
on_pty_login(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_pty p;
	int r = smsg_get_pty(body, &p);
	if (r < 0)
		return r;
	r = greet(m); /* with the last login, before this one takes its place */
	int e = keeps_records(m) ? add_login(m, p.tty) : 0;
	if (e < 0)
		log_error("no login record of %s for user %s: %s", p.tty, auth_user(m->auth), qerr_str(e));
	smsg_free_pty(&p);
	return r;
}

static int
on_pty_logout(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	struct smsg_pty p;
	int r = smsg_get_pty(body, &p);
	if (r < 0)
		return r;
	struct login **l = find_login(m, p.tty);
	if (l)
		drop_login(m, l);
	smsg_free_pty(&p);
	return 0;
}

static int
on_log(void *ctx, struct rd *body, int *fds)
{
	(void)fds;
	struct monitor *m = ctx;
	char prefix[300];
	snprintf(prefix, sizeof prefix, "broker of %s: ", auth_user(m->auth));
	return monitor_role_log(body, &m->broker_log, ev_now(m->ev), prefix);
}

const struct ipc_row monitor_broker_rows[] = {
	{MB_PTY_LOGIN, "MB_PTY_LOGIN", 1, 0, 0, on_pty_login},
	{MB_PTY_LOGOUT, "MB_PTY_LOGOUT", 1, 0, 0, on_pty_logout},
	{MB_LOG, "MB_LOG", 1, 0, 0, on_log},
};
const size_t monitor_broker_nrows = sizeof monitor_broker_rows / sizeof monitor_broker_rows[0];
