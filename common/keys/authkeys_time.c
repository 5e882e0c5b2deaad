/* expiry-time= of authorized_keys. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/keys/authkeys_opts.h"

/* The next n digits of *s, in [min, max]. */
static bool
take(const char **s, size_t n, int min, int max, int *out)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		if (**s < '0' || **s > '9')
			return false;
		v = 10 * v + (*(*s)++ - '0');
	}
	*out = v;
	return v >= min && v <= max;
}

int
authkey_time_parse(const char *s, uint64_t *t)
{
	struct tm tm = {.tm_isdst = -1};
	size_t n = strspn(s, "0123456789");
	bool utc = strcasecmp(s + n, "Z") == 0 || strcasecmp(s + n, "UTC") == 0;

	if ((!utc && s[n] != '\0') || (n != 8 && n != 12 && n != 14))
		return QERR_FORMAT;
	if (!take(&s, 4, 0, 9999, &tm.tm_year) || !take(&s, 2, 1, 12, &tm.tm_mon) ||
	    !take(&s, 2, 1, 31, &tm.tm_mday))
		return QERR_FORMAT;
	if (n > 8 && (!take(&s, 2, 0, 23, &tm.tm_hour) || !take(&s, 2, 0, 59, &tm.tm_min)))
		return QERR_FORMAT;
	if (n > 12 && !take(&s, 2, 0, 60, &tm.tm_sec))
		return QERR_FORMAT;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	time_t v = utc ? timegm(&tm) : mktime(&tm);
	if (v <= 0) /* a time before the epoch would read as "never" */
		return QERR_FORMAT;
	*t = (uint64_t)v;
	return 0;
}
