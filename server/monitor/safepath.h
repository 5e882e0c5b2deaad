/* StrictModes: may a file be believed to be its user's own work? */
#ifndef QSH_SERVER_MONITOR_SAFEPATH_H
#define QSH_SERVER_MONITOR_SAFEPATH_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Is the open regular file that st describes, and every folder of path from it up to home (or the root where home is
 * not above it), owned by root or uid and writable by nobody else? path: how it was opened. 0; or QERR_PERM with
 * a text in why. Blocks on the file system. */
int safepath_check(const char *path, const struct stat *st, const char *home, uid_t uid, char *why,
    size_t n);

#endif
