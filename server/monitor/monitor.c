/* The monitor's life. */
#include "server/monitor/monitor.h"

#include <signal.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/monitor/monint.h"

int
monitor_run(int fd, const struct monitor_ops *ops)
{
	struct monitor m = {.ops = ops, .phase = PH_HANDSHAKE};
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	int r = monitor_set_up(&m, fd);
	if (r == 0)
		r = ev_run(m.ev);
	if (r == QERR_CLOSED && !m.have_init)
		r = 0; /* nobody came, and the supervisor has gone */
	if (r < 0) {
		log_error("connection cannot be served: %s", qerr_str(r));
		m.status = 1;
	}
	monitor_tear_down(&m);
	return m.status;
}
