/* Login records: utmp, wtmp, lastlog. Best effort: a system without them still lets people in. */
#ifndef QSH_SERVER_MONITOR_RECORD_H
#define QSH_SERVER_MONITOR_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/net/addr.h"

struct record {
	const char *user;
	uid_t uid;
	pid_t pid;            /* a process that lives as long as the session */
	const char *tty;      /* "/dev/pts/3" */
	const struct addr *from;
};
/* NULL for the system's own file. */
struct record_files {
	const char *utmp, *wtmp, *lastlog;
};

/* now: ns since the epoch. */
void record_login(const struct record *r, const struct record_files *f, uint64_t now);
void record_logout(const struct record *r, const struct record_files *f, uint64_t now);
/* "Last login: Mon Jan  5 10:00:00 2026 from 192.0.2.1\r\n" of a user, "" where there is none. Before
 * record_login puts the new one there. Returns dst. */
const char *record_last(uid_t uid, const struct record_files *f, char *dst, size_t n);
/* Is this the terminal of a session of uid: "/dev/pts/N", a character device that is the user's? */
int record_tty_ok(const char *tty, uid_t uid);

#endif
