/* Channels that nothing goes through: ChannelTimeout of sshd_config(5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/chan/pump.h"
#include "server/net/session.h"

#define TYPE_MAX (16 + WIRE_NAME_MAX)

static const char *const kinds[] = {
	[WIRE_START_SHELL] = "session:shell",
	[WIRE_START_EXEC] = "session:command",
	[WIRE_START_SUBSYSTEM] = "session:subsystem:",
};

/* The interval that is set for a type, in ns; 0: none. The first that matches counts. */
static uint64_t
interval_of(const struct strlist *timeouts, const char *type)
{
	for (size_t i = 0; i < timeouts->n; i++) {
		const char *eq = strchr(timeouts->v[i], '=');
		char pattern[TYPE_MAX];
		uint64_t s;

		if (eq == NULL || (size_t)(eq - timeouts->v[i]) >= sizeof(pattern))
			continue;
		(void)snprintf(pattern, sizeof(pattern), "%.*s", (int)(eq - timeouts->v[i]), timeouts->v[i]);
		if (str_match(type, pattern))
			return str_to_time(eq + 1, &s) == 0 ? s * NS_PER_S : 0;
	}
	return 0;
}

/* By what it runs, else by what it is. */
static uint64_t
interval(const struct session *s)
{
	const struct strlist *timeouts = &s->net->limits.channel_timeouts;
	unsigned kind = s->start.kind;
	char type[TYPE_MAX];
	uint64_t ns;

	if (kind >= sizeof(kinds) / sizeof(kinds[0]) || kinds[kind] == NULL)
		return 0;
	(void)snprintf(type, sizeof(type), "%s%s", kinds[kind],
	    kind == WIRE_START_SUBSYSTEM && s->start.command != NULL ? s->start.command : "");
	ns = interval_of(timeouts, type);
	return ns != 0 ? ns : interval_of(timeouts, "session");
}

static void
later(uint64_t *t, uint64_t than)
{
	if (than > *t)
		*t = than;
}

void
session_note_activity(struct session *s)
{
	if (s->pump_in != NULL)
		later(&s->active, pump_in_last(s->pump_in));
	for (size_t i = 0; i < 2; i++)
		if (s->out[i].pump != NULL)
			later(&s->active, pump_out_last(s->out[i].pump));
}

static bool
counts(const struct session *s)
{
	return s->phase == SESSION_RUNNING;
}

/* When something last went through any channel. */
static uint64_t
last_of_all(struct net *net)
{
	uint64_t last = 0;

	for (struct session *s = net->sessions; s != NULL; s = s->next)
		if (counts(s))
			later(&last, s->active);
	return last;
}

/* When a session is to be ended for silence; UINT64_MAX: never. */
static uint64_t
due(const struct session *s, uint64_t all_last)
{
	uint64_t own = interval(s), all = interval_of(&s->net->limits.channel_timeouts, "global");
	uint64_t t = own != 0 ? s->active + own : UINT64_MAX;

	return all != 0 && all_last + all < t ? all_last + all : t;
}

static void
expire(struct session *s)
{
	struct net *net = s->net;

	log_info("channel %llu: nothing went through it for too long (ChannelTimeout): it is closed",
	    (unsigned long long)s->id);
	/* Where it is the last one the connection ends with it, and people are told why. */
	if (net->open_sessions > 1)
		session_end(s);
	else
		net_close(net, TP_E_TIMEOUT, "the session was idle for too long");
}

void
idle_check(struct net *net)
{
	uint64_t now = ev_now(net->ev), next = UINT64_MAX, last, t;

	if (net->over || net->limits.channel_timeouts.n == 0)
		return;
	for (struct session *s = net->sessions; s != NULL; s = s->next)
		session_note_activity(s);
	last = last_of_all(net);
	for (struct session *s = net->sessions; s != NULL; s = s->next) {
		if (!counts(s))
			continue;
		t = due(s, last);
		if (t <= now)
			expire(s);
		else if (t < next)
			next = t;
	}
	ev_timer_at(net->channels, next);
}
