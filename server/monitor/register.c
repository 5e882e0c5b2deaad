/* When the listener has ended, because it crashed or because qshd was restarted or upgraded, the
 * connection goes on over its own socket. But a client that moves is found by the next listener only if that one
 * knows its slot: so we go to the supervisor of now, whichever it is, and get a channel for our process. */
#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "server/ipc/regsock.h"
#include "server/monitor/monint.h"

#define DELAY_MIN  (20 * NS_PER_MS)
#define DELAY_MAX  (5 * NS_PER_S)   /* a new listener is patient for longer */
#define DELAY_LONG (60 * NS_PER_S)  /* where we were told that it is of no use */
#define LIVED_LONG (30 * NS_PER_S)

static void
try_later(struct monitor *m, uint64_t delay)
{
	/* Not all connections of a host in the same moment. */
	uint64_t spread = delay / 4 / NS_PER_US + 1;

	ev_timer_at(m->reg_timer,
	    ev_now(m->ev) + delay + randombytes_uniform((uint32_t)spread) * NS_PER_US);
}

static void
back_off(struct monitor *m)
{
	try_later(m, m->reg_delay);
	m->reg_delay = m->reg_delay * 2 < DELAY_MAX ? m->reg_delay * 2 : DELAY_MAX;
}

static int
on_listener(void *ctx, struct rd *body, int *fds)
{
	struct monitor *m = ctx;
	int r = rd_end(body);

	if (r != 0)
		return r;
	m->listener_gone = false;
	m->reg_since = ev_now(m->ev);
	log_debug("the connection is known to the listener again");
	if (m->net)
		r = ipc_send(m->net, MN_LISTENER, NULL, fds, 1);
	if (m->logged_in)
		ipc_free(&m->reg); /* there is nothing more to say */
	return r;
}

static int
on_refused(void *ctx, struct rd *body, int *fds)
{
	struct monitor *m = ctx;
	struct smsg_text t;
	char peer[512];
	int r = smsg_get_text(body, &t);

	(void)fds;
	if (r != 0)
		return r;
	log_info("The new listener does not take over the connection of %s, which will not survive a move: %s",
	    monitor_peer(m, peer, sizeof peer), t.text);
	smsg_free_text(&t);
	ipc_free(&m->reg);
	m->reg_delay = DELAY_MAX;
	try_later(m, DELAY_LONG);
	return 0;
}

static const struct ipc_row rows[] = {
	{SM_LISTENER, "SM_LISTENER", 1, 1, 1, on_listener},
	{SM_REFUSED, "SM_REFUSED", 1, 1, 0, on_refused},
};

static void
on_closed(void *ctx, int err)
{
	struct monitor *m = ctx;

	(void)err;
	ipc_free(&m->reg);
	if (m->listener_gone)
		back_off(m);
}

static int
say(struct monitor *m)
{
	const struct smsg_register reg = {
	    .version = SMSG_LN_VERSION,
	    .slot = m->init.admit.slot,
	    .path = m->env.path,
	    .authed = m->logged_in,
	    .steered = m->steered,
	};
	struct buf b;

	buf_init(&b, IPC_BODY_MAX);
	int r = smsg_put_register(&b, &reg);
	if (r == 0)
		r = ipc_send(m->reg, SM_REGISTER, &b, NULL, 0);
	buf_free(&b);
	return r;
}

static void
on_time(void *arg)
{
	struct monitor *m = arg;

	if (m->phase == PH_ENDING || !m->listener_gone || m->reg)
		return;
	int r = regsock_connect(m->init.run_dir, addr_port(&m->init.admit.path.local));
	if (r >= 0)
		r = ipc_new(&m->reg, m->ev, r, rows, sizeof rows / sizeof rows[0], m, on_closed);
	if (r == 0)
		r = say(m);
	if (r == 0)
		return;
	if (r != QERR_AGAIN)
		log_debug("%s/" REGSOCK_DIR ": %s", m->init.run_dir, qerr_str(r));
	ipc_free(&m->reg);
	back_off(m);
}

void
monitor_register(struct monitor *m)
{
	uint64_t now = ev_now(m->ev);

	/* An address that may be forged is nobody's whom a new listener would have to know. */
	if (!m->listener_gone || !m->validated || m->phase == PH_ENDING || m->init.run_dir[0] == '\0')
		return;
	if (!m->reg_timer && ev_timer_new(&m->reg_timer, m->ev, on_time, m) != 0)
		return;
	ipc_free(&m->reg);
	if (m->reg_delay == 0 || now - m->reg_since > LIVED_LONG)
		m->reg_delay = DELAY_MIN;
	back_off(m);
}
