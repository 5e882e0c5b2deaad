/* qshd-broker: runs as the user who logged in. */
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/broker/broker.h"
#include "server/ipc/role.h"

int
main(void)
{
	log_init("qshd-broker", LOG_L_INFO);
	/* What the user is permitted to run here must not get hold of what it talks to. */
	role_hide();
	if (fd_sanitise_stdio() < 0) {
		log_error("/dev/null cannot be opened: %s", qerr_str(QERR_SYS));
		return 1;
	}
	return broker_run(role_channel());
}
