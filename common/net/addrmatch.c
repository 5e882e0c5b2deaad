/* Lists of addresses, CIDR blocks and wildcards, as from= and Match Address have them. */
#include <arpa/inet.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/net/addr.h"

#define ENTRY_MAX 127 /* bytes; wildcards over an address need no more */

struct block {
	int family;
	uint8_t ip[16];
	unsigned bits; /* of the address that count */
};

static const uint8_t *
addr_bytes(const struct addr *a)
{
	return a->u.sa.sa_family == AF_INET ? (const uint8_t *)&a->u.in.sin_addr :
	    a->u.in6.sin6_addr.s6_addr;
}

static int
parse_ip(struct block *b, const char *s)
{
	struct in_addr in;

	memset(b, 0, sizeof(*b));
	if (inet_pton(AF_INET6, s, b->ip) == 1) {
		b->family = AF_INET6;
		b->bits = 128;
		return 0;
	}
	/* Short forms ("127.1") mean an address in ssh's lists too. It would pass over
	 * what follows a space. */
	if (s[strcspn(s, " \t")] != '\0' || inet_aton(s, &in) != 1)
		return QERR_FORMAT;
	memcpy(b->ip, &in, sizeof(in));
	b->family = AF_INET;
	b->bits = 32;
	return 0;
}

/* Bits that do not count must be zero: 10.1.2.3/8 is most likely a mistake. */
static bool
host_bits_zero(const struct block *b)
{
	unsigned n = b->family == AF_INET ? 4 : 16;

	for (unsigned i = b->bits / 8; i < n; i++) {
		unsigned host = i == b->bits / 8 ? 0xffU >> (b->bits % 8) : 0xffU;

		if ((b->ip[i] & host) != 0)
			return false;
	}
	return true;
}

/* Cuts s at its slash. */
static int
parse_block(struct block *b, char *s)
{
	char *slash = strchr(s, '/');
	long long bits;

	if (slash != NULL)
		*slash++ = '\0';
	if (parse_ip(b, s) != 0)
		return QERR_FORMAT;
	if (slash == NULL)
		return 0;
	if (*slash == '-' || str_to_int(slash, 0, b->bits, &bits) != 0)
		return QERR_FORMAT;
	b->bits = (unsigned)bits;
	return host_bits_zero(b) ? 0 : QERR_FORMAT;
}

static bool
in_block(const struct addr *a, const struct block *b)
{
	const uint8_t *ip = addr_bytes(a);
	unsigned whole = b->bits / 8, rest = b->bits % 8;

	if (a->u.sa.sa_family != b->family || memcmp(ip, b->ip, whole) != 0)
		return false;
	return rest == 0 || ((ip[whole] ^ b->ip[whole]) >> (8 - rest)) == 0;
}

/* 1, 0 or QERR_FORMAT for one entry without its '!'. */
static int
match_entry(const struct addr *a, const char *host, const char *s, size_t n)
{
	char entry[ENTRY_MAX + 1];
	bool has_slash;
	struct addr scoped;
	struct block b;

	if (n == 0 || n > ENTRY_MAX)
		return QERR_FORMAT;
	memcpy(entry, s, n);
	entry[n] = '\0';
	/* The text of an address has its interface's number; the entry may have its name. */
	if (strchr(entry, '%') != NULL && addr_parse(&scoped, entry, 0) == 0)
		return a != NULL && addr_equal_host(a, &scoped);
	has_slash = strchr(entry, '/') != NULL;
	if (parse_block(&b, entry) == 0)
		return a != NULL && a->len != 0 && in_block(a, &b);
	if (has_slash) /* no address contains one: not a wildcard */
		return QERR_FORMAT;
	return a != NULL && a->len != 0 && str_match(host, entry);
}

int
addr_match_list(const struct addr *a, const char *list)
{
	char host[ADDR_STRLEN] = "";
	int r, found = 0;
	bool negated;
	size_t n;

	if (a != NULL)
		addr_host(a, host);
	for (;; list += n + 1) {
		negated = *list == '!';
		if (negated)
			list++;
		n = strcspn(list, ",");
		if ((r = match_entry(a, host, list, n)) < 0)
			return QERR_FORMAT;
		if (r == 1 && negated)
			return -1;
		if (r == 1)
			found = 1;
		if (list[n] == '\0')
			return found;
	}
}
