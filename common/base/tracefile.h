/* The files that connections are recorded in, where somebody asked for it. Made by who may, written by
 * who has the connection. */
#ifndef QSH_BASE_TRACEFILE_H
#define QSH_BASE_TRACEFILE_H

#include <stddef.h>
#include <stdint.h>

#define TRACEFILE_FILES 256 /* in one folder: so many connections are recorded, then no more */

/* A key log, made where it is missing, to be appended to. It must be a regular file that only its owner, this
 * user, may read, and no symbolic link. The descriptor; what failed is logged: QERR_SYS, QERR_PERM. */
int tracefile_keys(const char *path);
/* A fresh "CID-role.sqlog" in a folder that exists, readable by its owner. The descriptor; logged: QERR_SYS,
 * QERR_TOOBIG (TRACEFILE_FILES are there), QERR_EXISTS, QERR_NOMEM. */
int tracefile_qlog(const char *dir, const uint8_t *cid, size_t n, const char *role);

#endif
