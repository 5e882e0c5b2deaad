/* The inside of a connection, shared by the files of the connection part. */
#ifndef QSH_QUIC_USER_CONN_INT_H
#define QSH_QUIC_USER_CONN_INT_H

#include <stdbool.h>

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/tls.h"
#include "quic/user/chunk.h"
#include "quic/user/conn.h"
#include "quic/user/redun.h"
#include "quic/user/sendbuf.h"

#define QPRIO_N 3
#define QNAMES 8          /* addresses of a client's that are known at a time */
#define QCID_POOL 64      /* connection IDs waiting to be used */
#define QCID_OURS 16      /* connection IDs in use: 8, and those retired a moment ago */
#define QCID_LOW 12       /* ask for more below this */
#define QDGRAM_SLOTS 32
#define QREDUN_RECS 64   /* redundant datagrams on their way that an acknowledgement finds again */
#define QREDUN_PIECES 8
#define QTX_BUF 65536     /* one batch */
#define QTX_SEGS 64       /* the kernel's limit of segments in one UDP_SEGMENT call */
#define QTX_BATCH 65487   /* bytes of one UDP_SEGMENT call: what fits an IPv6 packet, and an IPv4 one */
#define QTX_MAX 65507     /* UDP payload, on the widest path */
#define QTX_PLAIN 1452    /* the same where nothing is known of the interface: Ethernet's with IPv6 */

struct tp_stream {
	struct tp_conn *conn;
	struct tp_stream *next, **link;   /* all streams of the connection */
	struct tp_stream *qnext, *qprev;  /* ring of those with something to send, by class */
	int64_t id;
	const struct tp_stream_ops *ops;
	void *arg;
	enum tp_prio prio;

	struct sendbuf tx;
	uint64_t counted;   /* bytes of it that are in conn->tx_held */
	bool can_write;     /* the sending side exists and is not over */
	bool queued;
	bool blocked;       /* by the peer's credit for this stream */
	bool fin, fin_sent, fin_alone, fin_acked, acked_told;
	bool want_room;     /* writable() is owed */
	bool write_reset;   /* we reset it */
	bool stop_seen;     /* the peer stopped it, found while sending */
	struct redun_tx out;
	struct tp_stream *rnext, **rlink; /* those with something to repeat */
	bool redun_due;     /* to be repeated as soon as window and pacer let it */

	struct chunkq rx;   /* offered and not taken */
	struct redun_rx in;
	uint64_t rx_limit;  /* the peer may send below this offset */
	bool can_read;
	bool rx_fin;        /* FIN has arrived: rx holds all that is left */
	bool rx_done;       /* FIN delivered, or reset, or stopped */
	bool resume;        /* offer rx again */
	bool refused;       /* not all was taken: it is offered again when the layer above says so */
	bool gather;        /* a full packet was taken whole: the next ones may wait for each other */
	bool offering;      /* inside data() */

	bool ng_gone;       /* ngtcp2 has forgotten it */
	bool local;
	bool dead;          /* closed() has been called: free when nobody stands on it */
};

struct qheld { /* a batch that the carrier did not take */
	struct tp_path path;
	unsigned ecn;
	size_t off, n, seg;
};

struct qredun_rec { /* a redundant datagram that has left */
	uint64_t id, stream, end;
};

struct qredun_out { /* one that is to leave */
	struct tp_stream *s;
	uint64_t id, end;
	size_t n;
	uint8_t hdr[REDUN_HDR_MAX];
	ngtcp2_vec v[QREDUN_PIECES];
	size_t nv;
};

struct qyield { /* yield.c */
	uint64_t until;            /* somebody types, up to then */
	uint64_t off_until;        /* it was in vain */
	uint64_t cap;              /* bytes in flight above which bulk waits; 0: none */
	uint64_t from, to;         /* when the round trips of this round are looked at; to is 0: no round */
	uint64_t rtt, level;       /* the shortest of them; bytes in flight behind it */
	uint64_t level0, rtt0;     /* when it was last judged whether cuts help */
	unsigned futile;
};

struct qname { /* names.c */
	struct tp_path path;
	uint64_t at;               /* when it was heard last */
};

struct qdgram {
	uint16_t n;
	struct chunk *c;
};

struct tp_conn {
	ngtcp2_conn *ng;
	struct tls *tls;
	ngtcp2_crypto_conn_ref ref;
	const struct tp_conn_ops *ops;
	void *arg;
	const struct qconn_host *host;
	void *host_arg;
	struct quic_limits lim;
	struct quic_trace *trace;  /* of the host; NULL: none */
	bool server;
	unsigned depth;            /* how often we stand inside this connection */
	bool dead;                 /* freed by the layer above while we did */

	/* time */
	uint64_t now;              /* of the last input or run */
	uint64_t skew;             /* the connection's own clock is ahead by this: timers.c */
	uint64_t born, last_rx;
	uint64_t idle;             /* 0: never */
	bool woken;
	uint64_t last_tx;          /* when something left that will be answered */
	uint64_t asked;            /* the first such since something came; 0: none */
	uint64_t keepalive;
	bool quiet_told;           /* silent(true) was the last that we said */
	bool muted;                /* qconn_mute */
	unsigned heard;            /* packets that counted as such */
	uint64_t waits;            /* when something was acknowledged last, or left when nothing was under way */
	bool jolt;                 /* silence is over: do not wait for a backed-off timer, ... */
	bool news;                 /* ... however far it is, ... */
	bool jolt_far;             /* the last one would have had to skip too much */
	uint64_t jolt_at;          /* ... if by then it turns out to be one */

	/* events to tell once ngtcp2 has returned */
	bool ev_early, ev_streams;
	bool done_told, want_streams;
	bool confirmed;            /* both ends know that the handshake is over */
	bool ev_validated;
	int ev_path;               /* 1: validated, -1: failed; for path_result */

	/* paths */
	struct tp_path path;       /* in use, validated */
	unsigned moves;
	bool pending;              /* a server's ngtcp2 sends to the one below, which is not validated yet */
	struct tp_path pending_path;
	uint64_t pending_rx, pending_tx;
	uint64_t hold;             /* of a server: until then the client's moves wait, qpath_hold */
	struct qname names[QNAMES];/* of a server, ... */
	struct addr own;           /* ... and what its own address is called in them */

	/* streams */
	struct tp_stream *streams;
	struct tp_stream *ring[QPRIO_N]; /* next to be served of each class */
	struct tp_stream *cursor;        /* next to be looked at for STOP_SENDING */
	bool conn_blocked;               /* by the peer's credit for the connection */
	bool any_resume, any_room, any_closing, any_stopped;
	struct chunk_pool pool;
	uint64_t tx_held;                /* bytes in all send buffers but those of control streams */
	struct tp_stream *room_turn;     /* who waits longest for room below lim.send_total; NULL: nobody */
	uint64_t window;                 /* connection-level receive window */
	uint64_t rx_limit;               /* the peer may send so many bytes in all, ... */
	uint64_t rx_merged;              /* ... and has sent so many that were in order */
	bool let_in;                     /* server: tp_conn_set_window was called */
	uint64_t max_bidi, max_uni;

	/* connection IDs of a server */
	struct quic_cid pool_cids[QCID_POOL];
	unsigned npool;
	bool cids_asked;
	ngtcp2_cid ours[QCID_OURS];
	bool used[QCID_OURS];            /* a packet came with it */
	unsigned nours;
	size_t cidlen;
	ngtcp2_cid odcid, retry_scid;

	/* sending */
	uint8_t *txbuf;                  /* NULL at rest: qrest_txbuf */
	struct qheld held;
	bool is_held;
	bool owed;                       /* a packet for which ngtcp2 arms its loss timer */
	uint64_t big_at;                 /* when a large packet left, if nothing was acknowledged since */
	bool tx_small;                   /* large ones seem to vanish, ... */
	uint64_t moved_at;               /* the path changed then, and old packets may be on their way; 0: no more */
	uint64_t plain_until;            /* until then nothing larger than QTX_PLAIN */
	size_t tx_limit;                 /* what the interface takes: qconn_set_mtu */
	uint64_t raise_at, raise_in;     /* ... and are tried again then; the next time after so long */
	struct qdgram *dgrams;           /* ring of QDGRAM_SLOTS, made at first use */
	unsigned dg_head, dg_n;

	struct qyield yield;

	/* redundancy */
	struct tp_stream *redun;         /* streams with something to repeat */
	struct redun_budget redun_budget;
	struct qredun_rec redun_recs[QREDUN_RECS];
	uint64_t redun_seq;              /* number of the last datagram; 0: those of the layer above */

	/* memory: rest.c */
	uint64_t rest_at;                /* when to look whether it has been quiet; 0: it is at rest */
	uint64_t rest_traffic;           /* bytes that had passed when that was set */

	/* the end */
	bool close_asked;
	uint64_t close_by;               /* when it is sent at the latest; 0: not yet asked for */
	uint64_t close_code;
	char close_reason[256];
	bool closing;                    /* our CONNECTION_CLOSE is out */
	bool over;                       /* closed() called */
	bool fail_set;
	struct tp_close fail;            /* why, once it is known */
	ngtcp2_ccerr ccerr;              /* what to tell the peer */
	bool tell_peer;
	bool was_reset, got_any;
	uint8_t *close_pkt;
	size_t close_len;
	unsigned close_hits, close_next;

	/* counters */
	uint64_t bytes_tx, bytes_rx, pkts_tx, pkts_rx;
	uint64_t redun_sent, redun_used; /* datagrams; bytes that they brought first */
	uint64_t pkts_lost; /* with data of streams that are over, or datagrams */
};

/* The connection's own time (timers.c). */
static inline ngtcp2_tstamp qc_ts(const struct tp_conn *c) { return c->now + c->skew; }
/* Asks the host to run us. */
static inline void
qc_wake(struct tp_conn *c)
{
	if (!c->woken && !c->dead) {
		c->woken = true;
		c->host->wake(c->host_arg);
	}
}
/* callbacks.c */
void qcallbacks_client(ngtcp2_callbacks *cb);
void qcallbacks_server(ngtcp2_callbacks *cb);

/* stream.c: the table */
struct tp_stream *qstream_new(struct tp_conn *c, int64_t id, bool local);
void qstream_over(struct tp_stream *s);      /* closed(), then free */
void qstream_all_over(struct tp_conn *c);
void qstream_reap(struct tp_conn *c);        /* those that became over inside a call */
bool qstream_is_uni_id(int64_t id);
struct tp_stream *qstream_find(const struct tp_conn *c, uint64_t id);

/* stream_tx.c */
void qstream_enqueue(struct tp_stream *s);
void qstream_dequeue(struct tp_stream *s);
bool qstream_wants(const struct tp_stream *s);
void qstream_sent(struct tp_stream *s, size_t n, bool fin);
void qstream_acked(struct tp_stream *s, uint64_t offset, bool fin_frame);
void qstream_credit(struct tp_stream *s);    /* the peer gave more */
void qstream_stopped(struct tp_stream *s, uint64_t code);
void qstream_tell_room(struct tp_conn *c);
void qstream_write_over(struct tp_stream *s); /* after acked: nothing more to do on that side */
void qstream_drop_tx(struct tp_stream *s);    /* ngtcp2 has forgotten it: nothing points into its buffer */

/* stream_rx.c */
/* What ngtcp2 brings: 0, or the connection has to end (after QERR_PROTO the reason is set). */
int qstream_data(struct tp_stream *s, const uint8_t *p, size_t n, bool fin);
/* The same for bytes that a datagram has brought, and that are merged already. QERR_NOMEM. */
int qstream_early(struct tp_stream *s, const uint8_t *p, size_t n);
void qstream_reset_by_peer(struct tp_stream *s, uint64_t code);
void qstream_resume_all(struct tp_conn *c);

/* All credit is granted through these two, which count it. */
static inline void
qcredit_conn(struct tp_conn *c, uint64_t n)
{
	ngtcp2_conn_extend_max_offset(c->ng, n);
	c->rx_limit += n;
}
static inline void
qcredit_stream(struct tp_stream *s, uint64_t n)
{
	ngtcp2_conn_extend_max_stream_offset(s->conn->ng, s->id, n);
	s->rx_limit += n;
}

/* yield.c: interactive bytes have left; how many bytes of bulk may leave now */
void qyield_typed(struct tp_conn *c);
uint64_t qyield_room(struct tp_conn *c, const ngtcp2_conn_info *ci);

/* redun_rx.c: true: it was one of ours; *err is for ngtcp2 */
bool qredun_input(struct tp_conn *c, const uint8_t *p, size_t n, int *err);

/* redun_tx.c */
void qredun_sent(struct tp_stream *s);       /* new bytes have left */
void qredun_acked(struct tp_stream *s);
void qredun_dgram_acked(struct tp_conn *c, uint64_t id);
void qredun_leave(struct tp_stream *s);      /* nothing is to be repeated any more */
void qredun_expired(struct tp_conn *c);
uint64_t qredun_expiry(const struct tp_conn *c);
/* The next datagram that is due; then one of the two below. */
bool qredun_next(struct tp_conn *c, struct qredun_out *o);
void qredun_left(struct tp_conn *c, const struct qredun_out *o);
void qredun_skip(struct tp_conn *c, const struct qredun_out *o);

/* cid.c */
int qcid_new(struct tp_conn *c, ngtcp2_cid *cid, uint8_t *token, size_t len);
void qcid_removed(struct tp_conn *c, const ngtcp2_cid *cid);
void qcid_add_ours(struct tp_conn *c, const ngtcp2_cid *cid);
void qcid_check_pool(struct tp_conn *c);
/* Does the server see this packet's connection ID for the first time? Then it is the client that moves, and not an
 * address translator. */
bool qcid_fresh(const struct tp_conn *c, const uint8_t *p, size_t n);
void qcid_use(struct tp_conn *c, const uint8_t *p, size_t n); /* it was genuine */

/* path.c */
void qpath_to_ng(ngtcp2_path *ng, const struct tp_path *p);
void qpath_from_ng(struct tp_path *p, const ngtcp2_path *ng);
bool qpath_equal(const struct tp_path *a, const struct tp_path *b);
void qpath_validated(struct tp_conn *c);
/* name: from, as ngtcp2 has it. True: such a packet with a fresh connection ID must not be read now. */
bool qpath_hold(struct tp_conn *c, const struct tp_path *name);
void qpath_heard(struct tp_conn *c, const struct tp_path *from, size_t n, bool fresh);
size_t qpath_size(const struct tp_conn *c, size_t n); /* of the next packet, n at most; 0: none now */
bool qpath_may_send(const struct tp_conn *c);
void qpath_ping(struct tp_conn *c, int most); /* so many packets, of which the last will be answered */

/* names.c: what ngtcp2 calls the path that a packet came by, before it reads it; that it was genuine; and the way
 * back, for a packet to be sent or a path that ngtcp2 tells of. Only a server's differ. */
void qname_init(struct tp_conn *c);
void qname_of(struct tp_conn *c, const struct tp_path *real, struct tp_path *name);
void qname_learn(struct tp_conn *c, const struct tp_path *real);
void qname_real(struct tp_conn *c, struct tp_path *path);

/* dgram.c */
void qdgram_pop(struct tp_conn *c);
void qdgram_free(struct tp_conn *c);

/* blackhole.c: how large the next packet may be; what was sent and acknowledged; another path */
size_t qhole_size(struct tp_conn *c);
size_t qhole_now(const struct tp_conn *c); /* of those that are no probes */
void qhole_sent(struct tp_conn *c, size_t n);
void qhole_acked(struct tp_conn *c);
void qhole_moved(struct tp_conn *c);

/* timers.c */
void qtimer_expired(struct tp_conn *c);
struct qdoubt;
void qtimer_heard(struct tp_conn *c, const struct qdoubt *d); /* after a packet; looks at how long there was none */
void qtimer_jolt(struct tp_conn *c);

/* rest.c: in each round; the buffer for a batch of packets, NULL where there is no memory */
void qrest_run(struct tp_conn *c);
uint8_t *qrest_txbuf(struct tp_conn *c);
/* silence.c */
struct qdoubt { /* how things were before a packet was read */
	uint64_t opened;
};
void qtimer_doubt(struct qdoubt *d);
bool qtimer_alive(const struct qdoubt *d); /* was anything of the peer's in it? */
/* Something left that will be answered, behind in_flight bytes of that kind. */
void qtimer_asked(struct tp_conn *c, uint64_t in_flight);
void qtimer_tell(struct tp_conn *c);         /* silent() */
uint64_t qtimer_quiet_at(const struct tp_conn *c); /* when that is due */

/* run.c */
void qrun_tell_early(struct tp_conn *c);

/* send.c */
void qsend(struct tp_conn *c);
void qsend_flush_held(struct tp_conn *c);

/* close.c */
void qclose_liberr(struct tp_conn *c, int rv);     /* ngtcp2 said rv */
void qclose_idle(struct tp_conn *c);
void qclose_handshake(struct tp_conn *c);
bool qclose_due(struct tp_conn *c);
void qclose_run(struct tp_conn *c);                /* writes what is to be written, tells closed */
void qclose_input(struct tp_conn *c);              /* a datagram came after our close */

#endif
