/* The transport library's front: makes connections that common/net/transport.h describes. */
#ifndef QSH_QUIC_QUIC_H
#define QSH_QUIC_QUIC_H

#include "common/ev/ev.h"
#include "common/net/transport.h"

#define QUIC_ALPN "qsh/1" /* mandatory on both sides */
#define QUIC_CID_MAX 20
#define QUIC_TOKEN_LEN 16
#define QUIC_CID_LEN 17 /* of the connection IDs that our servers mint */

struct quic_cid {
	uint8_t len;
	uint8_t id[QUIC_CID_MAX];
	uint8_t reset[QUIC_TOKEN_LEN]; /* stateless reset token */
};

struct quic_limits {
	uint64_t conn_window;      /* bytes the peer may send before tp_conn_set_window; 64 KiB on a server */
	uint64_t stream_window;    /* of each bidirectional stream, for life */
	uint64_t uni_window;       /* of each unidirectional stream, for life */
	uint64_t max_bidi, max_uni;/* streams the peer may open at first */
	size_t send_buffer;        /* per stream, bytes */
	size_t send_total;         /* all streams of the connection together, but for those of TP_PRIO_CONTROL, bytes */
	uint64_t handshake_timeout;/* ns */
	enum tp_cc cc;             /* congestion control of what we send */
};
void quic_limits_client(struct quic_limits *l);
void quic_limits_server(struct quic_limits *l);
/* Has a connection hold so many bytes at most in each direction, and a stream a quarter of that. conn_window
 * stays: whoever knows the peer sets it, or calls tp_conn_set_window. */
void quic_limits_buffer(struct quic_limits *l, uint64_t bytes);

#define QUIC_ADDR_TOKEN_MAX 512 /* bytes; longer ones are not kept */
/* Tokens by which a server knows an address again, and needs no round trip to prove it (RFC 9000 section
 * 8.1.3). Who keeps them shows each once, and to the server that it is of, from the same address. */
struct quic_tokens {
	/* One for this path into dst; its length, 0: there is none. */
	size_t (*take)(void *arg, const struct tp_path *path, uint8_t dst[QUIC_ADDR_TOKEN_MAX]);
	/* The server on this path gave one for the next connection. */
	void (*keep)(void *arg, const struct tp_path *path, const uint8_t *p, size_t n);
};

struct quic_client_cfg {
	struct addr remote;
	struct addr bind;             /* len 0: any */
	const char *bind_device;      /* NULL: any */
	const char *sni;              /* name shown to the wire in the first packet (RFC 6066); NULL: none */
	const struct quic_tokens *tokens; /* NULL: none are kept; else it and its argument outlive the connection */
	void *tokens_arg;
	bool stay;                    /* never leave the path that it begins on */
	struct quic_limits limits;
	struct quic_trace *trace;     /* what it is recorded in (quic/trace.h), taken over also on failure; NULL: nothing */
};
/* Opens a UDP socket and starts a handshake from the loop. The host key is not judged here: the
 * layer above does so in handshake_done. QERR_SYS, QERR_NOMEM, QERR_CRYPTO. */
int quic_client_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    const struct tp_conn_ops *ops, void *arg);

/* Has c sockets of its own, which may change? Not over a byte stream. */
bool quic_client_moves(const struct tp_conn *c);
/* Where else the server is to be found, best first; it goes there when the address in use does not answer.
 * Nothing where c has no sockets of its own. */
void quic_client_set_remotes(struct tp_conn *c, const struct addr *v, size_t n);
/* Routes or addresses of this machine have changed; resumed: it was asleep. The path is judged anew from
 * the loop. Nothing where c has no sockets of its own. */
void quic_client_network_event(struct tp_conn *c, bool resumed);

/* What the server side needs from outside; all calls are made from the connection's calls and callbacks. */
struct quic_server_host {
	/* Signs n bytes (TLS 1.3 CertificateVerify input) with the host key; blocking. 0 or a QERR_*. */
	int (*sign)(void *arg, const uint8_t *data, size_t n, uint8_t sig[64]);
	/* The pool of connection IDs runs low: give more with quic_server_add_cids, when it can. */
	void (*need_cids)(void *arg, unsigned count);
	/* Sends a datagram that does not go to the connected socket's peer (path probes, steered paths);
	 * best effort. */
	void (*send_steered)(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n);
	/* A datagram came whose connection ID is not this connection's. */
	void (*foreign)(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p, size_t n);
	/* A new path was validated and is in use: check policy, and get a socket for it
	 * (quic_server_set_socket), or close the connection. */
	void (*path_validated)(void *arg, const struct tp_path *path);
	void *arg;
};

struct quic_server_cfg {
	struct tp_path path;          /* of the first datagram */
	struct quic_cid odcid;        /* the client's original destination connection ID */
	struct quic_cid retry_scid;   /* len 0: no Retry was sent */
	struct quic_cid scid;         /* ours, minted */
	struct quic_cid client_scid;  /* the client's source connection ID */
	uint32_t version;
	bool validated;               /* the address was validated by a token */
	uint8_t host_key[32];         /* Ed25519 public key */
	int fd;                       /* connected UDP socket, taken over (also on failure); -1: all
	                               * goes by send_steered */
	struct quic_limits limits;
	struct quic_trace *trace;     /* as a client's */
};
/* QERR_NOMEM, QERR_CRYPTO, QERR_SYS. Feed the first flight with quic_server_input. */
int quic_server_new(struct tp_conn **out, struct ev *ev, const struct quic_server_cfg *cfg,
    const struct quic_server_host *host, const struct tp_conn_ops *ops, void *arg);
void quic_server_add_cids(struct tp_conn *c, const struct quic_cid *cids, size_t n);
/* Who mints them is another one now: what need_cids asked for will not come, ask again. */
void quic_server_ask_cids(struct tp_conn *c);
/* A token for the client's next connection from where it is now. Best effort. */
void quic_server_send_token(struct tp_conn *c, const uint8_t *p, size_t n);
/* A steered datagram (by the listener). Streams' and handshake events come from inside this call;
 * what they write leaves from the loop. */
void quic_server_input(struct tp_conn *c, const struct tp_path *path, unsigned ecn,
    const uint8_t *p, size_t n);
/* A connected socket for the path now in use; taken over; replaces the former one. */
void quic_server_set_socket(struct tp_conn *c, int fd, const struct tp_path *path);

/* ---- over a byte stream: PROTOCOL.md section 10. Such a connection ends with its stream, and never moves. */

#define QUIC_STREAM_NAME "QSHF/1" /* how both sides begin */

enum quic_carrier_kind { QUIC_CARRIER_TCP, QUIC_CARRIER_COMMAND, QUIC_CARRIER_STDIO };
struct quic_carrier {
	enum quic_carrier_kind kind;
	int in, out;           /* read from, written to; the same for a socket */
	bool connecting;       /* a socket that is on its way */
	struct tp_path path;   /* len 0: whoever is there has no address */
};
/* As quic_client_new, over TCP to cfg->remote. closed() tells what went wrong on the way there too. */
int quic_client_tcp_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    const struct tp_conn_ops *ops, void *arg);
/* The same over descriptors that are there, which are taken over, also on failure. Of cfg the addresses are not used. */
int quic_client_stream_new(struct tp_conn **out, struct ev *ev, const struct quic_client_cfg *cfg,
    struct quic_carrier *via, const struct tp_conn_ops *ops, void *arg);

struct quic_accept;
/* The first datagram has come: c is the connection, and its events follow from the loop. Or c is NULL, and why says what came
 * instead. quic_accept_free is due, and may be called from inside. */
typedef void quic_accept_fn(void *arg, struct tp_conn *c, const char *why);
/* A server's end. Takes via's descriptors over, also on failure. Of cfg the path, scid, limits and host key are
 * used; ops and arg are the connection's, arg is done's too. QERR_NOMEM, QERR_SYS. */
int quic_accept_new(struct quic_accept **out, struct ev *ev, const struct quic_server_cfg *cfg,
    struct quic_carrier *via, const struct quic_server_host *host, const struct tp_conn_ops *ops,
    quic_accept_fn *done, void *arg);
void quic_accept_free(struct quic_accept **a);

/* TLS, randomness and the implementation of packet protection are set up before a sandbox closes (GnuTLS
 * opens its files then). 0 or QERR_CRYPTO. */
int quic_init(void);
/* The same in two parts, for a client that wants its first packet to leave soon: the rest is for while it awaits the
 * answer, and is done with the answer at the latest. */
int quic_init_first(void);
void quic_init_rest(void);

#endif
