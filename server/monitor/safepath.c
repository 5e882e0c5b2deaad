/* StrictModes. */
#include "server/monitor/safepath.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

static bool
trusted(const struct stat *st, uid_t uid)
{
	return (st->st_uid == 0 || st->st_uid == uid) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* "/a/b" -> "/a" -> "/" ; false at the root. */
static bool
cut_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (!slash || path[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

int
safepath_check(const char *path, const struct stat *st, const char *home, uid_t uid, char *why, size_t n)
{
	char real[PATH_MAX], top[PATH_MAX];
	if (!realpath(path, real)) {
		snprintf(why, n, "%s: %s", path, strerror(errno));
		return QERR_PERM;
	}
	bool have_top = home && realpath(home, top);
	if (!S_ISREG(st->st_mode)) {
		snprintf(why, n, "%s is not a regular file", real);
		return QERR_PERM;
	}
	if (!trusted(st, uid)) {
		snprintf(why, n, "bad ownership or modes for file %s", real);
		return QERR_PERM;
	}
	while (cut_last(real)) {
		struct stat dir;
		if (stat(real, &dir) < 0 || !trusted(&dir, uid)) {
			snprintf(why, n, "bad ownership or modes for directory %s", real);
			return QERR_PERM;
		}
		if (have_top && strcmp(real, top) == 0)
			break;
	}
	return 0;
}
