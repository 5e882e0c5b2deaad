#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/ipc/regsock.h"
#include "server/supervisor/rundir.h"

#define KEYS_FILE  "keys"
#define KEYS_MAGIC "qshkeys1"
#define MAGIC_LEN  8
#define KEYS_LEN   (MAGIC_LEN + 16 + 16 + 32 + 4)
#define TRIES	   10

/* A folder of ours that nobody else can write to. */
static int
make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		log_error("cannot make the folder %s: %s", path, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	if (lstat(path, &st) < 0) {
		log_error("folder %s: %s", path, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		log_error(
		    "%s must be a folder that belongs to user %u and that nobody else can "
		    "write to",
		    path, (unsigned)geteuid());
		return QERR_PERM;
	}
	return 0;
}

static char *
user_dir(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	const struct passwd *pw;
	struct stat st;

	if (xdg != NULL && xdg[0] == '/' && stat(xdg, &st) == 0 && st.st_uid == geteuid())
		return str_printf("%s/qshd", xdg);
	if ((pw = getpwuid(geteuid())) == NULL)
		return NULL;
	return str_printf("%s/.qsh/run", pw->pw_dir);
}

/* The folders that path is in, where they are missing. What counts is whether the last one can
 * be made. */
static void
make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
}

static int
make_in(const char *dir, const char *name, mode_t mode)
{
	char *path = str_printf("%s/%s", dir, name);
	int err = path != NULL ? make_dir(path, mode) : QERR_NOMEM;

	free(path);
	return err;
}

int
rundir_open(char **out, bool user_mode)
{
	char *dir = user_mode ? user_dir() : strdup(QSH_RUNDIR);
	int err;

	if (dir == NULL) {
		log_error("no run directory: your account is not known, or memory is short");
		return QERR_NOTFOUND;
	}
	make_parents(dir);
	if ((err = make_dir(dir, user_mode ? 0700 : 0755)) == 0 && !user_mode)
		err = make_in(dir, "empty", 0755);
	if (err == 0)
		err = make_in(dir, REGSOCK_DIR, 0700);
	if (err != 0) {
		free(dir);
		return err;
	}
	*out = dir;
	return 0;
}

static void
split_keys(const uint8_t *p, struct smsg_linit *k)
{
	p += MAGIC_LEN;
	memcpy(k->route_key, p, sizeof(k->route_key));
	p += sizeof(k->route_key);
	memcpy(k->slot_key, p, sizeof(k->slot_key));
	p += sizeof(k->slot_key);
	memcpy(k->token_key, p, sizeof(k->token_key));
	p += sizeof(k->token_key);
	memcpy(k->server_id, p, sizeof(k->server_id));
}

/* 0, QERR_NOTFOUND, QERR_FORMAT (of another version, or cut off), QERR_PERM, QERR_SYS. */
static int
read_keys(const char *path, struct smsg_linit *k)
{
	uint8_t *p = NULL;
	struct stat st;
	size_t n = 0;
	int err, fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? QERR_NOTFOUND : QERR_SYS;
	if (fstat(fd, &st) < 0)
		err = QERR_SYS;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		err = QERR_PERM;
	else
		err = fd_read_all(fd, KEYS_LEN + 1, &p, &n);
	if (err == 0 && (n != KEYS_LEN || memcmp(p, KEYS_MAGIC, MAGIC_LEN) != 0))
		err = QERR_FORMAT;
	if (err == 0)
		split_keys(p, k);
	if (p != NULL)
		sodium_memzero(p, n);
	free(p);
	fd_close(&fd);
	return err;
}

/* Written beside and linked into place: whole or not at all, and the first of two starters
 * wins. */
static int
make_keys(const char *dir, const char *path)
{
	uint8_t p[KEYS_LEN];
	char *tmp = str_printf("%s/.keys-XXXXXX", dir);
	int fd, err = QERR_SYS;

	if (tmp == NULL)
		return QERR_NOMEM;
	memcpy(p, KEYS_MAGIC, MAGIC_LEN);
	randombytes_buf(p + MAGIC_LEN, sizeof(p) - MAGIC_LEN);
	fd = mkstemp(tmp); /* mode 0600 */
	if (fd >= 0) {
		if (fd_write_all(fd, p, sizeof(p)) == 0 &&
		    (link(tmp, path) == 0 || errno == EEXIST))
			err = 0;
		fd_close(&fd);
		(void)unlink(tmp);
	}
	sodium_memzero(p, sizeof(p));
	free(tmp);
	return err;
}

int
rundir_keys(const char *dir, struct smsg_linit *keys)
{
	char *path = str_printf("%s/" KEYS_FILE, dir);
	int err = QERR_NOMEM;

	if (path == NULL) {
		log_error("%s: %s", dir, qerr_str(err));
		return err;
	}
	for (int i = 0; i < TRIES; i++) {
		err = read_keys(path, keys);
		if (err == QERR_FORMAT && unlink(path) < 0 && errno != ENOENT)
			break;
		if (err != QERR_NOTFOUND && err != QERR_FORMAT)
			break;
		if ((err = make_keys(dir, path)) != 0)
			break;
	}
	if (err == QERR_PERM)
		log_error(
		    "%s must belong to user %u, mode 600: remove it, and a new one is made",
		    path, (unsigned)geteuid());
	else if (err != 0)
		log_error("%s: %s", path, qerr_str(err));
	free(path);
	return err;
}
