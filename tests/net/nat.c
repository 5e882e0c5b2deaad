#include "tests/net/nat.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 1024

struct flow {
	uint32_t addr;       /* inside, network order */
	uint16_t port;       /* inside, network order */
	uint8_t proto;
};

struct nat {
	uint32_t addr;       /* outside; 0: off */
	uint16_t base;       /* outside port of flow 0, host order */
	size_t nflows;
	struct flow flows[FLOWS];
};

struct nat *
nat_new(void)
{
	struct nat *nat = calloc(1, sizeof(*nat));

	if (nat != NULL)
		nat->base = 20000;
	return nat;
}

void
nat_free(struct nat **nat)
{
	free(*nat);
	*nat = NULL;
}

void
nat_bind(struct nat *nat, uint32_t addr)
{
	nat->addr = addr;
	nat->base = (uint16_t)(nat->base >= 60000 ? 20000 : nat->base + FLOWS);
	nat->nflows = 0;
}

/* RFC 1624: changes a 16-bit word under a checksum. */
static void
fix_sum(uint8_t *sum, uint16_t was, uint16_t is)
{
	uint16_t old;
	uint32_t v;

	memcpy(&old, sum, 2);
	v = (uint32_t)(uint16_t)~old + (uint16_t)~was + is;
	v = (v & 0xffff) + (v >> 16);
	v = (v & 0xffff) + (v >> 16);
	old = (uint16_t)~v;
	memcpy(sum, &old, 2);
}

/* Replaces address at p + addr_off and port at l4 + port_off, and mends the checksums. */
static void
rewrite(uint8_t *p, size_t addr_off, uint8_t *l4, size_t port_off, size_t sum_off, uint32_t addr,
    uint16_t port)
{
	uint16_t was[3], is[3];

	memcpy(was, p + addr_off, 4);
	memcpy(was + 2, l4 + port_off, 2);
	memcpy(is, &addr, 4);
	is[2] = port;
	for (int i = 0; i < 2; i++)
		fix_sum(p + 10, was[i], is[i]);
	if (l4[sum_off] != 0 || l4[sum_off + 1] != 0) {
		for (int i = 0; i < 3; i++)
			fix_sum(l4 + sum_off, was[i], is[i]);
	}
	memcpy(p + addr_off, &addr, 4);
	memcpy(l4 + port_off, &port, 2);
}

/* The transport header of a TCP or UDP packet over IPv4 that is not a later fragment; its checksum's place. */
static uint8_t *
transport_header(uint8_t *p, size_t n, size_t *sum_off)
{
	size_t hl;

	if (n < 20 || p[0] >> 4 != 4)
		return NULL;
	hl = (size_t)(p[0] & 15) * 4;
	if (hl < 20 || n < hl + 20 - (p[9] == IPPROTO_UDP ? 12 : 0) || ((p[6] & 0x1f) | p[7]) != 0)
		return NULL;
	if (p[9] == IPPROTO_UDP)
		*sum_off = 6;
	else if (p[9] == IPPROTO_TCP)
		*sum_off = 16;
	else
		return NULL;
	return p + hl;
}

int
nat_a2b(struct nat *nat, uint8_t *p, size_t n)
{
	size_t sum_off, i;
	uint32_t addr;
	uint16_t port;
	uint8_t *l4;

	if (nat->addr == 0 || (l4 = transport_header(p, n, &sum_off)) == NULL)
		return 0;
	memcpy(&addr, p + 12, 4);
	memcpy(&port, l4, 2);
	for (i = 0; i < nat->nflows; i++)
		if (nat->flows[i].addr == addr && nat->flows[i].port == port && nat->flows[i].proto == p[9])
			break;
	if (i == nat->nflows) {
		if (nat->nflows == FLOWS)
			return -1;
		nat->flows[nat->nflows++] = (struct flow){addr, port, p[9]};
	}
	rewrite(p, 12, l4, 0, sum_off, nat->addr, htons((uint16_t)(nat->base + i)));
	return 0;
}

int
nat_b2a(struct nat *nat, uint8_t *p, size_t n)
{
	const struct flow *f;
	size_t sum_off, i;
	uint16_t port;
	uint8_t *l4;

	if (nat->addr == 0 || (l4 = transport_header(p, n, &sum_off)) == NULL)
		return 0;
	memcpy(&port, l4 + 2, 2);
	i = (size_t)ntohs(port) - nat->base;
	if (i >= nat->nflows || memcmp(p + 16, &nat->addr, 4) != 0)
		return -1;
	f = &nat->flows[i];
	if (f->proto != p[9])
		return -1;
	rewrite(p, 16, l4, 2, sum_off, f->addr, f->port);
	return 0;
}
