/* flood: first packets of QUIC connections from many invented IPv4 addresses (198.18.0.0/15, RFC 2544), to see that a
 * server does not start work for them. Only for addresses of a namespace that the test made.
 *
 *   flood ADDRESS PORT PACKETS-A-SECOND SECONDS
 *
 * At the end, or at SIGTERM, it prints how many packets were sent. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 1200
#define SIZE (sizeof(struct iphdr) + sizeof(struct udphdr) + PAYLOAD)

static volatile sig_atomic_t enough;
static uint64_t rng = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t
rng_next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void
fill_random(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next();
}

/* An Initial packet (RFC 9000 section 17.2.2) with random connection IDs and payload. */
static void
make_initial(uint8_t *p)
{
	fill_random(p, PAYLOAD);
	p[0] = 0xc0 | (p[0] & 0x0f);
	memcpy(p + 1, "\0\0\0\1", 4);
	p[5] = 8;                     /* destination connection ID */
	p[14] = 8;                    /* source connection ID */
	p[23] = 0;                    /* no token */
	p[24] = 0x40 | ((PAYLOAD - 26) >> 8);
	p[25] = (PAYLOAD - 26) & 0xff;
}

static void
make_packet(uint8_t *p, const struct sockaddr_in *to)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	struct udphdr udp = {0};

	ip.tot_len = htons((uint16_t)SIZE);
	ip.saddr = htonl(0xc6120000 | (uint32_t)(rng_next() & 0x1ffff));
	ip.daddr = to->sin_addr.s_addr;
	udp.source = htons((uint16_t)(1024 + rng_next() % 60000));
	udp.dest = to->sin_port;
	udp.len = htons(sizeof(udp) + PAYLOAD);
	memcpy(p, &ip, sizeof(ip));
	memcpy(p + sizeof(ip), &udp, sizeof(udp)); /* checksum 0: none */
	make_initial(p + sizeof(ip) + sizeof(udp));
}

static void
on_term(int signo)
{
	(void)signo;
	enough = 1;
}

int
main(int argc, char **argv)
{
	static uint8_t packet[SIZE];
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timespec next;
	unsigned long rate, seconds, sent = 0;
	int fd;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: flood ADDRESS PORT PACKETS-A-SECOND SECONDS\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	rate = strtoul(argv[3], NULL, 10);
	seconds = strtoul(argv[4], NULL, 10);
	if (rate > 100000 || seconds > 60)
		return 2;
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("flood: raw socket");
		return 1;
	}
	(void)signal(SIGTERM, on_term);
	clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned long tick = 0; tick < seconds * 100 && !enough; tick++) {
		for (unsigned long i = 0; i < rate / 100; i++) {
			make_packet(packet, &to);
			if (sendto(fd, packet, SIZE, 0, (struct sockaddr *)&to, sizeof(to)) > 0)
				sent++;
		}
		next.tv_nsec += 10000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("%lu packets\n", sent);
	close(fd);
	return 0;
}
