/* A peer that completes the handshake and then sends whatever frames it is given, properly
 * protected: what lies behind packet protection is reached by it alone. */
#ifndef QSH_TESTS_UNIT_QUIC_HOSTILE_H
#define QSH_TESTS_UNIT_QUIC_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOSTILE_PKT 1100 /* bytes of frames in one packet */

/* A connection of its own (as_server: the peer is a server, and we are its client), and then one
 * packet for each record of the input: a length of two bytes (big endian, cut to HOSTILE_PKT and
 * to what is left) and so many bytes of frames. Aborts where our side breaks a promise of its
 * interface. Returns how often the layer above was called. */
unsigned hostile_run(bool as_server, const uint8_t *p, size_t n);

#endif
