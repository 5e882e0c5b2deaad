#include "client/netwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/timerfd.h>
#endif

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

#define LOOK       (20 * NS_PER_S) /* for sleep, where nothing else tells */
#define SLEPT      (1 * NS_PER_S)  /* less than that is two clocks read one after the other */
#define MESSAGES   64              /* read in one wake-up */

struct netwatch {
	struct ev *ev;
	netwatch_fn *fn;
	void *arg;
	int route, sleep;       /* descriptors; -1: none */
	struct ev_io *route_io, *sleep_io;
	struct ev_timer *look;
	uint64_t ahead;
};

bool
netwatch_slept(uint64_t *ahead, uint64_t mono, uint64_t boot)
{
	uint64_t was = *ahead, is = boot > mono ? boot - mono : 0;

	*ahead = is;
	return is > was && is - was >= SLEPT;
}

static bool
slept(struct netwatch *w)
{
	return netwatch_slept(&w->ahead, clock_mono(), clock_boot());
}

/* ---- routes and addresses ---- */

#ifdef __linux__

static int
route_open(void)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK,
	    .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
		RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		fd_close(&fd);
	return fd;
}

#elif defined(PF_ROUTE)

static int
route_open(void)
{
	int fd = socket(PF_ROUTE, SOCK_RAW, AF_UNSPEC);

	if (fd >= 0 && (fd_cloexec(fd) != 0 || fd_nonblock(fd) != 0))
		fd_close(&fd);
	return fd;
}

#else

static int
route_open(void)
{
	errno = EOPNOTSUPP;
	return -1;
}

#endif

/* That there are messages is all we want to know; ENOBUFS says that there were too many. */
static void
on_route(void *arg, int fd, unsigned what)
{
	struct netwatch *w = arg;
	char message[8192];
	int i;

	(void)what;
	for (i = 0; i < MESSAGES; i++) {
		if (recv(fd, message, sizeof(message), 0) < 0 && errno != EINTR && errno != ENOBUFS)
			break;
	}
	if (i > 0)
		w->fn(w->arg, slept(w));
}

/* ---- sleep ---- */

static void
look(struct netwatch *w)
{
	if (slept(w)) {
		log_debug("The machine was asleep");
		w->fn(w->arg, true);
	}
}

#ifdef __linux__

/* A timer of a clock that goes on in sleep is due at once after a longer one, and it is there for nothing
 * but that. */
static int
sleep_open(void)
{
	struct itimerspec its = {.it_interval.tv_sec = (time_t)(LOOK / NS_PER_S)};
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	its.it_value = its.it_interval;
	if (fd >= 0 && timerfd_settime(fd, 0, &its, NULL) != 0)
		fd_close(&fd);
	return fd;
}

static void
on_sleep(void *arg, int fd, unsigned what)
{
	uint64_t ticks;

	(void)what;
	if (read(fd, &ticks, sizeof(ticks)) > 0)
		look(arg);
}

static int
watch_sleep(struct netwatch *w)
{
	w->sleep = sleep_open();
	return w->sleep < 0 ? QERR_SYS : ev_io_new(&w->sleep_io, w->ev, w->sleep, EV_RD, on_sleep, w);
}

#else

static void
on_look(void *arg)
{
	struct netwatch *w = arg;

	ev_timer_at(w->look, ev_now(w->ev) + LOOK);
	look(w);
}

static int
watch_sleep(struct netwatch *w)
{
	int r = ev_timer_new(&w->look, w->ev, on_look, w);

	if (r == 0)
		ev_timer_at(w->look, ev_now(w->ev) + LOOK);
	return r;
}

#endif

/* ---- life ---- */

int
netwatch_new(struct netwatch **out, struct ev *ev, netwatch_fn *fn, void *arg)
{
	struct netwatch *w = calloc(1, sizeof(*w));
	int r = 0;

	if (w == NULL)
		return QERR_NOMEM;
	*w = (struct netwatch){.ev = ev, .fn = fn, .arg = arg, .sleep = -1};
	(void)slept(w);
	w->route = route_open();
	if (w->route < 0)
		log_debug("This system tells nothing of changing routes (%s): a path that does not "
		    "answer is noticed nevertheless", strerror(errno));
	else
		r = ev_io_new(&w->route_io, ev, w->route, EV_RD, on_route, w);
	if (r == 0)
		r = watch_sleep(w);
	if (r != 0)
		netwatch_free(&w);
	*out = w;
	return r;
}

void
netwatch_free(struct netwatch **wp)
{
	struct netwatch *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	ev_io_free(&w->route_io);
	ev_io_free(&w->sleep_io);
	ev_timer_free(&w->look);
	fd_close(&w->route);
	fd_close(&w->sleep);
	free(w);
}
