#include "tests/net/filter.h"

#include <netinet/in.h>
#include <string.h>

#define IP4_LEN  20
#define ICMP_LEN 8
#define QUOTED   28 /* of the packet: its header and 8 bytes */

bool
filter_parse(const char *word, enum filter_udp *what)
{
	static const char *const words[] = {
		[FILTER_PASS] = "pass", [FILTER_DROP] = "drop", [FILTER_REFUSE] = "refuse", [FILTER_PROHIBIT] = "prohibit"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*what = (enum filter_udp)i;
			return true;
		}
	}
	return false;
}

bool
filter_is_udp(const uint8_t *p, size_t n)
{
	return (n >= IP4_LEN && p[0] >> 4 == 4 && p[9] == IPPROTO_UDP) ||
	    (n >= 40 && p[0] >> 4 == 6 && p[6] == IPPROTO_UDP);
}

static void
put_sum(uint8_t *at, const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

static size_t
icmp_error(uint8_t *a, const uint8_t *p, uint8_t code)
{
	const size_t n = IP4_LEN + ICMP_LEN + QUOTED;

	memset(a, 0, n);
	a[0] = 0x45;
	a[3] = (uint8_t)n;
	a[8] = 64;
	a[9] = IPPROTO_ICMP;
	memcpy(a + 12, p + 16, 4); /* as from the one that it was for */
	memcpy(a + 16, p + 12, 4);
	put_sum(a + 10, a, IP4_LEN);
	a[IP4_LEN] = 3; /* destination unreachable */
	a[IP4_LEN + 1] = code;
	memcpy(a + IP4_LEN + ICMP_LEN, p, QUOTED);
	put_sum(a + IP4_LEN + 2, a + IP4_LEN, ICMP_LEN + QUOTED);
	return n;
}

bool
filter_packet(enum filter_udp what, const uint8_t *p, size_t n, uint8_t answer[FILTER_ANSWER_MAX], size_t *answer_n)
{
	*answer_n = 0;
	if (what == FILTER_PASS || !filter_is_udp(p, n))
		return true;
	if (what != FILTER_DROP && p[0] == 0x45 && n >= QUOTED)
		*answer_n = icmp_error(answer, p, what == FILTER_REFUSE ? 3 : 13);
	return false;
}
