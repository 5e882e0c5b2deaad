#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/role.h"
#include "server/supervisor/lchild.h"

enum { PHASE_START = 1, PHASE_RUN = 2 };

struct lchild {
	struct ipc *ipc;
	const struct lchild_ops *ops;
	void *arg;
	pid_t pid;
	struct buf out; /* a message being built; it may hold keys */
};

static int
on_ready(void *ctx, struct rd *body, int *fds)
{
	struct lchild *l = ctx;

	(void)body;
	(void)fds;
	ipc_set_phase(l->ipc, PHASE_RUN);
	l->ops->ready(l->arg);
	return 0;
}

static int
on_admit(void *ctx, struct rd *body, int *fds)
{
	struct lchild *l = ctx;
	struct smsg_admit m;
	int err = smsg_get_admit(body, &m);

	if (err != 0)
		return err;
	l->ops->admit(l->arg, &m, &fds[0]);
	smsg_free_admit(&m);
	return 0;
}

static int
on_admit_tcp(void *ctx, struct rd *body, int *fds)
{
	struct lchild *l = ctx;
	struct smsg_slot m;
	int err = smsg_get_slot(body, &m);

	if (err == 0)
		l->ops->admit_tcp(l->arg, m.slot, &fds[0]);
	return err;
}

static int
on_expired(void *ctx, struct rd *body, int *fds)
{
	struct lchild *l = ctx;
	struct smsg_slot m;
	int err = smsg_get_slot(body, &m);

	(void)fds;
	if (err == 0)
		l->ops->expired(l->arg, m.slot);
	return err;
}

static int
on_log(void *ctx, struct rd *body, int *fds)
{
	(void)ctx;
	(void)fds;
	/* What it says is told from what we know: it reads what anybody sends. */
	return role_log_from(body, "listener: ");
}

static void
on_closed(void *ctx, int err)
{
	struct lchild *l = ctx;

	l->ops->gone(l->arg, err);
}

static const struct ipc_row rows[] = {
    {SL_READY, "SL_READY", PHASE_START, 1, 0, on_ready},
    {SL_ADMIT, "SL_ADMIT", PHASE_RUN, 0, 1, on_admit},
    {SL_ADMIT_TCP, "SL_ADMIT_TCP", PHASE_RUN, 0, 1, on_admit_tcp},
    {SL_EXPIRED, "SL_EXPIRED", PHASE_RUN, 0, 0, on_expired},
    {SL_LOG, "SL_LOG", PHASE_START | PHASE_RUN, 0, 0, on_log},
};

/* Sends what is in l->out. */
static int
send_out(struct lchild *l, uint16_t type, int built, const int *fd)
{
	int err = built;

	if (err == 0)
		err = ipc_send(l->ipc, type, &l->out, fd, fd != NULL ? 1 : 0);
	buf_reset(&l->out);
	return err;
}

static int
send_socket(struct lchild *l, uint16_t type, const struct sock *s)
{
	const struct smsg_addr m = {.addr = s->addr};

	return send_out(l, type, smsg_put_addr(&l->out, &m), &s->fd);
}

static int
send_start(struct lchild *l, const struct smsg_linit *init, const struct sockets *socks)
{
	int err = send_out(l, SL_INIT, smsg_put_linit(&l->out, init), NULL);

	for (size_t i = 0; i < socks->n && err == 0; i++)
		err = send_socket(l, SL_SOCKET, &socks->v[i]);
	return err != 0 ? err : ipc_send(l->ipc, SL_GO, NULL, NULL, 0);
}

int
lchild_new(struct lchild **out, struct ev *ev, const struct smsg_linit *init,
    const struct sockets *socks, bool keep_stderr, const struct lchild_ops *ops, void *arg)
{
	/* It gives its identity up itself, once it has changed its root. */
	const struct role_user who = {.change = false, .new_session = true};
	struct lchild *l = calloc(1, sizeof(*l));
	int pair[2] = {-1, -1}, err = QERR_NOMEM;

	if (l == NULL || (err = ipc_pair(pair)) != 0)
		goto fail;
	buf_init_secret(&l->out, IPC_BODY_MAX);
	l->ops = ops;
	l->arg = arg;
	l->pid = role_start("qshd-listener", "listener", pair[1], &who, keep_stderr);
	if (l->pid < 0) {
		err = (int)l->pid;
		goto fail;
	}
	fd_close(&pair[1]);
	err = ipc_new(&l->ipc, ev, pair[0], rows, sizeof(rows) / sizeof(rows[0]), l, on_closed);
	pair[0] = -1;
	if (err != 0 || (err = send_start(l, init, socks)) != 0)
		goto fail;
	*out = l;
	return 0;
fail:
	log_error("cannot start %s/qshd-listener: %s", QSH_LIBEXECDIR, qerr_str(err));
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	lchild_free(&l);
	return err;
}

void
lchild_free(struct lchild **l)
{
	if (*l == NULL)
		return;
	ipc_free(&(*l)->ipc);
	buf_free(&(*l)->out);
	free(*l);
	*l = NULL;
}

pid_t
lchild_pid(const struct lchild *l)
{
	return l->pid;
}

static void
slot_message(struct lchild *l, uint16_t type, uint32_t slot)
{
	const struct smsg_slot m = {.slot = slot};

	(void)send_out(l, type, smsg_put_slot(&l->out, &m), NULL);
}

void
lchild_authed(struct lchild *l, uint32_t slot)
{
	slot_message(l, SL_SLOT_AUTHED, slot);
}

void
lchild_slot_gone(struct lchild *l, uint32_t slot)
{
	slot_message(l, SL_SLOT_GONE, slot);
}

int
lchild_adopt(struct lchild *l, const struct smsg_adopt *m, int fd)
{
	return send_out(l, SL_ADOPT, smsg_put_adopt(&l->out, m), &fd);
}

void
lchild_add_socket(struct lchild *l, const struct sock *s)
{
	(void)send_socket(l, SL_SOCKET, s);
}

void
lchild_drop_socket(struct lchild *l, const struct addr *a)
{
	const struct smsg_addr m = {.addr = *a};

	(void)send_out(l, SL_DROP_SOCKET, smsg_put_addr(&l->out, &m), NULL);
}

void
lchild_reset_key(struct lchild *l, const uint8_t key[32])
{
	struct smsg_reset_key m;

	memcpy(m.key, key, sizeof(m.key));
	(void)send_out(l, SL_RESET_KEY, smsg_put_reset_key(&l->out, &m), NULL);
	smsg_free_reset_key(&m);
}

void
lchild_add_tcp(struct lchild *l, const struct sock *s)
{
	(void)send_socket(l, SL_TCP_SOCKET, s);
}

void
lchild_drop_tcp(struct lchild *l, const struct addr *a)
{
	const struct smsg_addr m = {.addr = *a};

	(void)send_out(l, SL_DROP_TCP_SOCKET, smsg_put_addr(&l->out, &m), NULL);
}

void
lchild_limits(struct lchild *l, const struct smsg_limits *m)
{
	(void)send_out(l, SL_LIMITS, smsg_put_limits(&l->out, m), NULL);
}
