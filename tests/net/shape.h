/* One direction of the emulated link: what happens to a packet between entering and leaving. */
#ifndef QSH_TESTS_NET_SHAPE_H
#define QSH_TESTS_NET_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shape_cfg {
	uint64_t delay_ns, jitter_ns;
	uint64_t rate;          /* bits per second; 0: no limit */
	size_t queue;           /* bytes that may wait for the rate limiter */
	double loss;            /* independent loss, 0..1 */
	double burst_enter, burst_leave; /* Gilbert model: chance per packet to enter and leave loss */
	double dup, reorder;    /* chance of a copy; chance of 1..8 ms extra delay */
	size_t mtu;             /* larger packets vanish (a black hole); 0: no limit */
	bool down;
};

struct shape_stats {
	uint64_t packets, bytes, lost, overflow, blackholed;
};

struct shape;

/* seed makes the losses repeatable. NULL without memory. */
struct shape *shape_new(uint64_t seed);
void shape_free(struct shape **s);
struct shape_cfg *shape_cfg(struct shape *s); /* may be changed at any time */
const struct shape_stats *shape_stats(const struct shape *s);
/* A packet enters at time now (ns). It is copied. */
void shape_in(struct shape *s, uint64_t now, const uint8_t *p, size_t n);
/* The next packet that is due at now, or NULL; valid until the next call. */
const uint8_t *shape_out(struct shape *s, uint64_t now, size_t *n);
/* When the next packet is due; UINT64_MAX if none waits. */
uint64_t shape_next(const struct shape *s);

#endif
