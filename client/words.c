#include "client/words.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/err.h"

static int
by_application(struct buf *b, const struct tp_close *why, const char *host,
    const struct addr *remote, bool running)
{
	char at[ADDR_STRLEN];

	addr_str(remote, at);
	if (why->reason[0])
		buf_printf(b, "Received disconnect from %s: %s\n", at, why->reason);
	if (running)
		return buf_printf(b, "Connection to %s closed by remote host.\n", host);
	return why->reason[0] ? b->err : buf_printf(b, "Connection closed by %s\n", at);
}

int
words_end(struct buf *b, const struct tp_close *why, const char *host, const struct addr *remote,
    bool running)
{
	switch (why->by) {
	case TP_CLOSED_APP:
		return by_application(b, why, host, remote, running);
	case TP_CLOSED_IDLE:
	case TP_CLOSED_HANDSHAKE_TIMEOUT:
		return buf_printf(b, "Timeout, server %s not responding.\n", host);
	case TP_CLOSED_RESET:
		return buf_printf(b,
		    "Connection to %s closed: the server was restarted, or has ended this session, and no "
		    "longer knows it.\n",
		    host);
	case TP_CLOSED_LOCAL:
	case TP_CLOSED_TRANSPORT:
	case TP_CLOSED_TLS:
	case TP_CLOSED_VERSION:
	case TP_CLOSED_SYS:
	case TP_CLOSED_REFUSED:
	case TP_CLOSED_CARRIER:
		break;
	}
	if (why->reason[0])
		return buf_printf(b, "Connection to %s lost: %s\n", host, why->reason);
	if (why->by == TP_CLOSED_SYS)
		return buf_printf(b, "Connection to %s lost: %s\n", host,
		    qerr_str(-(int)why->code));
	return buf_printf(b, "Connection to %s lost: %s error %llu\n", host,
	    why->by == TP_CLOSED_TLS ? "TLS" : "QUIC", (unsigned long long)why->code);
}

static void
put_amount(struct buf *b, uint64_t n)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)n;
	size_t i = 0;

	while (v >= 1000 && i + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		i++;
	}
	buf_printf(b, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

static void
put_age(struct buf *b, uint64_t ns)
{
	uint64_t s = ns / NS_PER_S;

	if (s >= 86400)
		buf_printf(b, "%llud ", (unsigned long long)(s / 86400));
	buf_printf(b, "%02u:%02u:%02u", (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
	    (unsigned)(s % 60));
}

static double
ms(uint64_t ns)
{
	return (double)ns / (double)NS_PER_MS;
}

int
words_state(struct buf *b, const struct tp_stats *st, const char *host, uint64_t now)
{
	char at[ADDR_STRLEN];
	bool has_path = st->path.remote.len != 0;
	uint64_t heard = st->last_rx_ns && now > st->last_rx_ns ? now - st->last_rx_ns : 0;

	buf_printf(b, "Connection to %s, %s\n", host,
	    has_path ? addr_str(&st->path.remote, at) : "where its command leads");
	buf_printf(b, "  path        from %s, %zu bytes a packet, moved %u time%s\n",
	    has_path ? addr_str(&st->path.local, at) : "its command", st->pmtu, st->moves,
	    st->moves == 1 ? "" : "s");
	buf_printf(b, "  round trip  %.1f ms, least %.1f ms, varies by %.1f ms\n", ms(st->rtt_ns),
	    ms(st->min_rtt_ns), ms(st->rttvar_ns));
	buf_printf(b, "  loss        %.2f %%, %llu of %llu packets\n",
	    st->pkts_sent ? 100.0 * (double)st->pkts_lost / (double)st->pkts_sent : 0.0,
	    (unsigned long long)st->pkts_lost, (unsigned long long)st->pkts_sent);
	buf_printf(b, "  bytes       ");
	put_amount(b, st->sent);
	buf_printf(b, " sent, ");
	put_amount(b, st->received);
	buf_printf(b, " received, ");
	put_amount(b, st->inflight);
	buf_printf(b, " of ");
	put_amount(b, st->cwnd);
	buf_printf(b, " under way\n  age         ");
	put_age(b, st->age_ns);
	buf_printf(b, ", last heard %.1f s ago", (double)heard / (double)NS_PER_S);
	if (st->asked_ns && now > st->asked_ns)
		buf_printf(b, ", waiting for an answer for %.1f s",
		    (double)(now - st->asked_ns) / (double)NS_PER_S);
	buf_printf(b, "\n");
	return buf_printf(b, "  engine      %s over %s, %s\n", st->engine ? st->engine : "?",
	    st->carrier ? st->carrier : "?", st->cipher ? st->cipher : "?");
}
