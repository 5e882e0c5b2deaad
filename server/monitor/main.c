/* qshd-monitor. */
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/ipc/role.h"
#include "server/monitor/monitor.h"

int
main(void)
{
	static const struct monitor_ops ops = {.start = role_start};
	log_init("qshd", LOG_L_INFO);
	if (fd_sanitise_stdio() < 0)
		return 1;
	role_hide(); /* it holds the host key for a while */
	return monitor_run(role_channel(), &ops);
}
