/* Datagrams in a byte stream (PROTOCOL.md section 10): a greeting, then each datagram behind its length.
 * Pure: bytes in, datagrams out. What comes is the peer's: every length is bounded, and a peer that speaks something
 * else is recognised by its first bytes. */
#ifndef QSH_QUIC_USER_FRAME_H
#define QSH_QUIC_USER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quic/quic.h"

#define QFRAME_HDR       2     /* bytes: the length, big-endian */
#define QFRAME_MAX       65535 /* bytes of a datagram */
#define QFRAME_HELLO     QUIC_STREAM_NAME "\r\n"
#define QFRAME_HELLO_LEN (sizeof(QFRAME_HELLO) - 1)
#define QFRAME_LINE_MAX  255   /* bytes of a line that comes in place of the greeting */

struct qframe_rx;

int qframe_rx_new(struct qframe_rx **rx); /* QERR_NOMEM */
void qframe_rx_free(struct qframe_rx **rx);
/* Where the next bytes go: *n of them, at least one if qframe_rx_next was called until it wanted more. What
 * qframe_rx_next gave before is gone. */
uint8_t *qframe_rx_room(struct qframe_rx *rx, size_t *n);
void qframe_rx_filled(struct qframe_rx *rx, size_t n);
/* 1: *p is a datagram of *n bytes, at least one, valid until qframe_rx_room. 0: more bytes are needed.
 * QERR_PROTO: the peer speaks something else (qframe_rx_stranger). QERR_FORMAT: a frame without content.
 * Both are final. */
int qframe_rx_next(struct qframe_rx *rx, const uint8_t **p, size_t *n);
/* Has the greeting come? */
bool qframe_rx_greeted(const struct qframe_rx *rx);
/* What the peer is, going by what came instead of a greeting, in words that go on "what answers there ...": "is an SSH
 * server". NULL: nothing has come at all. server: the peer is the one that was connected to. dst is filled and returned, printable. */
const char *qframe_rx_stranger(const struct qframe_rx *rx, bool server, char *dst, size_t n);
/* Did it refuse in qsh's own form? Then the words after the greeting are in dst, printable. */
bool qframe_rx_refused(const struct qframe_rx *rx, char *dst, size_t n);

void qframe_put_hdr(uint8_t hdr[QFRAME_HDR], size_t n);

#endif
