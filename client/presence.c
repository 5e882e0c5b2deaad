#include "client/presence.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/err.h"

struct presence {
	struct ev *ev;
	struct tp_conn *conn;
	struct ev_timer *timer;
	uint64_t seldom, typed; /* typed: when, last */
	bool there;
};

static void
on_timer(void *arg)
{
	struct presence *p = arg;

	if (ev_now(p->ev) - p->typed < PRESENCE_LASTS) {
		ev_timer_at(p->timer, p->typed + PRESENCE_LASTS);
		return;
	}
	p->there = false;
	tp_conn_set_keepalive(p->conn, p->seldom);
}

void
presence_typed(struct presence *p)
{
	p->typed = ev_now(p->ev);
	if (p->there || p->seldom <= PRESENCE_OFTEN)
		return;
	p->there = true;
	tp_conn_set_keepalive(p->conn, PRESENCE_OFTEN);
	ev_timer_at(p->timer, p->typed + PRESENCE_LASTS); /* one timer a minute, not one a key */
}

int
presence_new(struct presence **out, struct ev *ev, struct tp_conn *conn, uint64_t seldom)
{
	struct presence *p = calloc(1, sizeof(*p));
	int rc;

	*out = p;
	if (!p)
		return QERR_NOMEM;
	*p = (struct presence){.ev = ev, .conn = conn, .seldom = seldom};
	rc = ev_timer_new(&p->timer, ev, on_timer, p);
	if (rc < 0)
		presence_free(out);
	return rc;
}

void
presence_free(struct presence **pp)
{
	struct presence *p = *pp;

	if (!p)
		return;
	ev_timer_free(&p->timer);
	free(p);
	*pp = NULL;
}
