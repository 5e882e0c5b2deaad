/* Paths: addresses in ngtcp2's form and ours, and what happens when one was validated. */
#include <string.h>

#include "quic/user/conn_int.h"

static void
addr_to_ng(ngtcp2_addr *ng, const struct addr *a)
{
	/* ngtcp2 only copies from it. */
	ng->addr = (ngtcp2_sockaddr *)(uintptr_t)&a->u.sa;
	ng->addrlen = a->len;
}

/* Borrows p's addresses. */
void
qpath_to_ng(ngtcp2_path *ng, const struct tp_path *p)
{
	addr_to_ng(&ng->local, &p->local);
	addr_to_ng(&ng->remote, &p->remote);
	ng->user_data = NULL;
}

static void
addr_from_ng(struct addr *a, const ngtcp2_addr *ng)
{
	memset(a, 0, sizeof(*a));
	if (addr_from_sa(a, ng->addr, ng->addrlen) != 0)
		a->len = 0;
}

void
qpath_from_ng(struct tp_path *p, const ngtcp2_path *ng)
{
	addr_from_ng(&p->local, &ng->local);
	addr_from_ng(&p->remote, &ng->remote);
}

bool
qpath_equal(const struct tp_path *a, const struct tp_path *b)
{
	return addr_equal(&a->local, &b->local) && addr_equal(&a->remote, &b->remote);
}

/* After each datagram that a server has read: has ngtcp2 turned to a new path that it has to
 * validate? */
void
qpath_heard(struct tp_conn *c, const struct tp_path *from, size_t n)
{
	struct tp_path cur;

	if (!c->server || !c->done_told || (!c->pending && qpath_equal(from, &c->path)))
		return;
	qpath_from_ng(&cur, ngtcp2_conn_get_path(c->ng));
	if (qpath_equal(&cur, &c->path)) {
		c->pending = false;
		return;
	}
	if (!c->pending || !qpath_equal(&cur, &c->pending_path)) {
		c->pending = true;
		c->pending_path = cur;
		c->pending_rx = c->pending_tx = 0;
	}
	if (qpath_equal(from, &cur))
		c->pending_rx += n;
}

/* To an address that is not validated go at most three bytes for one received (RFC 9000 section
 * 8.1). ngtcp2 1.11 keeps to that, but when it meets the limit it stops its loss timer, and nothing
 * starts it again: with the congestion window full, a client that moves twice in a row would never
 * be heard of again. So it is not asked to send before there is room. */
bool
qpath_may_send(const struct tp_conn *c)
{
	return !c->pending || c->pending_tx + QTX_MAX <= 3 * c->pending_rx;
}

/* Called after input: the path that ngtcp2 uses now has been validated. */
void
qpath_validated(struct tp_conn *c)
{
	struct tp_path from = c->path, to;

	c->ev_validated = false;
	c->pending = false;
	qpath_from_ng(&to, ngtcp2_conn_get_path(c->ng));
	if (qpath_equal(&from, &to))
		return;
	c->path = to;
	c->moves++;
	qhole_moved(c);
	if (c->host->path_validated != NULL)
		c->host->path_validated(c->host_arg, &to);
	if (!c->dead && c->ops != NULL && c->ops->moved != NULL)
		c->ops->moved(c->arg, &from, &to);
}
