#include "client/target.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/str.h"

static bool
clean(const char *s, const char *forbidden)
{
	if (*s == '-')
		return false;
	for (; *s; s++)
		if (iscntrl((unsigned char)*s) || strchr(forbidden, *s))
			return false;
	return true;
}

bool
target_host_ok(const char *host)
{
	return *host && clean(host, " '`\"$\\;&<>|(){}");
}

bool
target_user_ok(const char *user)
{
	return *user && clean(user, "'`\"$;&<>|(){}");
}

/* n bytes with %XX decoded; NULL for a malformed escape, a zero byte, or no memory. */
static char *
decode(const char *s, size_t n)
{
	char *out = malloc(n + 1), *d = out;

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		char hex[3];

		if (s[i] != '%') {
			*d++ = s[i];
			continue;
		}
		if (n - i < 3 || !isxdigit((unsigned char)s[i + 1]) ||
		    !isxdigit((unsigned char)s[i + 2]) || memcmp(s + i, "%00", 3) == 0) {
			free(out);
			return NULL;
		}
		hex[0] = s[i + 1], hex[1] = s[i + 2], hex[2] = 0;
		*d++ = (char)strtol(hex, NULL, 16);
		i += 2;
	}
	*d = 0;
	return out;
}

/* RFC 3986's authority: [user[;parameters]@]host[:port], an IPv6 address in brackets; nothing but
 * a slash may follow. */
static int
parse_uri(struct target *t, const char *s, const char **why)
{
	size_t n = strcspn(s, "/?#");
	const char *end = s + n, *at = memchr(s, '@', n), *host, *host_end, *port = NULL;
	long long v;

	*why = "malformed URI";
	if (*end && strcmp(end, "/") != 0)
		return *why = "a path has no meaning here", QERR_FORMAT;
	if (at) {
		t->user = decode(s, strcspn(s, ";@"));
		if (!t->user)
			return QERR_FORMAT;
	}
	host = at ? at + 1 : s;
	if (*host == '[') {
		host_end = memchr(host, ']', (size_t)(end - host));
		if (!host_end || (host_end[1] != ':' && host_end + 1 != end))
			return QERR_FORMAT;
		port = host_end[1] == ':' ? host_end + 2 : NULL;
		host++;
	} else {
		host_end = memchr(host, ':', (size_t)(end - host));
		port = host_end ? host_end + 1 : NULL;
		if (!host_end)
			host_end = end;
	}
	t->host = decode(host, (size_t)(host_end - host));
	if (!t->host)
		return QERR_FORMAT;
	if (port && port < end) {
		char num[8] = {0};

		if ((size_t)(end - port) >= sizeof(num))
			return *why = "bad port", QERR_FORMAT;
		memcpy(num, port, (size_t)(end - port));
		if (str_to_int(num, 1, 65535, &v) < 0)
			return *why = "bad port", QERR_FORMAT;
		t->port = (unsigned)v;
	}
	return 0;
}

static int
parse_plain(struct target *t, const char *s)
{
	const char *at = strrchr(s, '@'); /* a user name may have one of its own */

	if (at && at != s)
		t->user = strndup(s, (size_t)(at - s));
	t->host = strdup(at && at != s ? at + 1 : s);
	return t->host && (t->user || !at || at == s) ? 0 : QERR_NOMEM;
}

int
target_parse(struct target *t, const char *s, const char **why)
{
	int rc;

	memset(t, 0, sizeof(*t));
	*why = "out of memory";
	if (strncasecmp(s, "qsh://", 6) == 0 || strncasecmp(s, "ssh://", 6) == 0)
		rc = parse_uri(t, s + 6, why);
	else
		rc = parse_plain(t, s);
	if (rc == 0 && !target_host_ok(t->host)) {
		*why = "hostname contains invalid characters";
		rc = QERR_FORMAT;
	}
	return rc;
}

void
target_free(struct target *t)
{
	free(t->user);
	free(t->host);
	memset(t, 0, sizeof(*t));
}
