/* What a server's paths are called in ngtcp2: all have one local address there, which is nobody's.
 *
 * ngtcp2 1.11 takes a connection ID of the client's for each packet that comes from elsewhere to another local
 * address, be it with a connection ID of ours that the client has used before; and the client gets none back while
 * it cannot be reached. A client that has been trying IPv4 and IPv6 in turn, for long enough, has none left, and
 * its next packets are read without being answered: the server goes on on the old path, for good. With one local
 * address a connection ID is taken where the client has taken one, and where there is none left the present one
 * goes on (RFC 9000 section 9.5 would have us use another one from another address of ours: but it is the
 * client that has decided to go on with its own). */
#include "quic/user/conn_int.h"

static struct qname *
find(struct tp_conn *c, const struct addr *remote)
{
	unsigned i;

	for (i = 0; i < QNAMES; i++) {
		if (addr_equal(&c->names[i].path.remote, remote))
			return &c->names[i];
	}
	return NULL;
}

void
qname_init(struct tp_conn *c)
{
	addr_parse(&c->own, "0.0.0.0", 1);
	qname_learn(c, &c->path);
}

void
qname_of(struct tp_conn *c, const struct tp_path *real, struct tp_path *name)
{
	struct qname *n = c->server ? find(c, &real->remote) : NULL;

	*name = *real;
	/* One that comes from the same place to two addresses of ours has two names. */
	if (c->server && (n == NULL || addr_equal(&n->path.local, &real->local)))
		name->local = c->own;
}

void
qname_learn(struct tp_conn *c, const struct tp_path *real)
{
	struct qname *n = c->server ? find(c, &real->remote) : NULL;
	unsigned i;

	if (!c->server)
		return;
	if (n == NULL) {
		n = &c->names[0];
		for (i = 1; i < QNAMES; i++) {
			if (c->names[i].at < n->at)
				n = &c->names[i];
		}
		n->path = *real;
	}
	if (addr_equal(&n->path.local, &real->local))
		n->at = c->now;
}

void
qname_real(struct tp_conn *c, struct tp_path *path)
{
	struct qname *n;

	if (!c->server || !addr_equal(&path->local, &c->own))
		return;
	n = find(c, &path->remote);
	path->local = n != NULL ? n->path.local : c->path.local; /* not known: of long ago */
}
