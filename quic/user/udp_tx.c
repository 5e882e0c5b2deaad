/* Datagrams out: a batch in one call where the kernel and the device can (UDP_SEGMENT), else in as few as
 * there are (sendmmsg). What a socket refuses is learnt once and not tried again; nothing fails here, since to
 * QUIC a datagram that did not leave is one that was lost. */
#include <errno.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/base/fd.h"
#include "quic/user/udp.h"

#define CALL_MAX 64 /* datagrams of one sendmmsg */

union control {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
};

/* What all datagrams of a batch share. */
struct how {
	int fd, family;
	unsigned ecn;
	size_t gso; /* segment size for the kernel to cut; 0: none */
};

/* May it be what was asked for beside the data that is not wanted? */
static bool
unwanted(int e)
{
	return e == EIO || e == EINVAL || e == EMSGSIZE || e == EOPNOTSUPP || e == ENOPROTOOPT;
}

static struct cmsghdr *
put(struct msghdr *mh, struct cmsghdr *after, int level, int type, const void *v, size_t n)
{
	struct cmsghdr *c = after != NULL ? CMSG_NXTHDR(mh, after) : CMSG_FIRSTHDR(mh);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), v, n);
	return c;
}

/* Borrows ctl. */
static void
put_control(struct msghdr *mh, union control *ctl, const struct how *h)
{
	struct cmsghdr *c = NULL;
	int tos = (int)h->ecn;
	size_t used = 0;

	memset(ctl, 0, sizeof(*ctl));
	mh->msg_control = ctl;
	mh->msg_controllen = sizeof(*ctl);
	if (h->ecn != 0) {
		c = put(mh, c, h->family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
		    h->family == AF_INET6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof(tos));
		used += CMSG_SPACE(sizeof(tos));
	}
#ifdef UDP_SEGMENT
	if (h->gso != 0) {
		uint16_t gso = (uint16_t)h->gso;

		put(mh, c, SOL_UDP, UDP_SEGMENT, &gso, sizeof(gso));
		used += CMSG_SPACE(sizeof(gso));
	}
#endif
	mh->msg_controllen = used;
	if (used == 0)
		mh->msg_control = NULL;
}

/* One call, which takes the first datagrams or none. How many, or -1 with errno. */
static int
send_some(const struct how *h, const uint8_t *p, size_t n, size_t seg)
{
	struct mmsghdr m[CALL_MAX];
	struct iovec iov[CALL_MAX];
	union control ctl;
	unsigned count;
	size_t len;
	int r;

	for (count = 0; count < CALL_MAX && n > 0; count++, p += len, n -= len) {
		len = n < seg ? n : seg;
		iov[count].iov_base = (uint8_t *)(uintptr_t)p;
		iov[count].iov_len = len;
		memset(&m[count], 0, sizeof(m[count]));
		m[count].msg_hdr.msg_iov = &iov[count];
		m[count].msg_hdr.msg_iovlen = 1;
		put_control(&m[count].msg_hdr, &ctl, h); /* the same for all */
	}
	do {
		r = sendmmsg(h->fd, m, count, MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	return r;
}

struct sent {
	size_t done;  /* bytes dealt with */
	bool first;   /* the first datagram has left */
	bool no_ecn;  /* it was the mark that was refused */
};

/* Datagram by datagram for the kernel. */
static void
send_each(struct qudp_tx *tx, const struct how *how, const uint8_t *p, size_t n, size_t seg,
    struct sent *out)
{
	struct how h = *how;
	bool again = false;
	int r;

	memset(out, 0, sizeof(*out));
	while (out->done < n) {
		r = send_some(&h, p + out->done, n - out->done, seg);
		if (r > 0) {
			out->first |= out->done == 0;
			out->no_ecn = h.ecn != how->ecn;
			out->done += (size_t)r * seg < n - out->done ? (size_t)r * seg : n - out->done;
			again = false;
		} else if (fd_would_block(errno)) {
			break;
		} else if (errno == ECONNREFUSED && !again) {
			/* Of an earlier datagram (ICMP), reported instead of sending this one. */
			tx->refused = again = true;
		} else if (h.ecn != 0 && unwanted(errno) && errno != EMSGSIZE) {
			h.ecn = 0;
		} else {
			out->done += n - out->done < seg ? n - out->done : seg; /* lost */
			h.ecn = how->ecn;
			again = false;
		}
	}
	tx->no_ecn |= out->no_ecn;
}

#ifdef UDP_SEGMENT
/* All in one call. 0 or an errno. */
static int
send_cut(struct qudp_tx *tx, const struct how *how, const uint8_t *p, size_t n, size_t seg)
{
	struct how h = *how;

	h.gso = seg;
	if (send_some(&h, p, n, n) > 0)
		return 0;
	if (errno != ECONNREFUSED)
		return errno;
	tx->refused = true;
	return send_some(&h, p, n, n) > 0 ? 0 : errno;
}
#endif

size_t
qudp_send(struct qudp_tx *tx, int fd, int family, unsigned ecn, const uint8_t *p, size_t n,
    size_t seg)
{
	struct how h = {.fd = fd, .family = family, .ecn = tx->no_ecn ? 0 : ecn};
	struct sent s;
#ifdef UDP_SEGMENT
	int e;

	if (seg < n && !tx->no_gso) {
		e = send_cut(tx, &h, p, n, seg);
		if (fd_would_block(e))
			return 0;
		if (!unwanted(e))
			return n;
		/* The kernel or the device cannot; or the datagrams are too large for the interface, by now, and
		 * do not leave one by one either. */
		send_each(tx, &h, p, n, seg, &s);
		tx->no_gso = s.first && !s.no_ecn;
		return s.done;
	}
#endif
	send_each(tx, &h, p, n, seg, &s);
	return s.done;
}
