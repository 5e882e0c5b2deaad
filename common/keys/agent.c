/* Talking to an ssh-agent: one question, one answer, before a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/keys/agent_msg.h"

#define TIMEOUT (60 * NS_PER_S)

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

struct agent {
	int fd;           /* -1: out of step, of no more use */
	uint64_t timeout; /* ns, for one question */
};

int
agent_open(struct agent **out, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	*out = NULL;
	if (!path)
		path = getenv("SSH_AUTH_SOCK");
	if (!path || !*path)
		return QERR_NOTFOUND;
	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return QERR_SYS;
	}
	memcpy(sa.sun_path, path, strlen(path));
	struct agent *a = calloc(1, sizeof(*a));
	if (!a)
		return QERR_NOMEM;
	a->timeout = TIMEOUT;
	/* Non-blocking only once connected: a Unix socket has no connection under way to
	 * wait for. Where the agent has stopped taking connections, the send timeout ends
	 * the wait. */
	const struct timeval wait = {.tv_sec = TIMEOUT / NS_PER_S};
	a->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (a->fd < 0 || fd_cloexec(a->fd) != 0 ||
	    setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
	    connect(a->fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    fd_nonblock(a->fd) != 0) {
		int saved = errno;
		agent_close(&a);
		errno = saved;
		return saved == EAGAIN ? QERR_TIMEOUT : QERR_SYS;
	}
	*out = a;
	return 0;
}

void
agent_close(struct agent **a)
{
	if (!*a)
		return;
	fd_close(&(*a)->fd);
	free(*a);
	*a = NULL;
}

void
agent_set_timeout(struct agent *a, uint64_t ns)
{
	a->timeout = ns;
}

static int
wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		uint64_t now = clock_mono();
		if (now >= deadline)
			return QERR_TIMEOUT;
		uint64_t ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
		int n = poll(&p, 1, ms < 60000 ? (int)ms : 60000);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return QERR_SYS;
	}
}

static int
send_all(int fd, const uint8_t *p, size_t n, uint64_t deadline)
{
	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
		if (k >= 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			int err = wait_for(fd, POLLOUT, deadline);
			if (err)
				return err;
		} else if (errno != EINTR) {
			return QERR_SYS;
		}
	}
	return 0;
}

static int
recv_all(int fd, uint8_t *p, size_t n, uint64_t deadline)
{
	while (n > 0) {
		ssize_t k = recv(fd, p, n, 0);
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		} else if (k == 0) {
			return QERR_CLOSED;
		} else if (errno == EAGAIN) {
			int err = wait_for(fd, POLLIN, deadline);
			if (err)
				return err;
		} else if (errno != EINTR) {
			return QERR_SYS;
		}
	}
	return 0;
}

static int
exchange(int fd, const struct buf *request, struct buf *reply, uint64_t deadline)
{
	uint8_t head[4];
	struct rd r;

	int err = send_all(fd, buf_data(request), buf_len(request), deadline);
	if (!err)
		err = recv_all(fd, head, sizeof(head), deadline);
	if (err)
		return err;
	rd_init(&r, head, sizeof(head));
	uint32_t n = rd_u32(&r);
	if (n == 0)
		return QERR_FORMAT;
	if (n > AGENT_MSG_MAX)
		return QERR_TOOBIG;
	uint8_t *room = buf_reserve(reply, n);
	if (!room)
		return reply->err;
	err = recv_all(fd, room, n, deadline);
	if (!err)
		buf_commit(reply, n);
	return err;
}

/* Sends the request (a secret perhaps) with its length before it, reads the reply. Where
 * that fails the connection is closed: a late reply must never be taken for that to another
 * question. */
static int
ask(struct agent *a, const struct buf *body, struct buf *reply)
{
	struct buf request;

	if (a->fd < 0)
		return QERR_CLOSED;
	buf_init_secret(&request, AGENT_MSG_MAX + 4);
	int err = buf_put_sshstr(&request, buf_data(body), buf_len(body));
	if (!err) {
		err = exchange(a->fd, &request, reply, clock_mono() + a->timeout);
		if (err) {
			int saved = errno;
			fd_close(&a->fd);
			errno = saved;
		}
	}
	buf_free(&request);
	return err;
}

/* A reply that cannot be understood ends the connection too. */
static int
settle(struct agent *a, int err)
{
	if (err == QERR_PROTO)
		err = QERR_FORMAT;
	if (err == QERR_FORMAT || err == QERR_TRUNC || err == QERR_TOOBIG)
		fd_close(&a->fd);
	return err;
}

int
agent_list(struct agent *a, struct agent_id **ids, size_t *n)
{
	struct buf body, reply;

	*ids = NULL;
	*n = 0;
	buf_init(&body, AGENT_MSG_MAX);
	buf_init(&reply, AGENT_MSG_MAX);
	int err = agent_put_list(&body);
	if (!err)
		err = ask(a, &body, &reply);
	if (!err)
		err = settle(a, agent_get_list(buf_data(&reply), buf_len(&reply), ids, n));
	buf_free(&body);
	buf_free(&reply);
	return err;
}

int
agent_sign(struct agent *a, const struct pubkey *k, const void *p, size_t n, struct buf *sigblob)
{
	struct buf body, reply;

	buf_init(&body, AGENT_MSG_MAX);
	buf_init(&reply, AGENT_MSG_MAX);
	int err = agent_put_sign(&body, k, p, n);
	if (!err)
		err = ask(a, &body, &reply);
	if (!err)
		err = settle(a, agent_get_sign(buf_data(&reply), buf_len(&reply), k, sigblob));
	buf_free(&body);
	buf_free(&reply);
	return err;
}

int
agent_add(struct agent *a, const struct privkey *k, uint32_t lifetime, bool confirm)
{
	struct buf body, reply;

	if (!k->sk)
		return QERR_INVAL;
	buf_init_secret(&body, AGENT_MSG_MAX);
	buf_init(&reply, AGENT_MSG_MAX);
	int err = agent_put_add(&body, k, lifetime, confirm);
	if (!err)
		err = ask(a, &body, &reply);
	if (!err)
		err = settle(a, agent_get_done(buf_data(&reply), buf_len(&reply)));
	buf_free(&body);
	buf_free(&reply);
	return err;
}
