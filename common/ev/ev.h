/* Event loop: descriptors, timers, signals, children. One implementation over
 * libevent, one over a virtual clock for tests. Single-threaded. */
#ifndef QSH_EV_EV_H
#define QSH_EV_EV_H

#include <stdbool.h>
#include <stdint.h>

struct ev;
struct ev_io;
struct ev_timer;
struct ev_signal;

enum { EV_RD = 1, EV_WR = 2 };

typedef void ev_io_fn(void *arg, int fd, unsigned what);
typedef void ev_timer_fn(void *arg);
typedef void ev_signal_fn(void *arg, int signo);

/* QERR_NOMEM or 0. The loop owns nothing that is registered: free each object
 * before the loop. Every *_free may be called from inside a callback, also of the
 * object itself, clears the caller's pointer and accepts NULL. */
int ev_new(struct ev **out);
/* A loop without descriptors, whose time stands still until ev_virtual_run moves it. */
int ev_new_virtual(struct ev **out, uint64_t start_ns);
void ev_free(struct ev **ev);
/* Runs until ev_stop or until nothing is left that could call back (descriptors that ask for
 * nothing and stopped timers cannot). 0, QERR_NOMEM or QERR_SYS. A virtual loop goes from timer to timer. */
int ev_run(struct ev *ev);
void ev_stop(struct ev *ev);
/* Virtual loops only: runs every timer due up to t (in order), time ends at t. */
void ev_virtual_run(struct ev *ev, uint64_t t);
/* Virtual loops only: the next timer's time; UINT64_MAX if none. */
uint64_t ev_virtual_next(struct ev *ev);
/* Monotonic time in ns, read anew at each call. */
uint64_t ev_now(struct ev *ev);

/* Level-triggered. what may be 0 (registered, asks for nothing); fn gets one of EV_RD and EV_WR at a
 * time; errors and hang-ups count as both. Descriptors that never wait (files, /dev/null) are always
 * ready. The descriptor stays the caller's, who closes it after ev_io_free. QERR_NOMEM, QERR_SYS, QERR_INVAL (a
 * virtual loop). */
int ev_io_new(struct ev_io **out, struct ev *ev, int fd, unsigned what, ev_io_fn *fn, void *arg);
int ev_io_set(struct ev_io *io, unsigned what);
unsigned ev_io_get(const struct ev_io *io);
void ev_io_free(struct ev_io **io);

/* One-shot timers, made stopped; precision about 200 us. */
int ev_timer_new(struct ev_timer **out, struct ev *ev, ev_timer_fn *fn, void *arg);
/* Arms it for time t (ns, ev_now's clock; the past means: soon, not now). UINT64_MAX stops it. */
void ev_timer_at(struct ev_timer *t, uint64_t ns);
void ev_timer_stop(struct ev_timer *t);
void ev_timer_free(struct ev_timer **t);

/* fn is called from the loop, not from the signal's handler. QERR_NOMEM, QERR_INVAL (a virtual loop). */
int ev_signal_new(struct ev_signal **out, struct ev *ev, int signo, ev_signal_fn *fn, void *arg);
void ev_signal_free(struct ev_signal **s);

#endif
