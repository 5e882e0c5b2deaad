/* What the monitor's files share. */
#ifndef QSH_SERVER_MONITOR_MONINT_H
#define QSH_SERVER_MONITOR_MONINT_H

#include "common/ev/ev.h"
#include "common/ipc/ipc.h"
#include "common/keys/keys.h"
#include "server/conf/sconf.h"
#include "server/ipc/msgs.h"
#include "server/monitor/auth.h"
#include "server/monitor/monitor.h"
#include "server/monitor/pam.h"
#include "server/monitor/rate.h"

/* Phases of the connection: the bits that ipc's tables use. */
enum {
	PH_HANDSHAKE = 1, /* the peer's address may be anybody's */
	PH_AUTH = 2,
	PH_SESSION = 4,
	PH_ENDING = 8,
};

#define HOST_SK_LEN 64
#define LOGINS_MAX  256   /* terminals of one connection */

/* A terminal that has a login record. */
struct login {
	struct login *next;
	char tty[64];
};

struct monitor {
	const struct monitor_ops *ops;
	struct ev *ev;
	struct ipc *sup, *net, *broker;
	struct ipc *reg;              /* register.c: to the supervisor of now */
	struct ev_signal *sigchld, *sigterm, *sigint;
	struct ev_timer *grace, *kill, *reg_timer;
	uint64_t reg_delay;           /* before the next try, ns */
	uint64_t reg_since;           /* when the last one succeeded */
	bool listener_gone;

	struct smsg_minit init;       /* without what points into the message */
	bool have_init;
	bool stream;                  /* the client is at a byte stream, and stays there */
	uint8_t *host_sk;             /* sodium_malloc; NULL once it has signed */
	struct pubkey host_key;       /* what users sign over */
	struct sconf_src *src;
	struct sconf *conf;           /* for these addresses, whoever the user is */
	struct auth_env env;
	struct auth *auth;

	pid_t net_pid, broker_pid;    /* 0: not running */
	unsigned phase;
	bool validated;               /* the peer's address may be logged */
	bool logged_in;               /* authenticated, and the session is set up */
	bool banner_sent;
	bool net_started;
	bool steered;                 /* the path in use has no socket of its own */
	struct mpam *pam;
	struct login *logins;
	size_t nlogins;
	unsigned early_moves;         /* before authentication */
	unsigned moves;               /* since moves_since (ns) */
	uint64_t moves_since;
	struct rate login_rate;       /* of login records */
	struct rate net_log, broker_log;
	char *net_said;               /* MN_CLOSED: why the connection ended */
	int status;                   /* for main() */
};

/* start.c: SM_INIT, then the connection's process. */
int monitor_set_up(struct monitor *m, int fd);
/* register.c: the listener of this connection has ended: finds the next one. May be called again. */
void monitor_register(struct monitor *m);
/* end.c */
void monitor_set_phase(struct monitor *m, unsigned phase);
/* Closes the connection with a code and reason, then ends the monitor; may be called again. */
void monitor_end(struct monitor *m, uint64_t code, const char *reason);
/* The channel to the connection's process or the broker has ended. */
void monitor_net_closed(void *ctx, int err);
void monitor_broker_closed(void *ctx, int err);
void monitor_on_sigchld(void *arg, int signo);
void monitor_tear_down(struct monitor *m);
/* "user U A port P", "invalid user U A port P", "A port P", or what may be said of an address that is not validated. */
const char *monitor_peer(const struct monitor *m, char *dst, size_t n);
/* rolelog.c: a log line of another role in our own log, unless it sends too many; 0 or what makes the message malformed. */
int monitor_role_log(struct rd *body, struct rate *rate, uint64_t now, const char *prefix);
/* netmsg.c */
extern const struct ipc_row monitor_net_rows[];
extern const size_t monitor_net_nrows;
/* login.c: after authentication: account and session stages, broker, the answer to net. */
int monitor_login(struct monitor *m);
/* Does ahead what PAM can do before the user is known; for while the peer is waited for. */
void monitor_load_pam(struct monitor *m);
int monitor_send_text(struct ipc *ipc, int type, const char *text);
/* brokermsg.c */
extern const struct ipc_row monitor_broker_rows[];
extern const size_t monitor_broker_nrows;
/* Writes logout records for the terminals that still have none. */
void monitor_logout_all(struct monitor *m);

#endif
