#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"
#include "server/ipc/role.h"
#include "server/listener/front.h"
#include "server/listener/listener.h"
#include "server/listener/lsock.h"
#include "server/listener/reply.h"
#include "server/listener/tcp.h"
#include "server/sandbox/sandbox.h"

enum { PHASE_START = 1, PHASE_SET_UP = 2, PHASE_RUN = 4 };

struct listener {
	struct ev *ev;
	struct ipc *sup;
	struct lsocks *socks;
	struct ltcps *tcps;
	struct front *front;
	struct ev_timer *expiry;
	struct buf out; /* a message being built */
	struct {
		char *root;
		unsigned uid, gid;
	} drop_to; /* what to become */
	int result;
};

/* A connection's process, at the other end of its channel. */
struct conn {
	struct listener *l;
	struct slot *slot;
	struct ipc *ipc; /* NULL: it hung up */
};

static void
stop(struct listener *l, int result)
{
	l->result = result;
	ev_stop(l->ev);
}

static void
tick(struct listener *l)
{
	ev_timer_at(l->expiry, front_tick(l->front, ev_now(l->ev)));
}

/* ---- what connections' processes say ---- */

static int
net_send(void *ctx, struct rd *body, int *fds)
{
	struct conn *c = ctx;
	struct smsg_dgram d;
	int err = smsg_get_dgram(body, &d);

	(void)fds;
	if (err != 0)
		return err;
	/* Only to where its peer was seen: no process of ours can throw datagrams at others. */
	if (slot_knows_remote(c->slot, &d.path.remote))
		(void)lsocks_send(c->l->socks, &d.path, d.ecn, d.data.p, d.data.n);
	else
		log_debug("a connection may not send to where nothing came from");
	smsg_free_dgram(&d);
	return 0;
}

static int
net_foreign(void *ctx, struct rd *body, int *fds)
{
	struct conn *c = ctx;
	struct smsg_dgram d;
	int err = smsg_get_dgram(body, &d);

	(void)fds;
	if (err != 0)
		return err;
	if (d.path.remote.len != 0 && lsocks_owns(c->l->socks, &d.path.local))
		front_foreign(c->l->front, c->slot, &d, ev_now(c->l->ev));
	smsg_free_dgram(&d);
	return 0;
}

static int
net_need_cids(void *ctx, struct rd *body, int *fds)
{
	struct conn *c = ctx;
	struct smsg_count count;
	struct smsg_cids cids;
	int err = smsg_get_count(body, &count);

	(void)fds;
	if (err != 0 || (err = front_cids(c->l->front, c->slot, count.count, &cids)) != 0)
		return err;
	buf_reset(&c->l->out);
	err = smsg_put_cids(&c->l->out, &cids);
	smsg_free_cids(&cids);
	return err != 0 ? err : ipc_send(c->ipc, LN_CIDS, &c->l->out, NULL, 0);
}

/* Under load its client need not prove its address again. */
static int
send_token(struct conn *c)
{
	uint8_t token[REPLY_KNOWN_MAX];
	ssize_t n = front_token(c->l->front, c->slot, ev_now(c->l->ev), token);
	const struct smsg_blob m = {.data = {token, n > 0 ? (size_t)n : 0}};

	if (n < 0)
		return (int)n;
	buf_reset(&c->l->out);
	if (smsg_put_blob(&c->l->out, &m) == 0)
		(void)ipc_try_send(c->ipc, LN_TOKEN, &c->l->out, NULL, 0);
	return 0;
}

static int
net_validated(void *ctx, struct rd *body, int *fds)
{
	struct conn *c = ctx;

	(void)body;
	(void)fds;
	front_validated(c->l->front, c->slot);
	return send_token(c);
}

static const struct ipc_row net_rows[] = {
    {LN_SEND, "LN_SEND", 1, 0, 0, net_send},
    {LN_FOREIGN, "LN_FOREIGN", 1, 0, 0, net_foreign},
    {LN_NEED_CIDS, "LN_NEED_CIDS", 1, 0, 0, net_need_cids},
    {LN_VALIDATED, "LN_VALIDATED", 1, 1, 0, net_validated},
};

/* The slot stays, and counts, until the supervisor says that nothing of it runs any more. */
static void
net_closed(void *ctx, int err)
{
	struct conn *c = ctx;
	struct listener *l = c->l;

	if (err != 0) /* an address that may be forged is not for the log */
		log_error("channel of a connection from %s: %s",
		    c->slot->validated ? addr_show(&c->slot->path.remote)
				       : "an unproven address",
		    qerr_str(err));
	ipc_free(&c->ipc);
	front_hung_up(l->front, c->slot);
}

/* ---- what the front wants ---- */

static void
front_send_out(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n)
{
	struct listener *l = arg;

	(void)lsocks_send(l->socks, path, ecn, p, n);
}

/* Takes the channel over, also on failure. */
static int
conn_new(struct listener *l, struct slot *s, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL) {
		fd_close(&fd);
		return QERR_NOMEM;
	}
	c->l = l;
	c->slot = s;
	err = ipc_new(&c->ipc, l->ev, fd, net_rows, sizeof(net_rows) / sizeof(net_rows[0]), c,
	    net_closed);
	if (err != 0)
		free(c);
	else
		s->owner = c;
	return err;
}

static void
front_release(void *arg, struct slot *s)
{
	struct conn *c = s->owner;

	(void)arg;
	if (c == NULL)
		return;
	ipc_free(&c->ipc);
	free(c);
	s->owner = NULL;
}

static int
front_admit(void *arg, struct slot *s, const struct smsg_admit *m)
{
	struct listener *l = arg;
	int pair[2], err = ipc_pair(pair);

	if (err != 0)
		return err;
	if ((err = conn_new(l, s, pair[0])) != 0) {
		fd_close(&pair[1]);
		return err;
	}
	buf_reset(&l->out);
	if ((err = smsg_put_admit(&l->out, m)) == 0)
		err = ipc_send(l->sup, SL_ADMIT, &l->out, &pair[1], 1);
	fd_close(&pair[1]);
	if (err != 0)
		front_release(l, s);
	else
		tick(l);
	return err;
}

static void
front_deliver(void *arg, struct slot *s, const struct smsg_dgram *d)
{
	struct listener *l = arg;
	struct conn *c = s->owner;

	if (c == NULL || c->ipc == NULL)
		return;
	buf_reset(&l->out);
	/* A full channel drops, as a full link does. */
	if (smsg_put_dgram(&l->out, d) == 0)
		(void)ipc_try_send(c->ipc, LN_DGRAM, &l->out, NULL, 0);
}

static void
front_expire(void *arg, struct slot *s)
{
	struct listener *l = arg;
	const struct smsg_slot m = {.slot = s->id};

	buf_reset(&l->out);
	if (smsg_put_slot(&l->out, &m) == 0)
		(void)ipc_send(l->sup, SL_EXPIRED, &l->out, NULL, 0);
}

static const struct front_ops front_ops = {
    .send = front_send_out,
    .admit = front_admit,
    .deliver = front_deliver,
    .expire = front_expire,
    .release = front_release,
};

static void
on_datagram(void *arg, const struct smsg_dgram *d)
{
	struct listener *l = arg;

	front_input(l->front, d, ev_now(l->ev));
}

/* Nothing is read from it: that is for the process that serves it. */
static void
on_tcp(void *arg, int *fd, const struct tp_path *path)
{
	struct listener *l = arg;
	struct slot *s = front_tcp(l->front, path, ev_now(l->ev));
	struct smsg_slot m;

	if (s == NULL) {
		ltcp_refuse(*fd, "too many connections, try again");
		return;
	}
	m = (struct smsg_slot){.slot = s->id};
	buf_reset(&l->out);
	if (smsg_put_slot(&l->out, &m) != 0 ||
	    ipc_send(l->sup, SL_ADMIT_TCP, &l->out, fd, 1) != 0)
		front_gone(l->front, m.slot);
}

static void
on_expiry(void *arg)
{
	tick(arg);
}

/* ---- what the supervisor says ---- */

static int
sup_init(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_linit m;
	int err = smsg_get_linit(body, &m);

	(void)fds;
	if (err != 0)
		return err;
	log_set_level((enum log_level)m.limits.log_level);
	err = front_new(&l->front, &m, ev_now(l->ev), &front_ops, l);
	l->drop_to.root = m.chroot_dir;
	l->drop_to.uid = m.uid;
	l->drop_to.gid = m.gid;
	m.chroot_dir = NULL;
	smsg_free_linit(&m);
	ipc_set_phase(l->sup, PHASE_SET_UP);
	return err;
}

static int
sup_socket(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_addr m;
	int err = smsg_get_addr(body, &m);

	if (err != 0)
		return err;
	err = lsocks_add(l->socks, fds[0], &m.addr);
	fds[0] = -1;
	return err;
}

static int
sup_drop_socket(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_addr m;
	int err = smsg_get_addr(body, &m);

	(void)fds;
	return err != 0 ? err : lsocks_drop(l->socks, &m.addr);
}

static int
sup_tcp_socket(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_addr m;
	int err = smsg_get_addr(body, &m);

	if (err != 0)
		return err;
	err = ltcps_add(l->tcps, fds[0], &m.addr);
	fds[0] = -1;
	return err;
}

static int
sup_drop_tcp_socket(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_addr m;
	int err = smsg_get_addr(body, &m);

	(void)fds;
	return err != 0 ? err : ltcps_drop(l->tcps, &m.addr);
}

static int
sup_limits(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_limits m;
	int err = smsg_get_limits(body, &m);

	(void)fds;
	if (err != 0)
		return err;
	log_set_level((enum log_level)m.log_level);
	front_set_limits(l->front, &m);
	return 0;
}

static int
sup_reset_key(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_reset_key m;
	int err = smsg_get_reset_key(body, &m);

	(void)fds;
	if (err == 0)
		front_set_reset_key(l->front, m.key);
	smsg_free_reset_key(&m);
	return err;
}

static int
sup_authed(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_slot m;
	int err = smsg_get_slot(body, &m);

	(void)fds;
	if (err == 0)
		front_authed(l->front, m.slot);
	return err;
}

static int
sup_gone(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_slot m;
	int err = smsg_get_slot(body, &m);

	(void)fds;
	if (err == 0)
		front_gone(l->front, m.slot);
	return err;
}

/* Where it is not taken, the channel closes, and its other end tries again. */
static int
sup_adopt(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	struct smsg_adopt m;
	struct slot *s;
	int fd = fds[0], err = smsg_get_adopt(body, &m);

	if (err != 0)
		return err;
	if ((err = front_adopt(l->front, &m, ev_now(l->ev), &s)) == 0) {
		front_release(l, s); /* a channel that broke */
		fds[0] = -1;
		if ((err = conn_new(l, s, fd)) != 0)
			front_gone(l->front, m.slot);
	}
	if (err != 0)
		log_error("cannot take over the connection from %s: %s",
		    addr_show(&m.path.remote), qerr_str(err));
	smsg_free_adopt(&m);
	return 0;
}

/* Each connection is a descriptor here. */
static void
raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static int
sup_go(void *ctx, struct rd *body, int *fds)
{
	struct listener *l = ctx;
	int err;

	(void)body;
	(void)fds;
	raise_descriptors();
	if ((err = lsocks_start(l->socks)) != 0 || (err = ltcps_start(l->tcps)) != 0 ||
	    (err = sandbox_drop(l->drop_to.root, l->drop_to.uid, l->drop_to.gid, 0)) != 0 ||
	    (err = sandbox_listener()) != 0)
		return err;
	ipc_set_phase(l->sup, PHASE_RUN);
	return ipc_send(l->sup, SL_READY, NULL, NULL, 0);
}

static const struct ipc_row sup_rows[] = {
    {SL_INIT, "SL_INIT", PHASE_START, 1, 0, sup_init},
    {SL_SOCKET, "SL_SOCKET", PHASE_SET_UP | PHASE_RUN, 0, 1, sup_socket},
    {SL_DROP_SOCKET, "SL_DROP_SOCKET", PHASE_SET_UP | PHASE_RUN, 0, 0, sup_drop_socket},
    {SL_TCP_SOCKET, "SL_TCP_SOCKET", PHASE_SET_UP | PHASE_RUN, 0, 1, sup_tcp_socket},
    {SL_DROP_TCP_SOCKET, "SL_DROP_TCP_SOCKET", PHASE_SET_UP | PHASE_RUN, 0, 0,
	sup_drop_tcp_socket},
    {SL_LIMITS, "SL_LIMITS", PHASE_SET_UP | PHASE_RUN, 0, 0, sup_limits},
    {SL_RESET_KEY, "SL_RESET_KEY", PHASE_SET_UP | PHASE_RUN, 0, 0, sup_reset_key},
    {SL_GO, "SL_GO", PHASE_SET_UP, 1, 0, sup_go},
    {SL_SLOT_AUTHED, "SL_SLOT_AUTHED", PHASE_RUN, 0, 0, sup_authed},
    {SL_SLOT_GONE, "SL_SLOT_GONE", PHASE_RUN, 0, 0, sup_gone},
    {SL_ADOPT, "SL_ADOPT", PHASE_RUN, 0, 1, sup_adopt},
};

/* Connections go on in their own processes, on their own sockets. */
static void
sup_closed(void *ctx, int err)
{
	struct listener *l = ctx;

	role_log_to(NULL, SL_LOG);
	stop(l, err);
}

int
listener_new(struct listener **out, struct ev *ev, int chan)
{
	struct listener *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL) {
		fd_close(&chan);
		return QERR_NOMEM;
	}
	l->ev = ev;
	buf_init(&l->out, IPC_BODY_MAX);
	if ((err = ipc_new(&l->sup, ev, chan, sup_rows, sizeof(sup_rows) / sizeof(sup_rows[0]),
		 l, sup_closed)) != 0 ||
	    (err = ev_timer_new(&l->expiry, ev, on_expiry, l)) != 0 ||
	    (err = lsocks_new(&l->socks, ev, on_datagram, l)) != 0 ||
	    (err = ltcps_new(&l->tcps, ev, on_tcp, l)) != 0) {
		listener_free(&l);
		return err;
	}
	role_log_to(l->sup, SL_LOG);
	*out = l;
	return 0;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	role_log_to(NULL, SL_LOG);
	front_free(&l->front);
	lsocks_free(&l->socks);
	ltcps_free(&l->tcps);
	ev_timer_free(&l->expiry);
	ipc_free(&l->sup);
	buf_free(&l->out);
	free(l->drop_to.root);
	free(l);
	*lp = NULL;
}

int
listener_result(const struct listener *l)
{
	return l->result;
}
