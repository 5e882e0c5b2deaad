/* A UDP socket in the event loop. While packets pour in it is left alone for a moment after each
 * reading, so that more of them are read at once: whoever sends pays for each time that it wakes us. */
#ifndef QSH_QUIC_USER_WATCH_H
#define QSH_QUIC_USER_WATCH_H

#include <stddef.h>

#include "common/ev/ev.h"

struct qwatch {
	struct ev *ev;
	struct ev_io *io; /* NULL: no socket */
	struct ev_timer *later;
	ev_io_fn *fn;
	void *arg;
	int fd;
	size_t room;      /* bytes that may wait in the socket meanwhile */
	uint64_t last;    /* when its last reading began, ns */
};

/* Watches a socket, for fn with EV_RD, or EV_WR where that was asked for; w is all zero, or was freed.
 * QERR_NOMEM, QERR_SYS. */
int qwatch_new(struct qwatch *w, struct ev *ev, int fd, ev_io_fn *fn, void *arg);
void qwatch_free(struct qwatch *w); /* the socket stays open */
/* To be called when the socket has been read, from start on (ns): n bytes were there. */
void qwatch_read(struct qwatch *w, uint64_t start, size_t n);
/* The socket was full: tell when it is not, or no longer. */
void qwatch_full(struct qwatch *w, bool full);
bool qwatch_is_full(const struct qwatch *w);

/* How long after a reading that found n bytes, which came within so many ns, the next one should begin; 0: as
 * soon as there is something. room: of the socket's buffer. */
uint64_t qwatch_pause(size_t n, uint64_t within, size_t room);

#endif
