/* Sandboxes, as the last step before network bytes are read. */
#ifndef QSH_SERVER_SANDBOX_SANDBOX_H
#define QSH_SERVER_SANDBOX_SANDBOX_H

/* chroot (dir "" none), drop groups and ids (uid 0: stay), no_new_privs, rlimits (no new files,
 * no processes, no core), seccomp: an allow-list; what is not on it kills the process. 0, or
 * QERR_* with a log line: the caller must exit. */
int sandbox_drop(const char *chroot_dir, unsigned uid, unsigned gid);
int sandbox_listener(void);
int sandbox_net(void);

#endif
