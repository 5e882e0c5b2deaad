/* Redundancy for what somebody waits for: bytes of small streams that are not acknowledged yet are sent
 * once more in DATAGRAM frames (PROTOCOL.md section 3.1), so that a lost packet costs 10 ms and not a
 * probe timeout. The streams still carry every byte; a datagram only delivers earlier.
 *
 * This is the part that knows no connection: the frame, where a stream's receiver stands, when a
 * sender repeats, and how much it may. redun_rx.c and redun_tx.c join it to streams. */
#ifndef QSH_QUIC_USER_REDUN_H
#define QSH_QUIC_USER_REDUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDUN_FLOW      0    /* the flow number that says so */
#define REDUN_HDR_MAX   17   /* flow number, stream ID, offset */
#define REDUN_NEVER     UINT64_MAX

struct redun_frame {
	uint64_t stream, offset;
	const uint8_t *p;    /* in what was parsed */
	size_t n;            /* at least 1 */
};
/* Is this datagram of the flow above? Not where it is too short to say. */
bool redun_is(const uint8_t *p, size_t n);
/* Reads one for which redun_is said yes. QERR_TRUNC, QERR_FORMAT (no bytes; beyond 2^62). */
int redun_parse(struct redun_frame *f, const uint8_t *p, size_t n);
/* Writes what precedes the bytes, at most REDUN_HDR_MAX; returns the length. */
size_t redun_header(uint8_t *p, uint64_t stream, uint64_t offset);

/* Where the receiver of a stream stands: offsets of the stream. Bytes are merged once, by whoever
 * brings them first: the stream itself, in order, or a datagram that goes on exactly where we are.
 * Credit is returned by the stream's own count: once it has brought a byte and somebody has taken it. */
struct redun_rx {
	uint64_t stream;     /* brought by the stream itself, in order */
	uint64_t merged;     /* brought by either: stream <= merged */
	uint64_t credited;   /* for these credit has been returned: credited <= stream */
};
/* The stream brings its next n bytes: how many of them, from the first on, are already known. */
size_t redun_rx_stream(struct redun_rx *r, size_t n);
/* A datagram brings n bytes at offset: how many of them, the last ones, are new and are merged thereby. None
 * where something is missing before them, or where they would go beyond limit, the peer's credit. */
size_t redun_rx_early(struct redun_rx *r, uint64_t offset, size_t n, uint64_t limit);
/* kept: merged bytes that nobody has taken yet. How much credit is to be returned now. */
uint64_t redun_rx_credit(struct redun_rx *r, uint64_t kept);

/* When the sender of a stream repeats: 10, 20, 40 ... ms after the newest byte left. */
struct redun_tx {
	uint64_t acked;      /* datagrams have brought everything below: an offset */
	uint64_t newest;     /* when the newest byte left */
	uint64_t at;         /* of the next repeat, or REDUN_NEVER */
	unsigned n;          /* repeats since then */
};
void redun_tx_sent(struct redun_tx *t, uint64_t now);
/* It was repeated now, or could not be: the next is set. */
void redun_tx_repeated(struct redun_tx *t, uint64_t now);

/* 32 kbit/s with what surrounds a datagram on the wire, and a second's worth of it at once. */
struct redun_budget {
	uint64_t bytes, at;
	bool begun;
};
/* How long until a datagram of n bytes may leave; 0: now. */
uint64_t redun_budget_wait(struct redun_budget *b, size_t n, uint64_t now);
void redun_budget_spend(struct redun_budget *b, size_t n);

#endif
