/* One connection, as qshd-net sees it. Private to this folder. */
#ifndef QSH_SERVER_NET_NET_H
#define QSH_SERVER_NET_NET_H

#include "common/base/clock.h"
#include "common/chan/msgstream.h"
#include "common/ev/ev.h"
#include "common/ipc/ipc.h"
#include "common/net/transport.h"
#include "server/ipc/msgs.h"
#include "server/net/chanids.h"

#define NET_IDLE_NS     (120 * NS_PER_S)   /* silence that ends a connection without a terminal */
#define NET_UNUSED_NS   (10 * NS_PER_S)    /* with no channel left */
#define NET_SIGN_NS     (10 * NS_PER_S)    /* the monitor's answer to MN_SIGN */
#define NET_LAST_NS     (5 * NS_PER_S)     /* for the monitor to read what is queued */
#define NET_RETRY_NS    (5 * NS_PER_MS)
#define NET_STREAMS_MIN 64                 /* of each kind that the client may have open, */
#define NET_STREAMS_MAX 1000               /* whatever MaxSessions says */

struct session;
struct instream;

/* What the monitor says before the sandbox is entered. */
struct net_setup {
	struct smsg_ninit init;
	bool have_init, go;
	int listener_fd, socket_fd; /* -1: none */
	int keys_fd, qlog_fd;       /* records (quic/trace.h) */
	int stream[2];              /* a byte stream in place of both, to read from and to write to */
	bool is_stream;
};

struct control {
	struct msgstream *ms;   /* NULL: not opened yet */
	struct buf key;         /* public key of the request that the monitor has */
	bool asked;             /* the monitor has a request */
	char *banner;           /* waits for the stream */
};

struct net {
	struct ev *ev;
	struct ipc *monitor, *listener, *broker; /* NULL: not there, or ended */
	struct tp_conn *conn;
	struct quic_accept *accept;  /* a byte stream on which nothing has come yet: no conn then */
	struct net_setup setup;
	struct ev_timer *grace, *unused, *last; /* last: MN_CLOSED is tried again */
	struct ev_timer *channels;   /* idle_check */
	uint64_t unused_ns;          /* NET_UNUSED_NS; tests have less time */
	struct control control;
	struct smsg_session limits;  /* valid once the broker is there */
	struct session *sessions;    /* all whose stream lives */
	size_t open_sessions;        /* those that are not over */
	struct instream *instreams;  /* unidirectional streams that no pump has yet */
	struct chanids seen;
	bool may_send;               /* our part of the handshake is written */
	bool handshake_done;
	bool settings_sent;
	bool authed;
	bool over;                   /* the connection object may only be freed */
	struct tp_close why;         /* once over */
	uint64_t last_try;           /* until when MN_CLOSED is tried */
	bool failed;                 /* no orderly start or end: the exit status says so */
};

/* ---- conn.c: the connection's events */
/* QERR_NOMEM. The loop is the caller's. */
int net_new(struct net **out, struct ev *ev);
void net_free(struct net **net);
extern const struct tp_conn_ops net_conn_ops; /* argument: struct net */
/* Starts the clocks; net->monitor and, but on a byte stream, net->conn are there. */
void net_start(struct net *net);
/* net->conn has come about on the byte stream. */
void net_connected(struct net *net);
/* It has not, and will not. */
void net_failed(struct net *net, const char *why);
/* Closes the connection; the reason goes to the client and, by MN_CLOSED, to the log. */
void net_close(struct net *net, uint64_t code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The user is known: everything that waited goes on. */
void net_authenticated(struct net *net);
/* A session has begun or is over, or has got a terminal: sets the clocks that depend on it. */
void net_sessions_changed(struct net *net);

/* ---- control.c: the control stream */
void control_opened(struct net *net, struct tp_stream *s);
void control_handshake_done(struct net *net);
void control_auth_result(struct net *net, const struct smsg_auth_result *m);
void control_banner(struct net *net, const char *text);
void control_free(struct net *net);

/* ---- idle.c: ChannelTimeout */
/* Ends what is idle for too long, and arms net->channels for the next one. */
void idle_check(struct net *net);

/* ---- session.c, session_msg.c, session_io.c: see session.h */

/* ---- instream.c: unidirectional streams of the client */
void instream_opened(struct net *net, struct tp_stream *s);
/* The user is known: headers are read. */
void instreams_resume(struct net *net);
/* A channel's stream has been opened: what was held for it goes on. */
void instreams_claim(struct net *net, uint64_t chan);
/* The session that claimed it can take it now: session_input_start follows from the loop. */
void instream_ready(struct instream *is);
/* STOP_SENDING; frees it. */
void instream_refuse(struct instream **is);
void instreams_free(struct net *net);

/* ---- monlink.c: the channel to the monitor */
int monlink_open(struct net *net, int fd);
/* Waits until the monitor has said all that is needed before the sandbox. */
int monlink_setup(struct net *net);
int monlink_sign(struct net *net, const uint8_t *data, size_t n, uint8_t sig[64]);
int monlink_auth(struct net *net, const struct smsg_auth *m);
void monlink_validated(struct net *net);
void monlink_path(struct net *net, const struct tp_path *path);
/* QERR_AGAIN: not yet, the monitor has not read what came before. */
int monlink_closed(struct net *net, const char *text);
void monlink_listener_gone(struct net *net);

/* ---- lstlink.c: the channel to the listener */
int lstlink_open(struct net *net, int fd);
/* In the place of one that has ended. 0, or QERR_*. */
int lstlink_replace(struct net *net, int fd);
void lstlink_validated(struct net *net);
void lstlink_need_cids(struct net *net, unsigned count);
/* LN_SEND or LN_FOREIGN; best effort. */
void lstlink_dgram(struct net *net, uint16_t type, const struct tp_path *path, unsigned ecn,
    const uint8_t *p, size_t n);

/* ---- brklink.c: the channel to the broker */
int brklink_open(struct net *net, int fd);
/* Each returns what ipc_send does, or QERR_CLOSED where the broker is gone. */
int brklink_start(struct net *net, const struct smsg_start *m);
int brklink_window(struct net *net, const struct smsg_window *m);
int brklink_signal(struct net *net, const struct smsg_signal *m);
int brklink_chan(struct net *net, uint16_t type, uint64_t chan); /* NB_BREAK, NB_CLOSE */

/* ---- quichost.c: what the transport's server side needs from outside */
/* Makes net->conn from what the monitor said. Takes the socket over. */
int quichost_start(struct net *net);

#endif
