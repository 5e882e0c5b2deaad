/* A role for role_test: says over its channel what it found when it was started. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"
#include "server/ipc/role.h"

static unsigned
open_fds(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
	if (d != NULL)
		(void)closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	struct ipc *ipc;
	unsigned env = 0;
	char cwd[64], line[256];

	log_init("role_helper", LOG_L_INFO);
	for (char **e = environ; *e != NULL; e++)
		env += strstr(*e, "SAN_OPTIONS=") == NULL;
	if (ipc_new(&ipc, NULL, role_channel(), NULL, 0, NULL, NULL) != 0)
		return 1;
	role_log_to(ipc, SL_LOG);
	(void)snprintf(line, sizeof(line), "uid=%d gid=%d groups=%d fds=%u env=%u title=%s leader=%d cwd=%s",
	    (int)getuid(), (int)getgid(), getgroups(0, NULL), open_fds(), env,
	    argc == 2 ? argv[1] : "?", getsid(0) == getpid(), getcwd(cwd, sizeof(cwd)));
	log_info("%s", line);
	log_msg(LOG_L_ERROR, "bad\nline");
	role_log_to(NULL, SL_LOG);
	ipc_free(&ipc);
	return 7;
}
