/* Port, ListenAddress and AddressFamily to socket addresses. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/conf/table.h"

struct addrs {
	struct addr *v;
	size_t n;
	int family;
	bool numeric; /* no look-ups, and nothing in the log */
	const char *option; /* for the log */
};

static int
add_addr(struct addrs *l, const struct addr *a)
{
	struct addr *v;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (addr_equal(&l->v[i], a))
			return 0;
	if ((v = reallocarray(l->v, l->n + 1, sizeof(*v))) == NULL)
		return QERR_NOMEM;
	l->v = v;
	l->v[l->n++] = *a;
	return 0;
}

/* All addresses of a host (NULL: the wildcards) with a port. */
static int
add_host(struct addrs *l, const char *host, const char *port)
{
	static const int families[] = {
	    [SCONF_AF_ANY] = AF_UNSPEC, [SCONF_AF_INET] = AF_INET, [SCONF_AF_INET6] = AF_INET6};
	struct addrinfo hints = {.ai_family = families[l->family], .ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL, *ai;
	struct addr a;
	int r;

	hints.ai_flags = AI_NUMERICSERV | (host == NULL ? AI_PASSIVE : 0) |
			 (l->numeric ? AI_NUMERICHOST : 0);
	if ((r = getaddrinfo(host, port, &hints, &list)) != 0) {
		if (!l->numeric)
			log_error(
			    "%s %s: %s", l->option, host != NULL ? host : "*", gai_strerror(r));
		return QERR_NOTFOUND;
	}
	r = 0;
	for (ai = list; ai != NULL && r == 0; ai = ai->ai_next)
		if (addr_from_sa(&a, ai->ai_addr, ai->ai_addrlen) == 0)
			r = add_addr(l, &a);
	freeaddrinfo(list);
	return r;
}

/* A host with every Port. */
static int
add_ports(struct addrs *l, const struct sconf *c, const char *host, const char *default_port)
{
	size_t i;
	int r = 0;

	if (c->ports.n == 0)
		return add_host(l, host, default_port);
	for (i = 0; i < c->ports.n && r == 0; i++)
		r = add_host(l, host, c->ports.v[i]);
	return r;
}

static int
add_written(struct addrs *l, const struct sconf *c, const char *word, const char *default_port)
{
	char *host, *port;
	int r;

	if ((r = sconf_split_listen(word, &host, &port)) != 0)
		return r;
	if (port != NULL)
		r = add_host(l, host, port);
	else
		r = add_ports(l, c, host, default_port);
	free(host);
	free(port);
	return r;
}

int
sconf_listen_addrs(const struct sconf *c, uint16_t default_port, struct addr **out, size_t *n)
{
	struct addrs l = {.family = c->address_family, .option = "ListenAddress"};
	char port[8];
	size_t i;
	int r = 0;

	snprintf(port, sizeof(port), "%u", default_port);
	if (c->listen.n == 0)
		r = add_ports(&l, c, NULL, port);
	for (i = 0; i < c->listen.n && r == 0; i++)
		r = add_written(&l, c, c->listen.v[i], port);
	if (r != 0) {
		free(l.v);
		l.v = NULL;
		l.n = 0;
	}
	*out = l.v;
	*n = l.n;
	return r;
}

int
sconf_tcp_addrs(const struct sconf *c, struct addr **out, size_t *n)
{
	struct addrs l = {.family = c->address_family, .option = "TcpListenAddress"};
	char *host, *port;
	size_t i;
	int r = 0;

	for (i = 0; i < c->tcp_listen.n && r == 0; i++) {
		r = sconf_split_tcp(c->tcp_listen.v[i], &host, &port);
		if (r == 0 && port != NULL)
			r = add_host(&l, host, port);
		free(host);
		free(port);
	}
	if (r != 0) {
		free(l.v);
		l.v = NULL;
		l.n = 0;
	}
	*out = l.v;
	*n = l.n;
	return r;
}

/* As sshd shows it, an address and port a line; names as they are written. */
int
sconf_dump_listen(struct buf *b, const struct conf_opt *o, const void *base)
{
	const struct sconf *c = base;
	struct addrs l = {.family = c->address_family, .numeric = true};
	char text[ADDR_STRLEN];
	size_t i;

	if (c->listen.n == 0 && add_ports(&l, c, NULL, "0") != 0)
		return b->err;
	for (i = 0; i < c->listen.n; i++) {
		if (add_written(&l, c, c->listen.v[i], "0") == 0)
			continue;
		conf_dump_keyword(b, o->name);
		buf_printf(b, " %s\n", c->listen.v[i]);
	}
	for (i = 0; i < l.n; i++) {
		conf_dump_keyword(b, o->name);
		addr_host(&l.v[i], text);
		buf_printf(b, strchr(text, ':') != NULL ? " [%s]:%u\n" : " %s:%u\n", text,
		    addr_port(&l.v[i]));
	}
	free(l.v);
	return b->err;
}
