/* A firewall on the emulated link that does not let UDP through: it drops packets, or says so to who sent them. */
#ifndef QSH_TESTS_NET_FILTER_H
#define QSH_TESTS_NET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum filter_udp { FILTER_PASS, FILTER_DROP, FILTER_REFUSE, FILTER_PROHIBIT };
#define FILTER_ANSWER_MAX 64

/* False where the packet may not pass. Then *answer_n bytes at answer are an ICMP error for its sender (RFC 792: port
 * unreachable, or RFC 1812: administratively prohibited); none to IPv6, which is only dropped. */
bool filter_packet(enum filter_udp what, const uint8_t *p, size_t n, uint8_t answer[FILTER_ANSWER_MAX],
    size_t *answer_n);
bool filter_is_udp(const uint8_t *p, size_t n);
/* "pass", "drop", "refuse", "prohibit". */
bool filter_parse(const char *word, enum filter_udp *what);

#endif
