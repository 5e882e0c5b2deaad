/* The host's Ed25519 key: found, or made on first start. */
#ifndef QSH_SERVER_SUPERVISOR_HOSTKEY_H
#define QSH_SERVER_SUPERVISOR_HOSTKEY_H

#include "common/keys/keys.h"
#include "server/conf/sconf.h"

/* The first Ed25519 key of the configured ones, else sshd's, else our own: ~/.qsh in user mode,
 * which is made where make says so. A key that is there and cannot be read is an error, and so is
 * one that is configured and not there (but where the configuration is sshd's, with sshds): the host
 * keeps its identity. *path (may be NULL): fresh memory, where it is, empty where none was
 * made. 0, or QERR_* with a log line. */
int hostkey_load(struct privkey *out, char **path, const struct sconf *c, bool sshds,
    bool user_mode, bool make);

#endif
