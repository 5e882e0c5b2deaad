/* The monitors, as the supervisor sees them: a child for each connection. */
#ifndef QSH_SERVER_SUPERVISOR_MCHILD_H
#define QSH_SERVER_SUPERVISOR_MCHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/ev/ev.h"
#include "server/ipc/msgs.h"

struct mchildren;

/* The user of a slot is known. */
typedef void mchild_authed_fn(void *arg, uint64_t generation, uint32_t slot);

/* QERR_NOMEM. */
int mchildren_new(struct mchildren **out, struct ev *ev, mchild_authed_fn *authed, void *arg);
/* Lets go of them: they live on. */
void mchildren_free(struct mchildren **m);
/* Starts one for an admission; generation tells listeners apart, whose slots it may share. init
 * is what it is told; fds is its process's channel or, two, the byte stream that the client is at; they stay the caller's. 0, or
 * QERR_* with a log line. */
int mchildren_start(struct mchildren *m, uint64_t generation, const struct smsg_minit *init,
    const int *fds, size_t nfds, bool keep_stderr);
/* From now on one more is kept ready for the next admission. */
void mchildren_keep_spare(struct mchildren *m, bool keep_stderr);
/* Ends the one of a slot before the user is known. */
void mchildren_expire(struct mchildren *m, uint64_t generation, uint32_t slot);
/* One of ours, by its process, is a later listener's now, who has its slot. */
void mchildren_move(struct mchildren *m, pid_t pid, uint64_t generation);
/* Its user is known, which it has said elsewhere. */
void mchildren_authed(struct mchildren *m, pid_t pid);
/* Ends all of them. */
void mchildren_end(struct mchildren *m);
/* A child was reaped. True if it was a monitor: of which slot. */
bool mchildren_reaped(
    struct mchildren *m, pid_t pid, int status, uint64_t *generation, uint32_t *slot);
/* How many there are, and how many without a known user. */
unsigned mchildren_count(const struct mchildren *m);
unsigned mchildren_starting(const struct mchildren *m);

#endif
