#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/ipc/tcpsock.h"
#include "server/ipc/udpsock.h"
#include "server/supervisor/sockets.h"

#define RETRY_NS (50 * NS_PER_MS)

/* A line of the kernel's table of UDP sockets: "sl local_address rem_address st tx:rx tr:when
 * retrnsmt uid timeout inode ...". Is it somebody else's, unconnected, at our address? */
static bool
line_is_rival(const char *line, const char *address, ino_t own)
{
	char local[64], remote[64];
	uint64_t inode;

	if (sscanf(line, " %*[^:]: %63s %63s %*s %*s %*s %*s %*s %*s %" SCNu64, local, remote,
		&inode) != 3)
		return false;
	/* A connected socket belongs to a session, which may outlive its qshd. */
	return strcmp(local, address) == 0 && strspn(remote, "0:") == strlen(remote) &&
	       inode != own;
}

static void
proc_address(const struct addr *a, char *dst, size_t n)
{
	uint32_t w[4] = {0};

	if (a->u.sa.sa_family == AF_INET) {
		snprintf(dst, n, "%08" PRIX32 ":%04X", a->u.in.sin_addr.s_addr, addr_port(a));
		return;
	}
	memcpy(w, &a->u.in6.sin6_addr, sizeof(w));
	snprintf(dst, n, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 ":%04X", w[0],
	    w[1], w[2], w[3], addr_port(a));
}

/* SO_REUSEPORT, which connections' sockets need, would let a second qshd of the same user bind
 * the same address, and the kernel would deal new clients out between the two. So: bind, then
 * look whether we are alone. Where there is no such table, two of them are not noticed. */
static bool
has_rival(int fd, const struct addr *a)
{
	char want[64], line[512];
	struct stat st;
	bool found = false;
	FILE *f;

	if (fstat(fd, &st) < 0)
		return false;
	f = fopen(
	    a->u.sa.sa_family == AF_INET ? "/proc/self/net/udp" : "/proc/self/net/udp6", "re");
	if (f == NULL)
		return false;
	proc_address(a, want, sizeof(want));
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = line_is_rival(line, want, st.st_ino);
	(void)fclose(f);
	return found;
}

static int
bind_once(const struct addr *a, bool tcp)
{
	int fd = tcp ? tcpsock_listen(a) : udpsock_listen(a);

	if (fd < 0)
		return errno == EADDRINUSE ? QERR_EXISTS : QERR_SYS;
	if (!tcp && has_rival(fd, a)) {
		fd_close(&fd);
		return QERR_EXISTS;
	}
	return fd;
}

static void
say_why(const struct addr *a, bool tcp, int err)
{
	const char *advice = "", *how = tcp ? "TCP " : "";

	if (err == QERR_EXISTS) {
		log_error(
		    "cannot listen on %s%s: the address is in use: stop what uses it (another "
		    "qshd?), or say another %s",
		    how, addr_show(a), tcp ? "TcpListenAddress" : "Port");
		return;
	}
	if (errno == EACCES && addr_port(a) < 1024)
		advice = tcp ? ": ports below 1024 need root, choose another" :
			       ": ports below 1024 need root, choose another with -p";
	else if (errno == EADDRNOTAVAIL)
		advice = tcp ? ": no interface has this address, check TcpListenAddress" :
			       ": no interface has this address, check ListenAddress";
	log_error("cannot listen on %s%s: %s%s", how, addr_show(a), qerr_str(QERR_SYS), advice);
}

static bool
family_missing(const struct addr *a)
{
	return addr_is_any(a) &&
	       (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL || errno == EPROTONOSUPPORT);
}

int
sockets_bind(struct sockets *s, const struct addr *a, uint64_t patience)
{
	const struct timespec pause = {.tv_nsec = (long)RETRY_NS};
	struct sock *v;
	int fd;

	while ((fd = bind_once(a, s->tcp)) == QERR_EXISTS && patience >= RETRY_NS) {
		patience -= RETRY_NS;
		(void)nanosleep(&pause, NULL);
	}
	if (fd == QERR_SYS && family_missing(a))
		return QERR_UNSUPPORTED;
	if (fd < 0) {
		say_why(a, s->tcp, fd);
		return fd;
	}
	v = reallocarray(s->v, s->n + 1, sizeof(*v));
	if (v == NULL) {
		fd_close(&fd);
		log_error("cannot listen on %s: %s", addr_show(a), qerr_str(QERR_NOMEM));
		return QERR_NOMEM;
	}
	s->v = v;
	s->v[s->n++] = (struct sock){.addr = *a, .fd = fd};
	return 0;
}

int
sockets_bind_all(struct sockets *s, const struct addr *v, size_t n, uint64_t patience)
{
	int err;

	for (size_t i = 0; i < n; i++) {
		err = sockets_bind(s, &v[i], patience);
		if (err == QERR_EXISTS || err == QERR_NOMEM)
			return err;
		if (err == QERR_UNSUPPORTED)
			log_debug("not listening on %s: no such address family here",
			    addr_show(&v[i]));
	}
	if (s->n == 0) {
		log_error("cannot listen on any address");
		return QERR_NOTFOUND;
	}
	return 0;
}

struct sock *
sockets_find(const struct sockets *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_equal(&s->v[i].addr, a))
			return &s->v[i];
	return NULL;
}

bool
sockets_cover(const struct sockets *s, const struct addr *local)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct addr *a = &s->v[i].addr;

		if (addr_equal(a, local) ||
		    (local->len != 0 && addr_is_any(a) && addr_port(a) == addr_port(local) &&
			a->u.sa.sa_family == local->u.sa.sa_family))
			return true;
	}
	return false;
}

void
sockets_drop(struct sockets *s, struct sock *one)
{
	fd_close(&one->fd);
	*one = s->v[--s->n];
}

void
sockets_free(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->v[i].fd);
	free(s->v);
	*s = (struct sockets){0};
}
