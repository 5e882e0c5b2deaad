/* What the client says on a session's stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/net/session.h"
#include "server/net/utf8.h"

/* ---- OPEN ------------------------------------------------------------------------ */

static int
refuse_type(struct session *s, const char *type)
{
	char shown[WIRE_NAME_MAX], reason[WIRE_NAME_MAX + 64];

	(void)snprintf(reason, sizeof(reason), "unknown channel type \"%s\"",
	    str_vis(shown, sizeof(shown), type, strlen(type)));
	log_verbose("channel %llu refused: %s", (unsigned long long)s->id, reason);
	session_refuse(s, WIRE_OPEN, reason);
	return 0;
}

static int
on_open(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct net *net = s->net;
	struct wire_open m;
	int r = wire_get_open(body, &m);

	(void)ms;
	if (r < 0)
		return r;
	if (strcmp(m.type, "session") != 0) {
		r = refuse_type(s, m.type);
	} else if (net->open_sessions >= net->limits.max_sessions) {
		log_info("session refused: %s has %zu, MaxSessions is %u",
		    net->limits.user, net->open_sessions, net->limits.max_sessions);
		session_refuse(s, WIRE_OPEN, "no more sessions permitted");
	} else {
		net->open_sessions++;
		session_set_phase(s, SESSION_SETUP);
		net_sessions_changed(net);
	}
	wire_free_open(&m);
	return r;
}

/* ---- PTY, ENV, START --------------------------------------------------------------- */

static int
on_pty(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_pty m;
	int r;

	(void)ms;
	if (s->start.has_pty)
		return QERR_PHASE;
	r = wire_get_pty(body, &m);
	if (r < 0)
		return r;
	r = buf_put(&s->modes, m.modes.p, m.modes.n);
	if (r == 0) {
		s->start.has_pty = 1;
		s->start.term = m.term;
		m.term = NULL;
		s->start.cols = m.cols;
		s->start.rows = m.rows;
		s->start.xpixel = m.xpixel;
		s->start.ypixel = m.ypixel;
	}
	wire_free_pty(&m);
	return r;
}

static int
add_env(struct session *s, const struct wire_env *m)
{
	size_t n = strlen(m->name) + strlen(m->value);
	char *entry;
	int r;

	if (s->start.env.n >= WIRE_ENV_COUNT || n > WIRE_ENV_TOTAL - s->env_bytes)
		return QERR_TOOBIG;
	if (!utf8_valid(m->name) || !utf8_valid(m->value)) {
		log_verbose("channel %llu: an environment variable that is not UTF-8 is left out",
		    (unsigned long long)s->id);
		return 0;
	}
	entry = str_printf("%s=%s", m->name, m->value);
	r = entry != NULL ? strlist_add(&s->start.env, entry) : QERR_NOMEM;
	free(entry);
	s->env_bytes += n;
	return r;
}

static int
on_env(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct wire_env m;
	int r = wire_get_env(body, &m);

	(void)ms;
	if (r < 0)
		return r;
	r = add_env(ctx, &m);
	wire_free_env(&m);
	return r;
}

static const char *
start_refused(const struct wire_start *m)
{
	if (m->kind > WIRE_START_SUBSYSTEM)
		return "unknown kind of start";
	if (!utf8_valid(m->command))
		return "the command is not valid UTF-8";
	return NULL;
}

static int
start(struct session *s)
{
	static char empty[] = "";
	struct smsg_start m = s->start;
	int r;

	m.chan = s->id;
	m.modes = (struct bytes){buf_data(&s->modes), buf_len(&s->modes)};
	if (m.term == NULL)
		m.term = empty;
	session_set_phase(s, SESSION_STARTING);
	r = brklink_start(s->net, &m);
	if (r == QERR_CLOSED) {
		session_refuse(s, WIRE_START, "the session's process has ended");
		return 0;
	}
	/* Sent: the broker keeps what it needs. */
	strlist_free(&s->start.env);
	buf_free(&s->modes);
	return r;
}

static int
on_start(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_start m;
	const char *reason;
	int r = wire_get_start(body, &m);

	(void)ms;
	if (r < 0)
		return r;
	reason = start_refused(&m);
	if (reason != NULL) {
		session_refuse(s, WIRE_START, reason);
	} else {
		s->start.kind = (uint8_t)m.kind;
		s->start.command = m.command;
		m.command = NULL;
		r = start(s);
	}
	wire_free_start(&m);
	return r;
}

/* ---- while it runs ------------------------------------------------------------------- */

/* Sent along with START, they wait for its answer. */
static bool
not_yet(const struct session *s)
{
	return s->phase == SESSION_STARTING;
}

/* The broker may have ended already, which is told elsewhere. */
static int
sent(int r)
{
	return r == QERR_CLOSED ? 0 : r;
}

static int
on_window(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_window m;
	struct smsg_window w;
	int r;

	(void)ms;
	if (not_yet(s))
		return QERR_AGAIN;
	r = wire_get_window(body, &m);
	if (r < 0 || s->exited)
		return r;
	w = (struct smsg_window){s->id, m.cols, m.rows, m.xpixel, m.ypixel};
	return sent(brklink_window(s->net, &w));
}

static int
on_signal(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_signal m;
	struct smsg_signal sig;
	int r;

	(void)ms;
	if (not_yet(s))
		return QERR_AGAIN;
	r = wire_get_signal(body, &m);
	if (r < 0)
		return r;
	if (!s->exited) {
		sig = (struct smsg_signal){s->id, m.name};
		r = sent(brklink_signal(s->net, &sig));
	}
	wire_free_signal(&m);
	return r;
}

static int
on_break(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct session *s = ctx;
	struct wire_break m;
	int r;

	(void)ms;
	if (not_yet(s))
		return QERR_AGAIN;
	r = wire_get_break(body, &m);
	if (r < 0 || s->exited)
		return r;
	return sent(brklink_chan(s->net, NB_BREAK, s->id));
}

static int
on_exit_ack(void *ctx, struct msgstream *ms, struct rd *body)
{
	int r = rd_end(body);

	(void)ms;
	if (r == 0)
		session_end(ctx);
	return r;
}

/* ---- tables ---------------------------------------------------------------------------- */

#define RUNNING (SESSION_STARTING | SESSION_RUNNING | SESSION_EXITED)

const struct msg_row session_rows[] = {
	{WIRE_OPEN, "OPEN", SESSION_OPEN, on_open},
	{WIRE_PTY, "PTY", SESSION_SETUP, on_pty},
	{WIRE_ENV, "ENV", SESSION_SETUP, on_env},
	{WIRE_START, "START", SESSION_SETUP, on_start},
	{WIRE_WINDOW, "WINDOW", RUNNING, on_window},
	{WIRE_SIGNAL, "SIGNAL", RUNNING, on_signal},
	{WIRE_BREAK, "BREAK", RUNNING, on_break},
	{WIRE_EXIT_ACK, "EXIT_ACK", SESSION_EXITED, on_exit_ack},
};
const size_t session_nrows = sizeof(session_rows) / sizeof(session_rows[0]);

/* What was under way when the session ended. */
static int
drop(void *ctx, struct msgstream *ms, struct rd *body)
{
	(void)ctx;
	(void)ms;
	(void)body;
	return 0;
}

const struct msg_row session_over_rows[] = {
	{WIRE_OPEN, "OPEN", SESSION_OVER, drop},
	{WIRE_PTY, "PTY", SESSION_OVER, drop},
	{WIRE_ENV, "ENV", SESSION_OVER, drop},
	{WIRE_START, "START", SESSION_OVER, drop},
	{WIRE_WINDOW, "WINDOW", SESSION_OVER, drop},
	{WIRE_SIGNAL, "SIGNAL", SESSION_OVER, drop},
	{WIRE_BREAK, "BREAK", SESSION_OVER, drop},
	{WIRE_EXIT_ACK, "EXIT_ACK", SESSION_OVER, drop},
};
_Static_assert(sizeof(session_over_rows) == sizeof(session_rows), "the same messages");
