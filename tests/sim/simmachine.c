/* A client with several addresses. */
#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/sim/simmachine.h"

#define PORTS 20000 /* of a binding: links have lower ones */

static int
which(const struct machine *m, const struct addr *local)
{
	int i;

	for (i = 0; i < NADDRS && !addr_equal_host(&m->addr[i].host, local); i++)
		;
	return i;
}

static bool
m_open(void *arg, unsigned link, const struct addr *remote, struct addr *local)
{
	struct machine *m = arg;
	int i;

	assert(!m->open[link]);
	for (i = 0; i < NADDRS; i++) {
		if (m->addr[i].here && m->addr[i].host.u.sa.sa_family == remote->u.sa.sa_family)
			break;
	}
	if (i == NADDRS)
		return false;
	*local = m->addr[i].host;
	addr_set_port(local, ++m->port);
	m->link[link].local = *local;
	m->link[link].remote = *remote;
	m->open[link] = true;
	m->opened++;
	return true;
}

static void
m_close(void *arg, unsigned link)
{
	struct machine *m = arg;

	assert(m->open[link]);
	m->open[link] = false;
}

static bool
m_here(void *arg, const struct addr *local)
{
	const struct machine *m = arg;
	int i = which(m, local);

	return i < NADDRS && m->addr[i].here;
}

void
machine_arm(struct machine *m)
{
	if (m->pair.net.end[SIM_CLIENT].d.c != NULL)
		ev_timer_at(m->timer, roam_due(m->roam));
}

static void
on_timer(void *arg)
{
	struct machine *m = arg;

	if (roam_run(m->roam, simnet_now(&m->pair.net)) == 0)
		machine_arm(m);
}

static void
on_ran(void *arg)
{
	machine_arm(arg);
}

/* ---- its network ---- */

static bool
passes(const struct machine *m, const struct addr *local)
{
	int i = which(m, local);

	return i < NADDRS && m->addr[i].here && m->addr[i].works;
}

static void
m_send(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct machine *m = arg;
	unsigned link = 0;
	struct addr src;

	if (m->roam != NULL && !roam_link(m->roam, path, &link))
		return;
	assert(m->open[link]);
	if (!passes(m, &m->link[link].local))
		return;
	src = m->link[link].local;
	addr_set_port(&src, addr_port(&src) + m->binding);
	simnet_send(&m->pair.net, SIM_CLIENT, &src, &m->link[link].remote, ecn, p, n);
}

static void
m_arrive(void *arg, const struct addr *from, const struct addr *to, unsigned ecn, const uint8_t *p,
    size_t n)
{
	struct machine *m = arg;
	struct qdrive *d = &m->pair.net.end[SIM_CLIENT].d;
	struct tp_path name;
	struct addr dst = *to;
	unsigned i, heard;

	addr_set_port(&dst, addr_port(to) - m->binding);
	for (i = 0; i < ROAM_LINKS; i++) {
		if (m->open[i] && addr_equal(&m->link[i].local, &dst) &&
		    addr_equal(&m->link[i].remote, from))
			break;
	}
	if (i == ROAM_LINKS || d->c == NULL || !passes(m, to))
		return;
	if (!addr_equal(from, &m->pair.net.end[SIM_SERVER].addr) && !addr_equal(from, &m->pair.net.server2))
		return; /* it had that address when it sent this */
	roam_name(m->roam, i, &name);
	heard = qconn_heard(d->c);
	if (qconn_input(d->c, &name, ecn, p, n, simnet_now(&m->pair.net)) != 0)
		return;
	if (qconn_heard(d->c) != heard)
		roam_heard(m->roam, i, simnet_now(&m->pair.net));
	if (qdrive_run(d) == 0)
		machine_arm(m);
}

static void
m_result(void *arg, bool validated)
{
	struct machine *m = arg;

	roam_result(m->roam, validated, simnet_now(&m->pair.net));
}

static void
m_real(void *arg, const struct tp_path *name, struct tp_path *real)
{
	struct machine *m = arg;

	roam_real(m->roam, name, real);
}

/* ---- the layer above ---- */

static struct machine *
machine_of(void *arg)
{
	return (struct machine *)(void *)((char *)arg - offsetof(struct machine, pair.cl));
}

static void
on_path_event(void *arg, enum tp_path_event ev, const struct tp_path *path)
{
	struct machine *m = machine_of(arg);

	(void)path;
	m->events[ev]++;
}

static void
on_silent(void *arg, bool silent)
{
	struct machine *m = machine_of(arg);

	assert(m->silent != silent);
	m->silent = silent;
	m->silences += silent;
}

void
machine_here(struct machine *m, int i, bool is_here, bool works)
{
	m->addr[i].here = is_here;
	m->addr[i].works = works;
}

void
machine_news(struct machine *m, bool resumed)
{
	roam_changed(m->roam, resumed, simnet_now(&m->pair.net));
	machine_arm(m);
}

void
machine_rebind(struct machine *m)
{
	m->binding = (uint16_t)((m->binding + PORTS) % (3 * PORTS));
}

unsigned
machine_links(const struct machine *m)
{
	unsigned i, n = 0;

	for (i = 0; i < ROAM_LINKS; i++)
		n += m->open[i];
	return n;
}

void
machine_init(struct machine *m, uint64_t seed)
{
	static const char *const hosts[NADDRS] = {"10.0.1.2", "10.0.2.2", "10.0.3.2", "fd00::2"};
	struct simnet *n = &m->pair.net;
	int i;

	memset(m, 0, sizeof(*m));
	simpair_init(&m->pair, seed);
	m->port = 1000;
	for (i = 0; i < NADDRS; i++)
		addr_parse(&m->addr[i].host, hosts[i], 0);
	machine_here(m, WLAN, true, true);
	addr_parse(&n->server2, "fd00::1", 22);
	n->client = (struct simclient){m_send, m_arrive, m_result, m_real, m};
	m->pair.cll.send_buffer = m->pair.svl.send_buffer = 4 * 1024 * 1024;
	m->ops = simpeer_ops;
	m->ops.path_event = on_path_event;
	m->ops.silent = on_silent;
}

void
machine_connect(struct machine *m, bool stay)
{
	const struct roam_ops ops = {m_open, m_close, m_here, m};
	struct simnet *n = &m->pair.net;
	struct addr remotes[2] = {n->end[SIM_SERVER].addr, n->server2};
	bool ok;

	ok = m_open(m, 0, &remotes[0], &n->end[SIM_CLIENT].addr);
	assert(ok);
	simnet_connect(n, &m->pair.cll, &m->ops, &m->pair.cl, &m->pair.svl, &simpeer_ops, &m->pair.sv);
	ok = roam_new(&m->roam, simnet_conn(n, SIM_CLIENT), &m->link[0], stay, &ops) == 0 &&
	    ev_timer_new(&m->timer, n->ev, on_timer, m) == 0;
	assert(ok);
	qdrive_after(&n->end[SIM_CLIENT].d, on_ran, m);
	roam_set_remotes(m->roam, remotes, 2);
}

void
machine_free(struct machine *m)
{
	roam_free(&m->roam);
	ev_timer_free(&m->timer);
	simpair_free(&m->pair);
}
