/* linkemu: an IP link between two network namespaces, with delay, rate, queue, loss, reordering,
 * NAT and breaks, changed while it runs. Kernels without netem have nothing like it, and TCP and UDP
 * programs are measured on the same link.
 *
 *   linkemu [-s seed] [-t trace] NS-A DEV-A NS-B DEV-B
 *
 * Makes a TUN device in each namespace (NS "-": the one it is started in), says "ready", and then obeys
 * lines on standard input, each answered by one line ("ok", or what is asked, or "error ..."):
 *
 *   delay T | jitter T | rate BITS | queue BYTES | loss P | burst ENTER LEAVE | dup P | reorder P |
 *   mtu BYTES | down | up          each may be followed by "a" or "b": packets from that side only
 *   udp pass | drop | refuse | prohibit   a firewall: what becomes of UDP, both ways (ICMP errors to who sent)
 *   udp first N                    N packets of side b, and what a sends until then, pass; then all is dropped
 *   nat ADDRESS                    flows of side a appear as this IPv4 address, from new ports; "nat off"
 *   stats                          a: packets bytes lost overflow blackholed b: ...
 *   mark TEXT                      writes a line to the trace
 *   quit
 *
 * T is in ms. The trace has a line a packet: time (us), side it came from, IP length, protocol, ports. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/net/filter.h"
#include "tests/net/nat.h"
#include "tests/net/shape.h"

/* A timer wakes its process some 60 us late on the machines at hand: what is due this soon is delivered now. */
#define EARLY_NS UINT64_C(50000)
/* The device must hold what a sender hands over in a burst while this process is kept waiting; only the link may lose. */
#define TUN_QUEUE 10000

struct link {
	int tun[2];
	struct shape *shape[2]; /* by the side that a packet comes from */
	struct nat *nat;
	enum filter_udp udp;
	unsigned udp_left;      /* until it is FILTER_DROP; 0: no limit */
	FILE *trace;
	uint64_t start;
	bool quit;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static int
enter_netns(const char *ns)
{
	char path[256];
	int fd, r;

	if (strcmp(ns, "-") == 0)
		return 0;
	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = setns(fd, CLONE_NEWNET);
	close(fd);
	return r;
}

static int
set_queue(struct ifreq ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (s < 0)
		return -1;
	ifr.ifr_qlen = TUN_QUEUE;
	r = ioctl(s, SIOCSIFTXQLEN, &ifr);
	close(s);
	return r;
}

/* Descriptor of a new TUN device in the namespace; the process is back where it was. */
static int
tun_open(const char *ns, const char *dev)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	if (home < 0)
		return -1;
	if (enter_netns(ns) == 0) {
		fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && (ioctl(fd, TUNSETIFF, &ifr) != 0 || set_queue(ifr) != 0)) {
			close(fd);
			fd = -1;
		}
	}
	if (fd < 0)
		fprintf(stderr, "linkemu: cannot make TUN device %s in namespace %s: %s\n", dev, ns,
		    strerror(errno));
	if (setns(home, CLONE_NEWNET) != 0) {
		close(fd);
		fd = -1;
	}
	close(home);
	return fd;
}

static void
trace_packet(const struct link *l, uint64_t now, int side, const uint8_t *p, size_t n)
{
	size_t hl = n >= 20 && p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40;
	unsigned proto = n >= 40 && p[0] >> 4 == 6 ? p[6] : n >= 20 ? p[9] : 0;
	unsigned sport = 0, dport = 0;

	if (l->trace == NULL)
		return;
	if (n >= hl + 4 && (proto == 17 || proto == 6)) {
		sport = (unsigned)p[hl] << 8 | p[hl + 1];
		dport = (unsigned)p[hl + 2] << 8 | p[hl + 3];
	}
	fprintf(l->trace, "%llu %c %zu %u %u %u\n", (unsigned long long)((now - l->start) / 1000),
	    'a' + side, n, proto, sport, dport);
}

static void
read_side(struct link *l, int side, uint64_t now)
{
	uint8_t p[65536], answer[FILTER_ANSWER_MAX];
	size_t m;

	for (int i = 0; i < 256; i++) {
		ssize_t n = read(l->tun[side], p, sizeof(p));

		if (n <= 0)
			return;
		trace_packet(l, now, side, p, (size_t)n);
		if (!filter_packet(l->udp, p, (size_t)n, answer, &m)) {
			if (m > 0 && write(l->tun[side], answer, m) < 0) {
				/* The device is down or full: such is a link. */
			}
			continue;
		}
		if (side == 1 && l->udp_left > 0 && filter_is_udp(p, (size_t)n) && --l->udp_left == 0)
			l->udp = FILTER_DROP;
		shape_in(l->shape[side], now, p, (size_t)n);
	}
}

static void
deliver(struct link *l, uint64_t now)
{
	for (int side = 0; side < 2; side++) {
		const uint8_t *p;
		size_t n;

		while ((p = shape_out(l->shape[side], now, &n)) != NULL) {
			static uint8_t out[65536];
			int r;

			memcpy(out, p, n);
			r = side == 0 ? nat_a2b(l->nat, out, n) : nat_b2a(l->nat, out, n);
			if (r == 0 && write(l->tun[!side], out, n) < 0) {
				/* The device is down or full: such is a link. */
			}
		}
	}
}

static void
set_ms(double ms, uint64_t *out)
{
	*out = (uint64_t)(ms * 1e6);
}

static bool
set_one(struct shape_cfg *c, const char *key, double x, double y)
{
	if (strcmp(key, "delay") == 0)
		set_ms(x, &c->delay_ns);
	else if (strcmp(key, "jitter") == 0)
		set_ms(x, &c->jitter_ns);
	else if (strcmp(key, "rate") == 0)
		c->rate = (uint64_t)x;
	else if (strcmp(key, "queue") == 0)
		c->queue = (size_t)x;
	else if (strcmp(key, "loss") == 0)
		c->loss = x;
	else if (strcmp(key, "dup") == 0)
		c->dup = x;
	else if (strcmp(key, "reorder") == 0)
		c->reorder = x;
	else if (strcmp(key, "mtu") == 0)
		c->mtu = (size_t)x;
	else if (strcmp(key, "burst") == 0)
		c->burst_enter = x, c->burst_leave = y;
	else if (strcmp(key, "down") == 0)
		c->down = true;
	else if (strcmp(key, "up") == 0)
		c->down = false;
	else
		return false;
	return true;
}

static void
print_stats(const struct link *l)
{
	for (int side = 0; side < 2; side++) {
		const struct shape_stats *s = shape_stats(l->shape[side]);

		printf("%c: %llu %llu %llu %llu %llu%s", 'a' + side, (unsigned long long)s->packets,
		    (unsigned long long)s->bytes, (unsigned long long)s->lost,
		    (unsigned long long)s->overflow, (unsigned long long)s->blackholed,
		    side == 0 ? " " : "\n");
	}
}

static bool
command_link(struct link *l, char **word, size_t n)
{
	double v[2] = {0, 0};
	size_t nv = 0;
	char side = '*';
	bool ok = true;

	for (size_t i = 1; i < n; i++) {
		char *end;

		if (strcmp(word[i], "a") == 0 || strcmp(word[i], "b") == 0) {
			side = word[i][0];
			continue;
		}
		if (nv == 2)
			return false;
		v[nv++] = strtod(word[i], &end);
		if (*end != '\0')
			return false;
	}
	for (int s = 0; s < 2; s++)
		if (side == '*' || side == 'a' + s)
			ok = set_one(shape_cfg(l->shape[s]), word[0], v[0], v[1]) && ok;
	return ok;
}

static void
command(struct link *l, char *line)
{
	char *word[6], *save = NULL;
	size_t n = 0;
	bool ok = true;

	if (strncmp(line, "mark ", 5) == 0) {
		if (l->trace != NULL)
			fprintf(l->trace, "# %s\n", line + 5);
		puts("ok");
		return;
	}
	for (char *w = strtok_r(line, " \t", &save); w != NULL && n < 6; w = strtok_r(NULL, " \t", &save))
		word[n++] = w;
	if (n == 0)
		return;
	if (strcmp(word[0], "quit") == 0) {
		l->quit = true;
	} else if (strcmp(word[0], "stats") == 0) {
		print_stats(l);
		return;
	} else if (strcmp(word[0], "udp") == 0 && n == 2) {
		l->udp_left = 0;
		ok = filter_parse(word[1], &l->udp);
	} else if (strcmp(word[0], "udp") == 0 && n == 3 && strcmp(word[1], "first") == 0) {
		l->udp = FILTER_PASS;
		l->udp_left = (unsigned)strtoul(word[2], NULL, 10);
	} else if (strcmp(word[0], "nat") == 0 && n == 2) {
		struct in_addr a = {0};

		ok = strcmp(word[1], "off") == 0 || inet_pton(AF_INET, word[1], &a) == 1;
		if (ok)
			nat_bind(l->nat, a.s_addr);
	} else {
		ok = command_link(l, word, n);
	}
	puts(ok ? "ok" : "error: no such command");
}

static void
read_commands(struct link *l)
{
	static char buf[4096];
	static size_t len;
	ssize_t n = read(0, buf + len, sizeof(buf) - len - 1);
	char *nl;

	if (n <= 0) {
		l->quit = true;
		return;
	}
	len += (size_t)n;
	buf[len] = '\0';
	while ((nl = memchr(buf, '\n', len)) != NULL) {
		*nl = '\0';
		command(l, buf);
		len -= (size_t)(nl + 1 - buf);
		memmove(buf, nl + 1, len + 1);
	}
	if (len == sizeof(buf) - 1)
		len = 0;
	if (l->trace != NULL)
		fflush(l->trace);
	fflush(stdout);
}

static void
run(struct link *l, int timer)
{
	struct pollfd pfd[4] = {{0, POLLIN, 0}, {l->tun[0], POLLIN, 0}, {l->tun[1], POLLIN, 0},
	    {timer, POLLIN, 0}};

	while (!l->quit) {
		uint64_t next = UINT64_MAX, ticks;
		struct itimerspec its = {0};

		for (int side = 0; side < 2; side++)
			if (shape_next(l->shape[side]) < next)
				next = shape_next(l->shape[side]);
		if (next != UINT64_MAX) {
			next = next > EARLY_NS ? next - EARLY_NS : 1;
			its.it_value.tv_sec = (time_t)(next / UINT64_C(1000000000));
			its.it_value.tv_nsec = (long)(next % UINT64_C(1000000000)) | 1;
		}
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &its, NULL);
		if (poll(pfd, 4, -1) < 0 && errno != EINTR)
			break;
		for (int side = 0; side < 2; side++)
			if (pfd[1 + side].revents != 0)
				read_side(l, side, now_ns());
		if (pfd[3].revents != 0 && read(timer, &ticks, sizeof(ticks)) < 0) {
			/* Not due after all. */
		}
		deliver(l, now_ns() + EARLY_NS);
		if (pfd[0].revents != 0)
			read_commands(l);
	}
}

int
main(int argc, char **argv)
{
	struct link l = {.start = now_ns()};
	const char *trace = NULL;
	uint64_t seed = 1;
	int opt, timer;

	while ((opt = getopt(argc, argv, "s:t:")) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (opt == 't')
			trace = optarg;
		else
			return 2;
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: linkemu [-s seed] [-t trace] NS-A DEV-A NS-B DEV-B\n");
		return 2;
	}
	for (int side = 0; side < 2; side++) {
		l.shape[side] = shape_new(seed + (uint64_t)side);
		l.tun[side] = tun_open(argv[optind + 2 * side], argv[optind + 2 * side + 1]);
		if (l.shape[side] == NULL || l.tun[side] < 0)
			return 1;
	}
	l.nat = nat_new();
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (trace != NULL)
		l.trace = fopen(trace, "w");
	if (l.nat == NULL || timer < 0 || (trace != NULL && l.trace == NULL)) {
		perror("linkemu");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	run(&l, timer);
	if (l.trace != NULL)
		fclose(l.trace);
	for (int side = 0; side < 2; side++)
		shape_free(&l.shape[side]);
	nat_free(&l.nat);
	return 0;
}
