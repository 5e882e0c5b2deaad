#include "server/ipc/regsock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"

#define BACKLOG 4096 /* all connections of a busy host come at once */

static int
name_of(struct sockaddr_un *un, const char *run_dir, uint16_t port, const char *more)
{
	char *path = str_printf("%s/" REGSOCK_DIR "/%u%s", run_dir, (unsigned)port, more);
	size_t n;
	int err = 0;

	if (path == NULL)
		return QERR_NOMEM;
	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	n = strlen(path);
	if (n >= sizeof(un->sun_path))
		err = QERR_TOOBIG;
	else
		memcpy(un->sun_path, path, n);
	free(path);
	return err;
}

static int
new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (fd >= 0 && (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0))
		fd_close(&fd);
	return fd >= 0 ? fd : QERR_SYS;
}

/* Made beside and moved into place: who finds the name finds somebody listening. */
int
regsock_listen(const char *run_dir, uint16_t port)
{
	struct sockaddr_un un, tmp;
	int fd, err;

	if ((err = name_of(&un, run_dir, port, "")) != 0 ||
	    (err = name_of(&tmp, run_dir, port, ".new")) != 0)
		return err;
	if ((fd = new_socket()) < 0)
		return fd;
	(void)unlink(tmp.sun_path);
	if (bind(fd, (struct sockaddr *)&tmp, sizeof(tmp)) < 0 ||
	    chmod(tmp.sun_path, 0600) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(tmp.sun_path, un.sun_path) < 0) {
		fd_close(&fd);
		return QERR_SYS;
	}
	return fd;
}

void
regsock_remove(const char *run_dir, uint16_t port)
{
	struct sockaddr_un un;

	if (name_of(&un, run_dir, port, "") == 0)
		(void)unlink(un.sun_path);
}

/* Who made the other end; by the kernel's word. */
static int
peer_of(int fd, uid_t *uid, pid_t *pid)
{
#ifdef SO_PEERCRED
	struct ucred c;
	socklen_t len = sizeof(c);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return QERR_SYS;
	*uid = c.uid;
	*pid = c.pid;
#else
	gid_t gid;

	*pid = 0;
	if (getpeereid(fd, uid, &gid) < 0)
		return QERR_SYS;
#endif
	return 0;
}

static int
check_peer(int fd, pid_t *pid)
{
	uid_t uid;
	int err = peer_of(fd, &uid, pid);

	if (err == 0 && uid != geteuid())
		err = QERR_DENIED;
	if (err != 0)
		fd_close(&fd);
	return err;
}

int
regsock_accept(int fd, pid_t *pid)
{
	int c = accept(fd, NULL, NULL), err;

	if (c < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? QERR_AGAIN
										  : QERR_SYS;
	if (fd_cloexec(c) != 0 || fd_nonblock(c) != 0) {
		fd_close(&c);
		return QERR_SYS;
	}
	err = check_peer(c, pid);
	return err != 0 ? err : c;
}

int
regsock_connect(const char *run_dir, uint16_t port)
{
	struct sockaddr_un un;
	int fd, err = name_of(&un, run_dir, port, "");
	pid_t pid;

	if (err != 0)
		return err;
	if ((fd = new_socket()) < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		err = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN ? QERR_AGAIN
										  : QERR_SYS;
		fd_close(&fd);
		return err;
	}
	err = check_peer(fd, &pid);
	return err != 0 ? err : fd;
}
