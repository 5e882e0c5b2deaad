/* Everything that qshd is told: configuration, command line, account, host key. One set is read
 * at the start and a new one at each SIGHUP. */
#ifndef QSH_SERVER_SUPERVISOR_SETUP_H
#define QSH_SERVER_SUPERVISOR_SETUP_H

#include <sys/types.h>

#include "common/base/log.h"
#include "common/keys/keys.h"
#include "server/conf/sconf.h"
#include "server/ipc/msgs.h"
#include "server/supervisor/options.h"

#define SETUP_PORT	22
#define SETUP_USER_PORT 8022

struct setup {
	bool user_mode;
	struct sconf_src *src;
	struct sconf *conf; /* the global part, with what the command line says */
	struct buf config;  /* src as bytes, for monitors */
	struct addr *listen;
	size_t nlisten;
	struct addr *tcp_listen; /* none unless TcpListenAddress says so */
	size_t ntcp_listen;
	enum log_level level;
	uid_t uid; /* the account of the processes on the network; 0 in user mode */
	gid_t gid;
	struct privkey host_key;
	char *host_key_path;
};

/* make_key: make a host key where there is none. 0, or QERR_* with a log line. */
int setup_load(struct setup **out, const struct options *o, bool user_mode, bool make_key);
/* What a monitor is told but for the admission; borrows from s and o. */
void setup_minit(const struct setup *s, const struct options *o, struct smsg_minit *m);
/* The admission of a connection over a byte stream, but for slot and path; its process finds the rest in the stream. cid: memory
 * for its connection ID. */
void setup_stream_admit(struct smsg_admit *m, struct quic_cid *cid);
void setup_free(struct setup **s);
/* -T: the configuration as it is for the connection that -C describes, on standard output. 0,
 * or QERR_* with a log line. */
int setup_dump(const struct setup *s, const struct options *o);

#endif
