/* Internet addresses. */
#ifndef QSH_NET_ADDR_H
#define QSH_NET_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	socklen_t len; /* 0: none */
};

#define ADDR_STRLEN 80

/* From a socket address of family AF_INET or AF_INET6; IPv4-mapped addresses
 * become IPv4. QERR_UNSUPPORTED for another family. */
int addr_from_sa(struct addr *a, const struct sockaddr *sa, socklen_t len);
/* A numeric address ("192.0.2.1", "2001:db8::1", "fe80::1%eth0"), port in host
 * order. QERR_FORMAT. */
int addr_parse(struct addr *a, const char *ip, uint16_t port);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_equal(const struct addr *a, const struct addr *b);      /* address and port */
bool addr_equal_host(const struct addr *a, const struct addr *b); /* address alone */
bool addr_is_any(const struct addr *a);
/* "192.0.2.1", "2001:db8::1", "fe80::1%2" (an interface's number), "UNKNOWN" for none; dst has ADDR_STRLEN
 * bytes; returns dst. Makes no system call: fit for a sandbox. */
const char *addr_host(const struct addr *a, char *dst);
/* "192.0.2.1 port 22", as ssh writes it in logs. */
const char *addr_str(const struct addr *a, char *dst);
/* addr_str in one of four rotating static buffers, for log lines. */
const char *addr_show(const struct addr *a);
/* Is the address in one of the entries of a comma-separated list of patterns
 * and CIDR blocks, as from= and Match Address have it? 1 yes, 0 no, -1 a negated entry
 * matched, QERR_FORMAT (-5) for a malformed list: an empty entry, a mask that is too long, bits set
 * beyond the mask. An entry without a scope matches any scope. a NULL: checks the list (0 or QERR_FORMAT). */
int addr_match_list(const struct addr *a, const char *list);

#endif
