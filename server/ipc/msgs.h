/* Messages between the roles of qshd. The first letters of a name are the two roles: S supervisor,
 * L listener, M monitor, N net, B broker; the comment says who sends it and the descriptors that come with it.
 *
 * put appends a body; get reads a whole one (0 or QERR_*); strings and arrays of a decoded message are
 * the caller's: free with smsg_free_X, which wipes what is secret. struct bytes members point into the body. */
#ifndef QSH_SERVER_IPC_MSGS_H
#define QSH_SERVER_IPC_MSGS_H

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/net/transport.h"
#include "quic/quic.h"

enum smsg_type {
	/* supervisor - listener */
	SL_INIT = 1,      /* S>L once: struct smsg_linit */
	SL_SOCKET,        /* S>L 1 fd (unconnected UDP socket): struct smsg_addr */
	SL_DROP_SOCKET,   /* S>L struct smsg_addr */
	SL_LIMITS,        /* S>L struct smsg_limits, after SIGHUP */
	SL_GO,            /* S>L once, empty: enter the sandbox and read */
	SL_READY,         /* L>S once, empty: sandboxed, reading */
	SL_ADMIT,         /* L>S 1 fd (net's end of the LN channel): struct smsg_admit */
	SL_SLOT_AUTHED,   /* S>L struct smsg_slot */
	SL_SLOT_GONE,     /* S>L struct smsg_slot: its monitor has ended */
	SL_LOG,           /* L>S struct smsg_log */
	SL_EXPIRED,       /* L>S struct smsg_slot: its address was not validated in time: end it */
	SL_RESET_KEY,     /* S>L struct smsg_reset_key: the host key is another one, and so is this */
	SL_ADOPT,         /* S>L 1 fd (listener's end of a LN channel): struct smsg_adopt: of a former listener */
	SL_TCP_SOCKET,    /* S>L 1 fd (listening TCP socket): struct smsg_addr */
	SL_DROP_TCP_SOCKET, /* S>L struct smsg_addr */
	SL_ADMIT_TCP,     /* L>S 1 fd (accepted, unread): struct smsg_slot */
	/* supervisor - monitor */
	SM_INIT = 20,     /* S>M once, 1 fd (net's end of the LN channel): struct smsg_minit */
	SM_AUTHED,        /* M>S once, empty */
	SM_INIT_STREAM,   /* S>M in place of SM_INIT, 2 fds (a byte stream: to read from, to write to): struct smsg_minit */
	/* the same over the named socket (regsock.h), when the listener has ended or was restarted */
	SM_REGISTER,      /* M>S once: struct smsg_register */
	SM_LISTENER,      /* S>M once, 1 fd (net's end of a new LN channel), empty */
	SM_REFUSED,       /* S>M once: struct smsg_text: it cannot be taken over, and why */
	/* monitor - net */
	MN_INIT = 40,     /* M>N once, 1 fd (LN channel): struct smsg_ninit */
	MN_SOCKET,        /* M>N 1 fd (connected UDP socket): struct smsg_path */
	MN_GO,            /* M>N once, empty: enter the sandbox and read */
	MN_SIGN,          /* N>M once: struct smsg_blob */
	MN_SIGNED,        /* M>N once: struct smsg_blob (64 bytes; empty: refused) */
	MN_AUTH,          /* N>M struct smsg_auth */
	MN_AUTH_RESULT,   /* M>N struct smsg_auth_result */
	MN_BANNER,        /* M>N struct smsg_text */
	MN_BROKER,        /* M>N once, 1 fd (net's end of the NB channel): struct smsg_session; comes before the AUTH_RESULT that says ok */
	MN_VALIDATED,     /* N>M once, empty: the handshake is complete, the peer's address is real */
	MN_PATH,          /* N>M struct smsg_path: a new path was validated: MN_SOCKET or MN_END answers */
	MN_LOG,           /* N>M struct smsg_log */
	MN_CLOSED,        /* N>M once: struct smsg_text: why the connection ended, for the log */
	MN_END,           /* M>N struct smsg_end: close the connection */
	MN_LISTENER_GONE, /* N>M empty: the LN channel has ended */
	MN_LISTENER,      /* M>N 1 fd (net's end of a new LN channel), empty */
	MN_KEY_LOG,       /* M>N once, 1 fd (KeyLogFile), empty */
	MN_QLOG,          /* M>N once, 1 fd (a file in QLogDirectory), empty */
	MN_INIT_STREAM,   /* M>N in place of MN_INIT, 2 fds (as SM_INIT_STREAM): struct smsg_ninit */
	/* listener - net */
	LN_DGRAM = 60,    /* L>N struct smsg_dgram */
	LN_SEND,          /* N>L struct smsg_dgram: send it from the socket of dgram.path.local */
	LN_FOREIGN,       /* N>L struct smsg_dgram: not ours */
	LN_NEED_CIDS,     /* N>L struct smsg_count */
	LN_CIDS,          /* L>N struct smsg_cids */
	LN_VALIDATED,     /* N>L once, empty */
	LN_TOKEN,         /* L>N struct smsg_blob: for the client's next connection */
	/* monitor - broker */
	MB_INIT = 80,     /* M>B once, 1 fd (broker's end of the NB channel): struct smsg_binit */
	MB_PTY_LOGIN,     /* B>M struct smsg_pty */
	MB_PTY_LOGIN_OK,  /* M>B struct smsg_text: the "Last login" line, or empty */
	MB_PTY_LOGOUT,    /* B>M struct smsg_pty */
	MB_PATH,          /* M>B struct smsg_path: the connection moved (for new sessions' environment) */
	MB_LOG,           /* B>M struct smsg_log */
	/* net - broker */
	NB_START = 100,   /* N>B struct smsg_start */
	NB_STARTED_PTY,   /* B>N 1 fd (pty master): struct smsg_chan */
	NB_STARTED_PIPES, /* B>N 3 fds (child's stdin, stdout, stderr: our ends): struct smsg_chan */
	NB_FAILED,        /* B>N struct smsg_failed */
	NB_WINDOW,        /* N>B struct smsg_window */
	NB_SIGNAL,        /* N>B struct smsg_signal */
	NB_BREAK,         /* N>B struct smsg_chan */
	NB_CLOSE,         /* N>B struct smsg_chan: the channel is over: hang up what is left */
	NB_EXIT,          /* B>N struct smsg_exit */
};

struct smsg_addr { struct addr addr; };
struct smsg_path { struct tp_path path; };
struct smsg_slot { uint32_t slot; };
struct smsg_count { uint32_t count; };
struct smsg_reset_key { uint8_t key[32]; };
struct smsg_blob { struct bytes data; };
struct smsg_text { char *text; };
struct smsg_log { uint8_t level; char *text; };
struct smsg_end { uint64_t code; char *reason; };
struct smsg_limits {
	uint32_t startups_begin, startups_rate, startups_full;
	uint32_t unvalidated_max;       /* handshakes without a validated address, 10 */
	uint64_t unvalidated_ns;        /* and for how long, 3 s */
	uint8_t log_level;
};
struct smsg_linit {
	uint8_t route_key[16];          /* QUIC-LB: server ID and nonce */
	uint8_t slot_key[16];           /* slot within the nonce */
	uint8_t token_key[32];          /* Retry and NEW_TOKEN */
	uint8_t reset_key[32];          /* stateless reset */
	uint8_t server_id[4];
	char *chroot_dir;               /* "" none (user mode) */
	uint32_t uid, gid;              /* to change to; 0: stay */
	uint64_t orphan_ns;             /* so long, slots that nobody has may still be registered */
	struct smsg_limits limits;
};
struct smsg_dgram {
	struct tp_path path;
	uint8_t ecn;
	struct bytes data;
};
#define SMSG_CIDS_MAX 64
struct smsg_cids { struct quic_cid *v; size_t n; }; /* at most SMSG_CIDS_MAX; in smsg_admit at least one */
struct smsg_admit {
	uint32_t slot;
	struct tp_path path;
	struct quic_cid odcid, retry_scid, client_scid; /* reset tokens unused */
	uint32_t version;
	uint8_t validated;
	uint8_t steered;                /* 1: another connection has this 4-tuple, or too many sockets: no connected socket */
	struct smsg_cids cids;          /* cids.v[0] is the one to use as source connection ID */
};
/* Of the messages that a monitor and its net exchange with a listener and supervisor that may be of
 * another build: raise it when SM_REGISTER, SM_LISTENER or an LN message changes. */
#define SMSG_LN_VERSION 1
struct smsg_register {
	uint32_t version;               /* SMSG_LN_VERSION */
	uint32_t slot;
	struct tp_path path;            /* in use */
	uint8_t authed;
	uint8_t steered;                /* 1: no connected socket */
};
struct smsg_adopt {
	uint32_t slot;
	struct tp_path path;
	uint8_t authed, steered;
};
struct smsg_minit {
	struct smsg_admit admit;
	struct bytes host_sk;           /* 64 bytes: seed and public key */
	struct bytes config;            /* sconf_src_put */
	uint8_t user_mode;
	uint8_t log_stderr, log_level;  /* where the monitor logs, besides the configuration */
	char *log_file;                 /* "" none */
	char *account;                  /* unprivileged account */
	char *run_dir;                  /* where the named socket is; "" none */
	uint8_t debug;
};
struct smsg_ninit {
	struct smsg_admit admit;
	uint8_t host_pk[32];
	uint64_t grace_ns;
	uint8_t log_level;
	uint32_t max_auth_tries;
	char *chroot_dir;               /* "" none (user mode) */
	uint32_t uid, gid;              /* to change to; 0: stay */
	uint8_t cc;                     /* enum tp_cc */
	uint64_t buffer;                /* ConnectionBuffer, bytes: here and not in smsg_session, as the windows of streams are
	                                 * said in the handshake */
};
struct smsg_auth {
	char *user, *service, *method;
	uint8_t exporter[32];
	struct bytes key;
	uint8_t has_sig;
	struct bytes sig;
};
enum smsg_auth_code { SMSG_AUTH_OK, SMSG_AUTH_FAIL, SMSG_AUTH_PARTIAL, SMSG_AUTH_PK_OK, SMSG_AUTH_END /* too many tries: close with TP_E_AUTH */ };
struct smsg_auth_result { uint8_t code; char *methods; };
struct smsg_session {                   /* what net has to know of the authenticated user */
	uint32_t max_sessions;
	uint64_t alive_interval_ns; uint32_t alive_count;
	uint64_t connection_timeout_ns;
	uint64_t unused_ns;             /* UnusedConnectionTimeout; 0: none */
	struct strlist channel_timeouts; /* ChannelTimeout: "type=interval" */
	char *user;
};
struct smsg_pty { char *tty; };
struct smsg_binit {
	char *user, *home, *shell;
	uint32_t uid;
	struct tp_path path;
	struct strlist env;             /* "NAME=value": login environment so far (PAM, authorized_keys) */
	struct strlist accept_env, set_env, subsystems;
	char *force_command;            /* "" none; of the configuration or the key line */
	uint8_t permit_tty, permit_user_rc, print_motd, print_lastlog, user_mode, use_pam_motd, strict_modes;
	uint32_t max_sessions;
	char *auth_info;                /* "publickey ssh-ed25519 AAAA..." for SSH_USER_AUTH, "" none */
	uint8_t log_level;
};
struct smsg_start {
	uint64_t chan;
	uint8_t kind;                   /* enum wire_start_kind */
	char *command;
	uint8_t has_pty;
	char *term;
	uint32_t cols, rows, xpixel, ypixel;
	struct bytes modes;
	struct strlist env;             /* "NAME=value" as the client sent them */
};
struct smsg_chan { uint64_t chan; };
struct smsg_failed { uint64_t chan; char *reason; };
struct smsg_window { uint64_t chan; uint32_t cols, rows, xpixel, ypixel; };
struct smsg_signal { uint64_t chan; char *name; };
struct smsg_exit { uint64_t chan; uint32_t status; char *signal; uint8_t core; }; /* signal "" : status counts */

#define SMSG_PAIR(name) \
	int smsg_put_##name(struct buf *b, const struct smsg_##name *m); \
	int smsg_get_##name(struct rd *r, struct smsg_##name *m); \
	void smsg_free_##name(struct smsg_##name *m);
SMSG_PAIR(addr)
SMSG_PAIR(path)
SMSG_PAIR(slot)
SMSG_PAIR(count)
SMSG_PAIR(reset_key)
SMSG_PAIR(blob)
SMSG_PAIR(text)
SMSG_PAIR(log)
SMSG_PAIR(end)
SMSG_PAIR(limits)
SMSG_PAIR(linit)
SMSG_PAIR(dgram)
SMSG_PAIR(cids)
SMSG_PAIR(admit)
SMSG_PAIR(register)
SMSG_PAIR(adopt)
SMSG_PAIR(minit)
SMSG_PAIR(ninit)
SMSG_PAIR(auth)
SMSG_PAIR(auth_result)
SMSG_PAIR(session)
SMSG_PAIR(pty)
SMSG_PAIR(binit)
SMSG_PAIR(start)
SMSG_PAIR(chan)
SMSG_PAIR(failed)
SMSG_PAIR(window)
SMSG_PAIR(signal)
SMSG_PAIR(exit)

#endif
