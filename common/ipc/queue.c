/* Messages that wait. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/ipc/impl.h"

void
ipc_queue_init(struct ipc_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
	q->cost = 0;
}

/* What a message counts against IPC_QUEUE_MAX: also empty ones take memory. */
static size_t
cost(size_t n)
{
	return sizeof(struct ipc_msg) + n;
}

void
ipc_msg_free(struct ipc_msg **mp)
{
	struct ipc_msg *m = *mp;

	if (m == NULL)
		return;
	ipc_fds_close(m->fds, m->nfds);
	free(m);
	*mp = NULL;
}

static int
dup_into(struct ipc_msg *m, const int *fds, size_t nfds)
{
	for (; m->nfds < nfds; m->nfds++) {
		m->fds[m->nfds] = fcntl(fds[m->nfds], F_DUPFD_CLOEXEC, 0);
		if (m->fds[m->nfds] == -1)
			return QERR_SYS;
	}
	return 0;
}

int
ipc_queue_add(struct ipc_queue *q, uint16_t type, const void *p, size_t n, int *fds, size_t nfds,
    bool dup_fds)
{
	struct ipc_msg *m;

	if (cost(n) > IPC_QUEUE_MAX - q->cost)
		return QERR_TOOBIG;
	if ((m = malloc(sizeof(*m) + n)) == NULL)
		return QERR_NOMEM;
	m->next = NULL;
	m->type = type;
	m->nfds = 0;
	m->n = n;
	if (n > 0)
		memcpy(m->body, p, n);
	if (!dup_fds) {
		for (; m->nfds < nfds; m->nfds++) {
			m->fds[m->nfds] = fds[m->nfds];
			fds[m->nfds] = -1;
		}
	} else if (dup_into(m, fds, nfds) != 0) {
		ipc_msg_free(&m);
		return QERR_SYS;
	}
	*q->end = m;
	q->end = &m->next;
	q->cost += cost(n);
	return 0;
}

struct ipc_msg *
ipc_queue_first(const struct ipc_queue *q)
{
	return q->first;
}

struct ipc_msg *
ipc_queue_pop(struct ipc_queue *q)
{
	struct ipc_msg *m = q->first;

	if (m == NULL)
		return NULL;
	q->first = m->next;
	if (q->first == NULL)
		q->end = &q->first;
	q->cost -= cost(m->n);
	return m;
}

void
ipc_queue_drop(struct ipc_queue *q)
{
	struct ipc_msg *m;

	while ((m = ipc_queue_pop(q)) != NULL)
		ipc_msg_free(&m);
}
