#include "server/net/closetext.h"

#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"

static const char *const app_codes[] = {
	[TP_OK] = "orderly end",
	[TP_E_PROTOCOL] = "protocol error",
	[TP_E_UNKNOWN] = "unknown message",
	[TP_E_LIMIT] = "limit exceeded",
	[TP_E_AUTH] = "authentication failed",
	[TP_E_TIMEOUT] = "out of time",
	[TP_E_DENIED] = "refused",
	[TP_E_ADMIN] = "ended by the administrator",
	[TP_E_INTERNAL] = "internal failure",
	[TP_E_HOSTKEY] = "host key not accepted",
	[TP_E_CANCELLED] = "cancelled",
	[TP_E_BUSY] = "server full",
};

/* Ends without a code of their own. */
static const char *const plain[] = {
	[TP_CLOSED_IDLE] = "the client has been silent for too long",
	[TP_CLOSED_RESET] = "the client no longer knows the connection (stateless reset)",
	[TP_CLOSED_VERSION] = "no common QUIC version",
	[TP_CLOSED_HANDSHAKE_TIMEOUT] = "the client did not finish the handshake in time",
	[TP_CLOSED_REFUSED] = "the client's address refuses packets",
	[TP_CLOSED_CARRIER] = "the byte stream beneath it has ended",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
app_text(char *dst, size_t n, const struct tp_close *why, const char *reason)
{
	const char *name = why->code < COUNT(app_codes) ? app_codes[why->code] : "unknown code";
	const char *who = why->by == TP_CLOSED_APP ? "by the client" : "by the server";

	if (reason[0] == '\0')
		(void)snprintf(dst, n, "%s: %s (code %llu)", who, name,
		    (unsigned long long)why->code);
	else
		(void)snprintf(dst, n, "%s: %s (code %llu, %s)", who, reason,
		    (unsigned long long)why->code, name);
}

static void
tls_text(char *dst, size_t n, const struct tp_close *why, const char *reason)
{
	if (why->code == 120)
		(void)snprintf(dst, n, "the client speaks another protocol (TLS alert 120)");
	else
		(void)snprintf(dst, n, "TLS handshake failed%s: alert %llu%s%s",
		    why->remote ? " at the client" : "", (unsigned long long)why->code,
		    reason[0] != '\0' ? ", " : "", reason);
}

const char *
close_text(char *dst, size_t n, const struct tp_close *why)
{
	char reason[4 * sizeof(why->reason)];

	str_vis(reason, sizeof(reason), why->reason, strnlen(why->reason, sizeof(why->reason)));
	switch (why->by) {
	case TP_CLOSED_LOCAL:
	case TP_CLOSED_APP:
		app_text(dst, n, why, reason);
		break;
	case TP_CLOSED_TLS:
		tls_text(dst, n, why, reason);
		break;
	case TP_CLOSED_TRANSPORT:
		(void)snprintf(dst, n, "QUIC error %#llx%s%s%s", (unsigned long long)why->code,
		    why->remote ? " said by the client" : "",
		    reason[0] != '\0' ? ": " : "", reason);
		break;
	case TP_CLOSED_CARRIER:
		(void)snprintf(dst, n, "%s", reason[0] != '\0' ? reason : plain[why->by]);
		break;
	case TP_CLOSED_SYS:
		(void)snprintf(dst, n, "local failure: %s",
		    reason[0] != '\0' ? reason : qerr_str(-(int)why->code));
		break;
	default:
		(void)snprintf(dst, n, "%s",
		    (size_t)why->by < COUNT(plain) && plain[why->by] != NULL ? plain[why->by] :
									       "ended");
	}
	return dst;
}
