/* The connection part of the user-space engine: QUIC and TLS state, streams, schedule. It does no
 * I/O and reads no clock: bytes, addresses and the time come in as arguments, datagrams and wishes
 * go out through struct qconn_host. So it runs the same over sockets and in simulation.
 *
 * Functions that may call the layer above (input, run, writable) return QERR_CLOSED when the
 * connection was freed meanwhile: nothing of it may be touched after that. */
#ifndef QSH_QUIC_USER_CONN_H
#define QSH_QUIC_USER_CONN_H

#include <stdbool.h>

#include "quic/quic.h"

/* Where a connection lives. Each call gets the argument given at creation. */
struct qconn_host {
	/* Datagrams for one path, one behind the other: each seg bytes long, the last maybe
	 * shorter. Returns how many of the n bytes are gone, whole datagrams (whether they arrive
	 * nobody knows: failures are losses). Fewer than n: the carrier is full, the rest is kept
	 * until qconn_writable. */
	size_t (*send)(void *arg, const struct tp_path *path, unsigned ecn, const uint8_t *p,
	    size_t n, size_t seg);
	/* How many bytes of datagrams it takes now, each as large as it likes; what send leaves over all the same is
	 * lost. 0: it is full, no datagram is made until qconn_writable. NULL: send says. */
	size_t (*room)(void *arg);
	/* There is something to do: qconn_run, soon but not from inside this call. */
	void (*wake)(void *arg);
	/* The clock, for statistics only. */
	uint64_t (*now)(void *arg);
	/* Server: the pool of connection IDs runs low (may be NULL). */
	void (*need_cids)(void *arg, unsigned count);
	/* Server: a new path is in use (may be NULL). */
	void (*path_validated)(void *arg, const struct tp_path *path);
	/* It has been quiet for a while: memory for much traffic is not needed (may be NULL). */
	void (*rest)(void *arg);
	/* Client: a token for the first packet into dst, its length; one for the next connection has come
	 * (both may be NULL). */
	size_t (*token)(void *arg, uint8_t dst[QUIC_ADDR_TOKEN_MAX]);
	void (*new_token)(void *arg, const uint8_t *p, size_t n);
	/* What the connection is recorded in (may be NULL, as may be what it returns); the host's, lives
	 * until release. */
	struct quic_trace *(*trace)(void *arg);
	/* Client: how a move ended that qconn_move began: validated, or not answered in time (may be NULL). */
	void (*path_result)(void *arg, bool validated);
	/* Client: the addresses behind a name that qconn_move was given (may be NULL: the names are
	 * addresses). */
	void (*real_path)(void *arg, const struct tp_path *name, struct tp_path *real);
	/* The connection object is gone. */
	void (*release)(void *arg);
	/* What carries the datagrams, in words for people; NULL: UDP. */
	const char *carrier;
	/* Bytes of every packet of a carrier that loses nothing and paces by itself: there is no path to
	 * measure, nor another one to go to. 0: as for UDP. */
	size_t packet;
};

/* Path's addresses must be complete. QERR_NOMEM, QERR_CRYPTO. */
int qconn_client_new(struct tp_conn **out, const struct quic_limits *limits,
    const struct tp_path *path, uint64_t now, const struct qconn_host *host, void *host_arg);
/* Names the server in the first packet, which has not been written yet. QERR_CRYPTO. */
int qconn_set_sni(struct tp_conn *c, const char *name);
int qconn_server_new(struct tp_conn **out, const struct quic_server_cfg *cfg,
    int (*sign)(void *arg, const uint8_t *data, size_t n, uint8_t sig[64]), void *sign_arg,
    uint64_t now, const struct qconn_host *host, void *host_arg);
void *qconn_host_arg(const struct tp_conn *c);
void qconn_add_cids(struct tp_conn *c, const struct quic_cid *cids, size_t n);
void qconn_ask_cids(struct tp_conn *c);
void qconn_send_token(struct tp_conn *c, const uint8_t *p, size_t n);

/* Is this its host? */
bool qconn_lives_in(const struct tp_conn *c, const struct qconn_host *host);
/* Enter and leave code that may call the layer above: between the two the object stays, though it may
 * be of no use any more. leave returns QERR_CLOSED where that was its end. */
void qconn_enter(struct tp_conn *c, uint64_t now);
int qconn_leave(struct tp_conn *c);

/* A datagram came. Follow a batch of these with one qconn_run. 0 or QERR_CLOSED. */
int qconn_input(struct tp_conn *c, const struct tp_path *path, unsigned ecn, const uint8_t *p,
    size_t n, uint64_t now);
/* Does what is due: timers, held data, events, packets. 0 or QERR_CLOSED. */
int qconn_run(struct tp_conn *c, uint64_t now);
/* The carrier takes datagrams again. 0 or QERR_CLOSED. */
int qconn_writable(struct tp_conn *c, uint64_t now);
/* The carrier is another one now: what the old one did not take is lost with it. From outside its calls. */
void qconn_carrier_changed(struct tp_conn *c);
/* When qconn_run is due next; UINT64_MAX: never. */
uint64_t qconn_expiry(const struct tp_conn *c);
/* The interface that leads to the peer takes UDP payloads of n bytes (0: not known): paths are probed up to that. */
void qconn_set_mtu(struct tp_conn *c, size_t n);
/* Nobody listens at the peer's address (ICMP). Counts only as long as nothing has come from there. */
void qconn_refused(struct tp_conn *c);
/* The carrier is over, and with it the connection: text says why, for people. */
void qconn_carrier_lost(struct tp_conn *c, enum tp_close_by by, bool remote, const char *text);
/* What is sent now is the last. */
bool qconn_is_closing(const struct tp_conn *c);
/* Something happened to the network (a resume, a new address): what waits for a backed-off timer
 * is sent now. */
void qconn_network_event(struct tp_conn *c);
/* Client: changes to another path with a connection ID of its own (RFC 9000 section 9.5). name stands for
 * it from now on, in input and output: names differ from one another in their local address, and what
 * sockets are behind one is the host's affair. probe: the path is validated first, and used once it has
 * answered. Otherwise it is used at once and validated meanwhile; a packet that the server follows leaves
 * from inside this call. QERR_AGAIN: the handshake is not confirmed yet, or no connection ID is left;
 * QERR_DENIED: the server does not permit it; QERR_CLOSED. */
int qconn_move(struct tp_conn *c, const struct tp_path *name, bool probe, uint64_t now);
/* Sends something now that will be answered, also where the congestion window is full or the timer for it
 * is backed off. QERR_AGAIN: that was done so often without an answer that only a move helps. QERR_CLOSED. */
int qconn_probe(struct tp_conn *c, uint64_t now);
/* The carrier that took no more is gone: what waits for it is lost, and repeated in time. */
void qconn_drop_held(struct tp_conn *c);
/* While a path is sought, ngtcp2's timers stand still: each that expires without an answer doubles the next,
 * and qconn_probe, which has to go over them, can do so only some thirty times. */
void qconn_mute(struct tp_conn *c, bool muted);
/* Since when something waits for an answer and nothing has come; 0: nothing waits. */
uint64_t qconn_asked(const struct tp_conn *c);
/* Packets so far that showed that the peer is there. */
unsigned qconn_heard(const struct tp_conn *c);
/* Probe timeout, not backed off; ns. */
uint64_t qconn_pto(const struct tp_conn *c);
/* The mean of round trips is more than it can be where all were measured within that time. */
bool qconn_rtt_false(const struct tp_conn *c, uint64_t within);
/* The path that is sent on, validated or not, by its name. */
void qconn_name(const struct tp_conn *c, struct tp_path *name);
/* Tells the layer above about a path. */
void qconn_path_event(struct tp_conn *c, enum tp_path_event ev, const struct tp_path *path);
/* Is the datagram for this connection, by its destination connection ID? */
bool qconn_owns(const struct tp_conn *c, const uint8_t *p, size_t n);
/* The path in use. */
void qconn_path(const struct tp_conn *c, struct tp_path *path);
/* Both ends know that the handshake is over: from now on the path may change. */
bool qconn_is_confirmed(const struct tp_conn *c);
/* closed() has been called, or will not be called any more. */
bool qconn_is_over(const struct tp_conn *c);

#endif
