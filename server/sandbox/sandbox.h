/* Sandboxes, as the last step before network bytes are read. */
#ifndef QSH_SERVER_SANDBOX_SANDBOX_H
#define QSH_SERVER_SANDBOX_SANDBOX_H

#include <stdint.h>

/* chroot (dir "" none), drop groups and ids (uid 0: stay), no_new_privs, rlimits (no file
 * grows past file_max bytes, no processes, no core), seccomp: an allow-list; what is not on it kills the
 * process. 0, or QERR_* with a log line: the caller must exit. */
int sandbox_drop(const char *chroot_dir, unsigned uid, unsigned gid, uint64_t file_max);
int sandbox_listener(void);
int sandbox_net(void);

#endif
