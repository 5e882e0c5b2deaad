/* Reading private key files: permissions, and no copy left in memory. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/keys/keyfile.h"

#define READ_STEP 4096

static int
read_rest(struct buf *b, int fd)
{
	for (;;) {
		uint8_t *room = buf_reserve(b, READ_STEP);
		if (!room)
			return b->err;
		ssize_t n = read(fd, room, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return QERR_SYS;
		if (n == 0)
			return 0;
		buf_commit(b, (size_t)n);
	}
}

int
keyfile_read(struct buf *b, const char *path, bool check_perm)
{
	struct stat st;
	int err = QERR_SYS;

	buf_init_secret(b, KEYFILE_MAX + READ_STEP);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return QERR_SYS;
	if (fstat(fd, &st) == 0) {
		/* As ssh: of somebody else's file, its owner decides who may read it. */
		if (check_perm && st.st_uid == getuid() && (st.st_mode & 077) != 0)
			err = QERR_PERM;
		else
			err = read_rest(b, fd);
	}
	fd_close(&fd);
	return err;
}
