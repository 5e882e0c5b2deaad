/* Adding a line to known_hosts. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"
#include "common/keys/knownhosts.h"
#include "common/keys/knownhosts_hash.h"

/* A name that would be read back as something else is never written. */
static bool
name_ok(const char *host)
{
	if (*host == '\0')
		return false;
	for (const char *s = host; *s; s++)
		if (!isgraph((unsigned char)*s) || strchr("@?*#|,!'\"\\", *s))
			return false;
	return true;
}

static int
make_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return 0;
	char *dir = strndup(path, (size_t)(slash - path));
	if (!dir)
		return QERR_NOMEM;
	int err = mkdir(dir, 0700) == 0 || errno == EEXIST ? 0 : QERR_SYS;
	free(dir);
	return err;
}

static int
format_line(struct buf *b, const char *host, const struct pubkey *k, bool hash)
{
	char *name = kh_host_name(host, 0); /* lower case */
	char *hashed = name && hash ? kh_hash_new(name) : NULL;
	char *key = pubkey_to_text(k);
	int err = QERR_NOMEM;

	if (key && name && (hashed || !hash))
		err = buf_printf(b, "%s %s\n", hash ? hashed : name, key);
	free(key);
	free(hashed);
	free(name);
	return err;
}

/* Does the file end in the middle of a line? */
static bool
is_unended(int fd, off_t size)
{
	char last;

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* One write, so that lines of several writers never mix; a part of one is taken back. */
static int
append(int fd, const struct buf *line)
{
	struct buf b;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return QERR_SYS;
	buf_init(&b, buf_len(line) + 1);
	if (S_ISREG(st.st_mode) && is_unended(fd, st.st_size))
		buf_put_u8(&b, '\n');
	int err = buf_put(&b, buf_data(line), buf_len(line));
	if (!err) {
		ssize_t n = write(fd, buf_data(&b), buf_len(&b));
		if (n < 0) {
			err = QERR_SYS;
		} else if ((size_t)n < buf_len(&b)) {
			if (ftruncate(fd, st.st_size) == 0)
				errno = ENOSPC;
			err = QERR_SYS;
		}
	}
	buf_free(&b);
	return err;
}

int
kh_add(const char *path, const char *host, const struct pubkey *k, bool hash)
{
	struct buf line;

	if (!name_ok(host) || !k->blob)
		return QERR_INVAL;
	buf_init(&line, 4 * KEY_BLOB_MAX);
	int err = format_line(&line, host, k, hash);
	if (!err)
		err = make_folder(path);
	if (!err) {
		int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		err = fd < 0 ? QERR_SYS : append(fd, &line);
		fd_close(&fd);
	}
	buf_free(&line);
	return err;
}
