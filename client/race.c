#include "client/race.h"

#include <stdio.h>
#include <string.h>

#include "common/base/err.h"

/* The next address from i on whose family is (same) or is not family; n if none. */
static size_t
find_family(const struct addr *v, size_t n, size_t i, int family, bool same)
{
	for (; i < n; i++)
		if ((v[i].u.sa.sa_family == family) == same)
			break;
	return i;
}

void
race_interleave(struct addr *v, size_t n)
{
	int family = n > 0 ? v[0].u.sa.sa_family : AF_UNSPEC;

	for (size_t i = 1; i < n; i++) {
		/* The odd places take the other family while there is one. */
		size_t k = find_family(v, n, i, family, i % 2 == 0);
		struct addr a;

		if (k == n)
			return;
		a = v[k];
		memmove(&v[i + 1], &v[i], (k - i) * sizeof(*v));
		v[i] = a;
	}
}

size_t
race_plan(const struct addr *v, size_t n, const unsigned *ports, size_t nports, struct addr *out,
    size_t max)
{
	size_t k = 0;

	for (size_t p = 0; p < nports; p++) {
		for (size_t i = 0; i < n && k < max; i++) {
			out[k] = v[i];
			addr_set_port(&out[k++], (uint16_t)ports[p]);
		}
	}
	return k;
}

#define ALERT_NO_ALPN 120 /* no_application_protocol, RFC 7301 */

static const struct row {
	enum tp_close_by by;
	unsigned rank;   /* the higher, the more it tells */
	const char *text; /* NULL: the reason that came with it */
} rows[] = {
	{TP_CLOSED_APP, 9, NULL},
	{TP_CLOSED_TLS, 8, NULL},
	{TP_CLOSED_CARRIER, 7, NULL},
	{TP_CLOSED_VERSION, 7, "what answers there has no QUIC version in common with qsh"},
	{TP_CLOSED_TRANSPORT, 6, NULL},
	{TP_CLOSED_REFUSED, 5, "Connection refused"},
	{TP_CLOSED_RESET, 4, "Connection reset by peer"},
	{TP_CLOSED_HANDSHAKE_TIMEOUT, 3, "Connection timed out"},
	{TP_CLOSED_IDLE, 3, "Connection timed out"},
	{TP_CLOSED_SYS, 2, NULL},
	{TP_CLOSED_LOCAL, 1, "Connection timed out"},
};

static const struct row *
find(enum tp_close_by by)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].by == by)
			return &rows[i];
	return &rows[0];
}

bool
race_tells_more(const struct tp_close *a, const struct tp_close *b)
{
	return find(a->by)->rank > find(b->by)->rank;
}

const char *
race_reason(const struct tp_close *why, char *dst, size_t n)
{
	const struct row *r = find(why->by);

	if (why->by == TP_CLOSED_REFUSED && why->remote) /* CONNECTION_REFUSED, not ICMP */
		snprintf(dst, n, "the server is full: try again later");
	else if (r->text)
		snprintf(dst, n, "%s", r->text);
	else if (why->by == TP_CLOSED_TLS && why->code == ALERT_NO_ALPN)
		snprintf(dst, n, "what answers there speaks QUIC, but not qsh (no common ALPN)");
	else if (why->by == TP_CLOSED_TLS)
		snprintf(dst, n, "TLS handshake failed: %s (alert %llu)",
		    why->reason[0] ? why->reason : "no reason given",
		    (unsigned long long)why->code);
	else if (why->by == TP_CLOSED_APP && why->code == TP_E_BUSY)
		snprintf(dst, n, "the server is full: try again later");
	else if (why->reason[0])
		snprintf(dst, n, "%s", why->reason);
	else if (why->by == TP_CLOSED_SYS)
		snprintf(dst, n, "%s", qerr_str(-(int)why->code));
	else
		snprintf(dst, n, "closed by the server (code %llu)", (unsigned long long)why->code);
	return dst;
}
