/* A qshd-net in a test: its connection runs over the transport in memory, the test is the
 * client, the monitor, the listener and the broker. */
#ifndef QSH_TESTS_NET_WORLD_H
#define QSH_TESTS_NET_WORLD_H

#include <sys/types.h>

#include "common/base/buf.h"
#include "common/ipc/ipc.h"
#include "common/wire/wire.h"
#include "server/net/net.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/loop.h"

#define WORLD_STREAMS 64

/* The client's end of one stream, with all that came on it. */
struct wstream {
	struct world *w;
	struct tp_stream *s; /* NULL: gone */
	uint64_t id;
	bool uni;
	struct buf got;
	bool fin, reset, stopped, closed, blocked;
	struct buf pending;  /* waits for room */
	bool fin_due;
};

/* What a role got from qshd-net. */
struct wseen {
	int count;
	struct buf body; /* of the last one */
};

struct world {
	struct ev *ev;
	struct net *net;         /* NULL: in a process of its own */
	struct tp_conn *client;
	struct ipc *monitor, *listener, *broker; /* the other roles' ends */
	struct wstream streams[WORLD_STREAMS];
	size_t nstreams;
	bool client_ready, client_closed;
	struct tp_close why;
	struct wseen seen[256];  /* by message type */
	uint8_t answers[16];     /* enum smsg_auth_code, one a request */
	size_t nanswers, answered;
	bool manual;             /* the test answers MN_AUTH itself */
	struct smsg_session limits;
	uint64_t grace_ns;
	struct fake_limits client_limits, server_limits;
	bool broker_down;        /* MN_BROKER does not come */
	bool steered;
	bool no_handshake;       /* the server's is not complete until the test says so */
	void (*free_net)(struct world *w);
	uint8_t host_sk[64];     /* answers MN_SIGN */
	void *start_arg;         /* of the one who started it */
};

/* Fills in defaults; change what is wanted, then world_start. */
struct world *world_new(void);
/* Over the transport in memory (net_world_fake.c). */
void world_start(struct world *w);
/* The parts of another start: the roles' ends of the channels, and w->client, are taken
 * into service. */
void world_roles(struct world *w, int monitor_fd, int listener_fd);
void world_client(struct world *w);
void world_free(struct world **w);
/* Rounds of the loop until nothing moves. */
void world_run(struct world *w);

/* ---- the client ---- */
struct wstream *world_open(struct world *w, bool uni);
void world_send(struct wstream *s, const void *p, size_t n);
/* A message with this body, which is freed; NULL: empty. */
void world_msg(struct wstream *s, uint64_t type, struct buf *body);
void world_fin(struct wstream *s);
/* Takes the next message from what came: its type, its body in *body (to be freed).
 * UINT64_MAX: none. */
uint64_t world_next(struct wstream *s, struct buf *body);
/* The server's stream that carries this output of a channel; its header is consumed. NULL:
 * none. */
struct wstream *world_output(struct world *w, uint64_t chan, enum wire_data_kind kind);
/* The control stream (opened first of all) with an authentication request on it. */
struct wstream *world_auth(struct world *w);
/* A session's stream with OPEN on it; an input stream for it with its header. */
struct wstream *world_session(struct world *w);
struct wstream *world_input(struct world *w, uint64_t chan);
void world_pty(struct wstream *s);
void world_exec(struct wstream *s, const char *command);

/* ---- the broker ---- */
void world_started(struct world *w, uint64_t chan, const int *fds, size_t nfds); /* closes fds */
void world_exit(struct world *w, uint64_t chan, uint32_t status, const char *signal);
void world_failed(struct world *w, uint64_t chan, const char *reason);
/* A child on three pipes that writes all it reads to both of its outputs, told as started. */
pid_t world_tee(struct world *w, uint64_t chan);

/* ---- the listener ---- */
/* The next one, in the place of one that has ended: its channel comes by the monitor. */
void world_new_listener(struct world *w);

/* ---- the monitor ---- */
/* Answers the request that waits, where w->manual was set. */
void world_grant(struct world *w);

#endif
