/* Transport: what everything above sees of QUIC. Engines implement it (quic/user now);
 * what they differ in is a capability, not a name.
 *
 * Nothing here blocks. All callbacks come from the event loop, never from inside a call of
 * the layer above, except where a function says so. After tp_conn_free no callback comes. */
#ifndef QSH_NET_TRANSPORT_H
#define QSH_NET_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/net/addr.h"

struct tp_conn;
struct tp_stream;

/* Application error codes of connection close and stream reset (PROTOCOL.md). */
enum tp_app_code {
	TP_OK = 0,              /* orderly end */
	TP_E_PROTOCOL = 1,      /* malformed, truncated or out-of-phase message */
	TP_E_UNKNOWN = 2,       /* unknown critical message type */
	TP_E_LIMIT = 3,         /* a limit was exceeded */
	TP_E_AUTH = 4,          /* too many authentication failures, or no method left */
	TP_E_TIMEOUT = 5,       /* login grace time, idle time or unused time is over */
	TP_E_DENIED = 6,        /* refused by policy */
	TP_E_ADMIN = 7,         /* ended by the administrator */
	TP_E_INTERNAL = 8,      /* our own failure: no memory, no descriptor */
	TP_E_HOSTKEY = 9,       /* the client does not accept the host key */
	TP_E_CANCELLED = 10,    /* stream: no longer wanted */
	TP_E_BUSY = 11,         /* server full */
};

enum tp_prio { TP_PRIO_CONTROL, TP_PRIO_INTERACTIVE, TP_PRIO_BULK };

/* How what we send is adapted to the path (CongestionControl). */
enum tp_cc { TP_CC_BBR, TP_CC_CUBIC, TP_CC_END };

enum tp_close_by {
	TP_CLOSED_LOCAL,     /* tp_conn_close */
	TP_CLOSED_APP,       /* by the peer, with an application code */
	TP_CLOSED_TRANSPORT, /* by the peer or by us, with a QUIC transport code */
	TP_CLOSED_TLS,       /* handshake alert; code is the TLS alert (120: ALPN) */
	TP_CLOSED_IDLE,      /* silence for longer than permitted */
	TP_CLOSED_RESET,     /* stateless reset: the peer no longer knows this connection */
	TP_CLOSED_VERSION,   /* no common QUIC version */
	TP_CLOSED_SYS,       /* local failure; code is a QERR_* as positive number */
	TP_CLOSED_HANDSHAKE_TIMEOUT,
	TP_CLOSED_REFUSED,   /* server refused before the handshake (CONNECTION_REFUSED) or ICMP */
	TP_CLOSED_CARRIER,   /* the byte stream beneath broke, ended, or leads to something else */
};

struct tp_close {
	enum tp_close_by by;
	bool remote;            /* the peer ended it */
	uint64_t code;
	char reason[256];       /* printable */
};

struct tp_path {
	struct addr local, remote;
};

struct tp_stats {
	uint64_t rtt_ns, rttvar_ns, min_rtt_ns;
	uint64_t cwnd, inflight;          /* bytes */
	uint64_t sent, received;          /* UDP payload bytes */
	uint64_t pkts_sent, pkts_lost, pkts_received;
	uint64_t repeats;                 /* redundant datagrams sent */
	uint64_t repeats_used;            /* bytes that such brought here before their stream did */
	uint64_t age_ns;                  /* since the connection object was made */
	uint64_t last_rx_ns;              /* ev_now clock: last authenticated packet */
	size_t pmtu;                      /* UDP payload bytes */
	unsigned moves;                   /* paths validated after the first */
	uint64_t asked_ns;                /* ev_now clock: since when something waits for an answer and nothing
	                                   * has come; 0: nothing waits */
	struct tp_path path;
	const char *engine;               /* "user" */
	const char *carrier;              /* "UDP", "TCP", "ProxyCommand": what the packets are in */
	const char *cipher;               /* "AES-128-GCM" */
};

/* What a client's path manager does, for people who want to see it. */
enum tp_path_event {
	TP_PATH_PROBE,  /* another path is being validated, the old one goes on */
	TP_PATH_STAY,   /* it did not answer: the old one stays */
	TP_PATH_LOST,   /* the path in use does not answer, or its address is gone */
	TP_PATH_TRY,    /* another one is tried instead */
	TP_PATH_BACK,   /* an answer came on this one */
	TP_PATH_KEPT,   /* it is lost, and may not be left */
};

/* Connection events. Any may be NULL. */
struct tp_conn_ops {
	/* TLS is complete and (client) the peer's key is known. Exporter and keys may be used. */
	void (*handshake_done)(void *arg);
	/* Server: our part of the handshake is written; unidirectional streams may be opened and
	 * written to, and leave with it (0.5 RTT). The peer is not proven yet: no exporter, and
	 * nothing secret to it. Comes before handshake_done. */
	void (*early_data_ok)(void *arg);
	/* The peer opened a stream. The layer must call tp_stream_set_ops before it returns, or
	 * the stream is refused (both directions reset with TP_E_PROTOCOL). */
	void (*stream_opened)(void *arg, struct tp_stream *s);
	/* A datagram with n > 0 bytes, gone when this returns. Empty ones, and those of flow 0, are kept back. */
	void (*datagram)(void *arg, const uint8_t *p, size_t n);
	/* More streams may be opened (after tp_stream_open had said QERR_AGAIN). */
	void (*streams_available)(void *arg);
	/* The peer's path changed and was validated (server), or ours did (client). */
	void (*moved)(void *arg, const struct tp_path *from, const struct tp_path *to);
	/* Client: see enum tp_path_event. */
	void (*path_event)(void *arg, enum tp_path_event ev, const struct tp_path *path);
	/* true: something has been unanswered for 3 s, and nothing came in that time; false: something
	 * has come again. In turns. */
	void (*silent)(void *arg, bool silent);
	/* Last callback of this connection: only tp_conn_free may follow. Streams' closed callbacks
	 * have come before. Comes also after tp_conn_close, once the close has been sent. */
	void (*closed)(void *arg, const struct tp_close *why);
};

/* Stream events. Any may be NULL. */
struct tp_stream_ops {
	/* In-order data, valid during the call. Returns how much was taken (flow-control credit for
	 * it goes back to the peer); the rest is kept by the transport and offered again, with what
	 * follows, after tp_stream_resume. fin: nothing follows what is offered here; it counts as
	 * delivered once everything was taken (n may be 0). May call any function of this header. */
	size_t (*data)(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin);
	/* There is room to write again, after tp_stream_write or tp_stream_reserve gave less than wanted. */
	void (*writable)(void *arg, struct tp_stream *s);
	/* The peer reset its sending side; what was not yet offered is gone. */
	void (*reset)(void *arg, struct tp_stream *s, uint64_t code);
	/* The peer sent STOP_SENDING; our sending side is reset by the transport. */
	void (*stopped)(void *arg, struct tp_stream *s, uint64_t code);
	/* Everything written, and FIN, has been acknowledged. */
	void (*acked)(void *arg, struct tp_stream *s);
	/* Both directions are over, or the connection is: s is invalid after this call. */
	void (*closed)(void *arg, struct tp_stream *s);
};

void tp_conn_set_ops(struct tp_conn *c, const struct tp_conn_ops *ops, void *arg);
/* Starts an orderly close with an application code; reason is cut at 255 bytes. What
 * waits on streams of TP_PRIO_CONTROL is sent first if the path takes it within 200 ms; other data
 * not yet sent is dropped. closed() follows from the loop. A second call does nothing. */
void tp_conn_close(struct tp_conn *c, uint64_t code, const char *reason);
/* Frees at once, sends nothing. Clears the pointer. */
void tp_conn_free(struct tp_conn **c);

/* The peer's raw public key (client side: the host key). QERR_AGAIN before handshake_done. */
int tp_conn_peer_key(const struct tp_conn *c, uint8_t key[32]);
/* TLS exporter (RFC 8446 section 7.5), empty context. QERR_AGAIN before handshake_done. */
int tp_conn_export(struct tp_conn *c, const char *label, uint8_t *out, size_t n);
void tp_conn_stats(const struct tp_conn *c, struct tp_stats *st);
/* Sends a PING after this much silence from us (0: never). */
void tp_conn_set_keepalive(struct tp_conn *c, uint64_t ns);
/* Ends the connection (TP_CLOSED_IDLE) after this much silence from the peer (0: never). */
void tp_conn_set_idle(struct tp_conn *c, uint64_t ns);
/* Raises the peer's connection-level credit to (at least) this window and keeps it there. The
 * server calls it once the user is known; before, the window is the engine's configured small one,
 * and what a client repeats in datagrams is not looked at. */
void tp_conn_set_window(struct tp_conn *c, uint64_t bytes);
/* Lets the peer open up to this many streams at a time of each kind. */
void tp_conn_set_max_streams(struct tp_conn *c, uint64_t bidi, uint64_t uni);
/* Sends an unreliable datagram. It begins with the number of a flow, a varint; 0 is the transport's own,
 * and an empty one names none (QERR_INVAL). QERR_TOOBIG where it exceeds the path, QERR_AGAIN where the
 * queue is full (it is dropped), QERR_UNSUPPORTED. */
int tp_conn_datagram(struct tp_conn *c, const void *p, size_t n);
size_t tp_conn_datagram_max(const struct tp_conn *c);

/* Opens a stream. QERR_AGAIN: the peer permits no further one now (streams_available tells);
 * QERR_CLOSED; QERR_NOMEM. */
int tp_stream_open(struct tp_conn *c, bool uni, const struct tp_stream_ops *ops, void *arg,
    enum tp_prio prio, struct tp_stream **out);
void tp_stream_set_ops(struct tp_stream *s, const struct tp_stream_ops *ops, void *arg);
void tp_stream_set_prio(struct tp_stream *s, enum tp_prio prio);
void *tp_stream_arg(const struct tp_stream *s);
struct tp_conn *tp_stream_conn(const struct tp_stream *s);
uint64_t tp_stream_id(const struct tp_stream *s);
bool tp_stream_is_uni(const struct tp_stream *s);
/* Takes up to n bytes; returns how many (0: none now, writable() tells), or QERR_CLOSED. The
 * bytes leave in the same round of the loop as everything else written in it. */
ssize_t tp_stream_write(struct tp_stream *s, const void *p, size_t n);
/* Direct access to the stream's send buffer: *n is in: wanted, out: contiguous bytes at the
 * returned place (NULL: none now, writable() tells). Valid until the next call for s. */
uint8_t *tp_stream_reserve(struct tp_stream *s, size_t *n);
/* The same with room for about want bytes in at most nv pieces, for readv(2); how many pieces (0: none
 * now). What is committed then fills them in their order; 0 gives back what they lie in. */
size_t tp_stream_reservev(struct tp_stream *s, struct iovec *v, size_t nv, size_t want);
void tp_stream_commit(struct tp_stream *s, size_t n);
/* Room that tp_stream_write would take now. */
size_t tp_stream_room(const struct tp_stream *s);
/* No more will be written: FIN follows the data. */
void tp_stream_fin(struct tp_stream *s);
/* Abandons the sending side (RESET_STREAM); no-op where it is over. */
void tp_stream_reset(struct tp_stream *s, uint64_t code);
/* Asks the peer to stop (STOP_SENDING) and drops what comes. */
void tp_stream_stop(struct tp_stream *s, uint64_t code);
/* Offers kept data again (from the loop, not from inside this call). */
void tp_stream_resume(struct tp_stream *s);

#endif
