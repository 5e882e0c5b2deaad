#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/ipc/tcpsock.h"

#define BACKLOG 128

int
tcpsock_listen(const struct addr *local)
{
	int fd = socket(local->u.sa.sa_family, SOCK_STREAM, 0), one = 1;

	if (fd < 0)
		return QERR_SYS;
	/* Past connections that the kernel still remembers do not keep the port. */
	if (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    (local->u.sa.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) ||
	    bind(fd, &local->u.sa, local->len) < 0 || listen(fd, BACKLOG) < 0)
		fd_close(&fd);
	return fd >= 0 ? fd : QERR_SYS;
}

static int
take_name(struct addr *a, int r, const struct sockaddr_storage *ss, socklen_t len)
{
	return r < 0 ? QERR_SYS : addr_from_sa(a, (const struct sockaddr *)ss, len);
}

int
tcpsock_path(int fd, struct tp_path *path)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(int);
	int type = 0, err;

	memset(path, 0, sizeof(*path));
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return QERR_SYS;
	if (type != SOCK_STREAM)
		return QERR_UNSUPPORTED;
	len = sizeof(ss);
	err = take_name(&path->remote, getpeername(fd, (struct sockaddr *)&ss, &len), &ss, len);
	if (err != 0)
		return err;
	len = sizeof(ss);
	return take_name(&path->local, getsockname(fd, (struct sockaddr *)&ss, &len), &ss, len);
}
