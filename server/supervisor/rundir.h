/* The run directory: the keys of the routing part of connection IDs and of Retry tokens, which
 * are to be the same after a restart and gone after a reboot; and an empty folder for
 * sandboxes. */
#ifndef QSH_SERVER_SUPERVISOR_RUNDIR_H
#define QSH_SERVER_SUPERVISOR_RUNDIR_H

#include <stdbool.h>

#include "server/ipc/msgs.h"

/* Makes what is missing, also the folder of regsock.h; fresh memory in *out. 0, or QERR_* with a log line. */
int rundir_open(char **out, bool user_mode);
/* Reads the keys, and makes them on first start: route_key, slot_key, token_key, server_id. 0,
 * or QERR_* with a log line. */
int rundir_keys(const char *dir, struct smsg_linit *keys);

#endif
