/* qshd-net: one connection's QUIC, TLS and protocol, without privileges. */
#include <signal.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "quic/trace.h"
#include "server/ipc/role.h"
#include "server/net/net.h"
#include "server/sandbox/sandbox.h"

/* All that opens something comes before the sandbox, all that reads from the network behind
 * it. */
static int
lock_in(struct net *net)
{
	const struct smsg_ninit *init = &net->setup.init;
	/* Only where the administrator asked for records are there files to write to. */
	bool files = net->setup.keys_fd >= 0 || net->setup.qlog_fd >= 0;
	int r = sandbox_drop(
	    init->chroot_dir, init->uid, init->gid, files ? QUIC_TRACE_MAX : 0);

	return r < 0 ? r : sandbox_net();
}

static int
start(struct net *net)
{
	int fd = net->setup.listener_fd, r = 0;

	net->setup.listener_fd = -1;
	if (!net->setup.is_stream)
		r = lstlink_open(net, fd);
	if (r == 0)
		r = quichost_start(net);
	if (r < 0) {
		log_error("cannot start a connection: %s", qerr_str(r));
		return r;
	}
	net_start(net);
	return 0;
}

static int
serve(struct net *net, int fd)
{
	int r = monlink_open(net, fd);

	if (r < 0)
		return r;
	role_log_to(net->monitor, MN_LOG);
	role_set_name(ROLE_SPARE_NAME);
	r = quic_init();
	if (r < 0) {
		log_error("cannot set TLS up: %s", qerr_str(r));
		return r;
	}
	r = monlink_setup(net);
	if (r == QERR_CLOSED && !net->setup.have_init)
		return 0; /* nobody came */
	if (r == 0)
		r = lock_in(net);
	if (r == 0)
		r = start(net);
	if (r == 0)
		r = ev_run(net->ev);
	return r;
}

int
main(void)
{
	struct net *net = NULL;
	struct ev *ev = NULL;
	int fd, r;

	log_init("qshd-net", LOG_L_INFO);
	(void)fd_sanitise_stdio();
	fd = role_channel();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	r = ev_new(&ev);
	if (r == 0)
		r = net_new(&net, ev);
	if (r == 0)
		r = serve(net, fd);
	if (r == 0 && net->failed)
		r = QERR_CLOSED;
	net_free(&net);
	ev_free(&ev);
	return r == 0 ? 0 : 1;
}
