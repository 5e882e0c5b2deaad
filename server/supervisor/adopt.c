#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/regsock.h"
#include "server/supervisor/adopt.h"

#define PAUSE	    NS_PER_S /* where no descriptor is left */
#define SILENT_MAX  256	     /* that have not said what they want */
#define ACCEPT_ONCE 32

/* One name. */
struct door {
	struct adopters *all;
	struct door *next;
	uint16_t port;
	int fd;
	struct ev_io *io;
};

/* A monitor that came. It stays until the user of its connection is known. */
struct guest {
	struct adopters *all;
	struct guest *next, **link;
	struct ipc *ipc;
	pid_t pid;
	bool adopted;
	uint32_t slot;
};

struct adopters {
	struct ev *ev;
	const char *run_dir;
	const struct adopt_ops *ops;
	void *arg;
	struct door *doors;
	struct guest *guests;
	unsigned silent;
	struct ev_timer *pause;
	bool open;
};

/* ---- guests ---- */

static void
guest_free(struct guest *g)
{
	if (!g->adopted)
		g->all->silent--;
	*g->link = g->next;
	if (g->next != NULL)
		g->next->link = g->link;
	ipc_free(&g->ipc);
	free(g);
}

/* Its process's end of the new channel. */
static int
send_channel(struct guest *g, const struct smsg_register *m, const char **why)
{
	struct adopters *a = g->all;
	int pair[2], err = ipc_pair(pair);

	if (err != 0)
		return err;
	err = a->ops->adopt(a->arg, g->pid, m, pair[0], why);
	if (err == 0)
		err = ipc_send(g->ipc, SM_LISTENER, NULL, &pair[1], 1);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return err;
}

static void
send_refusal(struct guest *g, const char *why)
{
	char text[256];
	struct smsg_text m = {.text = text};
	struct buf b;

	(void)snprintf(text, sizeof(text), "%s", why);
	buf_init(&b, IPC_BODY_MAX);
	if (smsg_put_text(&b, &m) == 0)
		(void)ipc_send(g->ipc, SM_REFUSED, &b, NULL, 0);
	buf_free(&b);
}

static int
on_register(void *ctx, struct rd *body, int *fds)
{
	struct guest *g = ctx;
	struct smsg_register m;
	const char *why = NULL;
	int err = smsg_get_register(body, &m);

	(void)fds;
	if (err != 0)
		return err;
	if (m.version != SMSG_LN_VERSION)
		why = "it was begun by another version of qshd";
	else if ((err = send_channel(g, &m, &why)) != 0 && why == NULL)
		log_error("cannot take over the connection from %s: %s",
		    addr_show(&m.path.remote), qerr_str(err));
	if (why != NULL)
		send_refusal(g, why);
	if (err == 0 && why == NULL)
		log_verbose("took over the connection from %s", addr_show(&m.path.remote));
	g->slot = m.slot;
	if (err == 0 && why == NULL && !m.authed) {
		g->adopted = true;
		g->all->silent--;
	} else { /* the rest is between its process and the listener */
		guest_free(g);
	}
	return 0;
}

static int
on_authed(void *ctx, struct rd *body, int *fds)
{
	struct guest *g = ctx;
	struct adopters *a = g->all;

	(void)body;
	(void)fds;
	if (!g->adopted)
		return QERR_PHASE;
	a->ops->authed(a->arg, g->pid, g->slot);
	guest_free(g);
	return 0;
}

static const struct ipc_row rows[] = {
    {SM_REGISTER, "SM_REGISTER", 1, 1, 0, on_register},
    {SM_AUTHED, "SM_AUTHED", 1, 1, 0, on_authed},
};

static void
on_closed(void *ctx, int err)
{
	struct guest *g = ctx;

	if (err != 0)
		log_error("monitor %ld: %s", (long)g->pid, qerr_str(err));
	if (g->adopted)
		g->all->ops->gone(g->all->arg, g->slot);
	guest_free(g);
}

static int
guest_new(struct adopters *a, int fd, pid_t pid)
{
	struct guest *g = calloc(1, sizeof(*g));
	int err = QERR_NOMEM;

	if (g == NULL) {
		fd_close(&fd);
		return err;
	}
	err = ipc_new(&g->ipc, a->ev, fd, rows, sizeof(rows) / sizeof(rows[0]), g, on_closed);
	if (err != 0) {
		free(g);
		return err;
	}
	g->all = a;
	g->pid = pid;
	g->next = a->guests;
	g->link = &a->guests;
	if (g->next != NULL)
		g->next->link = &g->next;
	a->guests = g;
	a->silent++;
	return 0;
}

/* ---- doors ---- */

static void
watch_doors(struct adopters *a, bool on)
{
	for (struct door *d = a->doors; d != NULL; d = d->next)
		(void)ev_io_set(d->io, on ? EV_RD : 0);
}

static void
on_pause(void *arg)
{
	struct adopters *a = arg;

	watch_doors(a, a->open);
}

/* No descriptor, or too many that came and say nothing: later. */
static void
pause_doors(struct adopters *a)
{
	watch_doors(a, false);
	ev_timer_at(a->pause, ev_now(a->ev) + PAUSE);
}

static void
on_door(void *arg, int fd, unsigned what)
{
	struct door *d = arg;
	struct adopters *a = d->all;
	pid_t pid = 0;
	int c = 0;

	(void)what;
	for (int i = 0; i < ACCEPT_ONCE && c >= 0 && a->silent < SILENT_MAX; i++) {
		c = regsock_accept(fd, &pid);
		if (c >= 0)
			c = guest_new(a, c, pid);
	}
	if (c == QERR_DENIED)
		log_error("process %ld of another user came to %s/" REGSOCK_DIR, (long)pid,
		    a->run_dir);
	else if ((c < 0 && c != QERR_AGAIN) || a->silent >= SILENT_MAX)
		pause_doors(a);
}

static void
door_free(struct adopters *a, struct door *d)
{
	ev_io_free(&d->io);
	fd_close(&d->fd);
	regsock_remove(a->run_dir, d->port);
	free(d);
}

static void
door_new(struct adopters *a, uint16_t port)
{
	struct door *d = calloc(1, sizeof(*d));
	int err = QERR_NOMEM;

	if (d == NULL)
		goto fail;
	d->all = a;
	d->port = port;
	d->fd = regsock_listen(a->run_dir, port);
	if (d->fd < 0) {
		err = d->fd;
		goto fail;
	}
	err = ev_io_new(&d->io, a->ev, d->fd, a->open ? EV_RD : 0, on_door, d);
	if (err != 0) {
		door_free(a, d);
		d = NULL;
		goto fail;
	}
	d->next = a->doors;
	a->doors = d;
	return;
fail:
	log_error("%s/" REGSOCK_DIR "/%u: %s: connections that outlive this qshd will not be found "
		  "by the next one when their client's address changes",
	    a->run_dir, (unsigned)port, qerr_str(err));
	free(d);
}

static bool
has_port(const struct sockets *s, uint16_t port)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_port(&s->v[i].addr) == port)
			return true;
	return false;
}

static bool
has_door(const struct adopters *a, uint16_t port)
{
	const struct door *d = a->doors;

	while (d != NULL && d->port != port)
		d = d->next;
	return d != NULL;
}

void
adopters_listen(struct adopters *a, const struct sockets *socks)
{
	for (struct door **at = &a->doors; *at != NULL;) {
		struct door *d = *at;

		if (has_port(socks, d->port)) {
			at = &d->next;
		} else {
			*at = d->next;
			door_free(a, d);
		}
	}
	for (size_t i = 0; i < socks->n; i++)
		if (!has_door(a, addr_port(&socks->v[i].addr)))
			door_new(a, addr_port(&socks->v[i].addr));
}

void
adopters_open(struct adopters *a, bool open)
{
	a->open = open;
	watch_doors(a, open);
	/* Their channels to the listener have ended with it: they will come anew. */
	while (!open && a->guests != NULL)
		guest_free(a->guests);
}

int
adopters_new(struct adopters **out, struct ev *ev, const char *run_dir,
    const struct adopt_ops *ops, void *arg)
{
	struct adopters *a = calloc(1, sizeof(*a));
	int err;

	*out = NULL;
	if (a == NULL)
		return QERR_NOMEM;
	a->ev = ev;
	a->run_dir = run_dir;
	a->ops = ops;
	a->arg = arg;
	if ((err = ev_timer_new(&a->pause, ev, on_pause, a)) != 0)
		adopters_free(&a);
	*out = a;
	return err;
}

void
adopters_free(struct adopters **ap)
{
	struct adopters *a = *ap;

	if (a == NULL)
		return;
	while (a->guests != NULL)
		guest_free(a->guests);
	while (a->doors != NULL) {
		struct door *d = a->doors;

		a->doors = d->next;
		door_free(a, d);
	}
	ev_timer_free(&a->pause);
	free(a);
	*ap = NULL;
}
