/* Starting roles: fork, descriptor 3 is the channel, nothing else but 0, 1, 2 is open, empty
 * environment, exec. */
#ifndef QSH_SERVER_IPC_ROLE_H
#define QSH_SERVER_IPC_ROLE_H

#include <stdbool.h>
#include <sys/types.h>

struct role_user {
	uid_t uid;
	gid_t gid;
	const char *user; /* initgroups() of this user; NULL: no supplementary groups */
	bool keep_groups; /* the caller has the right supplementary groups already */
	bool change;	  /* false: stay who we are */
	bool new_session; /* setsid() */
};
/* name: "qshd-net"; title: argv[1], for ps. chan stays the caller's. keep_stderr: else
 * /dev/null. The pid or QERR_SYS. */
pid_t role_start(const char *name, const char *title, int chan, const struct role_user *who,
    bool keep_stderr);
/* Other processes of this process's user can neither trace it nor read its memory or descriptors, where the system
 * has such a thing. Not with sanitizers, whose leak checker traces. */
void role_hide(void);
/* The name that ps and pgrep show for this process, where the system has such a thing. */
void role_set_name(const char *name);
#define ROLE_SPARE_NAME "qshd-spare" /* started ahead, for a client that has not come yet */
/* In main() of a role: checks that descriptor 3 is a SOCK_SEQPACKET socket (a role is not run
 * by hand: message, exit 1). */
int role_channel(void);
/* Log lines through a channel, as smsg_log of this type. */
struct ipc;
void role_log_to(struct ipc *ipc, int type);
/* Writes a peer role's log line in our own log, with a prefix. */
struct rd;
int role_log_from(struct rd *body, const char *prefix);

#endif
