#include "common/base/str.h"

#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

char *
str_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (s = malloc((size_t)n + 1)) == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

int
str_to_int(const char *s, long long min, long long max, long long *out)
{
	bool neg = *s == '-';
	long long v = 0;

	if (neg)
		s++;
	if (*s == '\0')
		return QERR_FORMAT;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return QERR_FORMAT;
		/* Counted downwards: LLONG_MIN has no positive counterpart. */
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_sub_overflow(v, *s - '0', &v))
			return QERR_FORMAT;
	}
	if (!neg) {
		if (v == LLONG_MIN)
			return QERR_FORMAT;
		v = -v;
	}
	if (v < min || v > max)
		return QERR_FORMAT;
	*out = v;
	return 0;
}

static uint64_t
unit_seconds(char c)
{
	switch (c) {
	case 's': case 'S': return 1;
	case 'm': case 'M': return 60;
	case 'h': case 'H': return 60 * 60;
	case 'd': case 'D': return 24 * 60 * 60;
	case 'w': case 'W': return 7 * 24 * 60 * 60;
	default: return 0;
	}
}

int
str_to_time(const char *s, uint64_t *seconds)
{
	uint64_t total = 0, v, unit;

	if (*s == '\0')
		return QERR_FORMAT;
	while (*s != '\0') {
		if (*s < '0' || *s > '9')
			return QERR_FORMAT;
		for (v = 0; *s >= '0' && *s <= '9'; s++) {
			v = v * 10 + (uint64_t)(*s - '0');
			if (v > INT_MAX)
				return QERR_FORMAT;
		}
		unit = 1;
		if (*s != '\0' && (unit = unit_seconds(*s++)) == 0)
			return QERR_FORMAT;
		/* v and unit are below 2^31 and 2^20: no overflow. */
		if ((total += v * unit) > INT_MAX)
			return QERR_FORMAT;
	}
	*seconds = total;
	return 0;
}

static const char size_units[] = "KMG"; /* each 1024 times the one before */

int
str_to_size(const char *s, uint64_t *bytes)
{
	const char *unit;
	uint64_t v = 0;
	size_t n;

	if (*s < '0' || *s > '9')
		return QERR_FORMAT;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (v > (INT64_MAX - 9) / 10)
			return QERR_FORMAT;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (*s != '\0') {
		unit = strchr(size_units, *s & ~0x20);
		if (unit == NULL || *unit == '\0' || s[1] != '\0')
			return QERR_FORMAT;
		for (n = 0; n <= (size_t)(unit - size_units); n++) {
			if (v > INT64_MAX / 1024)
				return QERR_FORMAT;
			v *= 1024;
		}
	}
	*bytes = v;
	return 0;
}

char *
str_size(char dst[STR_SIZE_LEN], uint64_t bytes)
{
	size_t n = 0;

	while (n < sizeof(size_units) - 1 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		n++;
	}
	if (n == 0)
		snprintf(dst, STR_SIZE_LEN, "%" PRIu64, bytes);
	else
		snprintf(dst, STR_SIZE_LEN, "%" PRIu64 "%c", bytes, size_units[n - 1]);
	return dst;
}

char *
str_b64(const void *p, size_t n)
{
	const int variant = sodium_base64_VARIANT_ORIGINAL;
	size_t len;
	char *s;

	if (n > SIZE_MAX / 2)
		return NULL;
	len = sodium_base64_encoded_len(n, variant);
	if ((s = malloc(len)) == NULL)
		return NULL;
	return sodium_bin2base64(s, len, p, n, variant);
}

uint8_t *
str_b64_decode(const char *s, size_t n, size_t *outlen)
{
	uint8_t *p;

	*outlen = 0;
	/* libsodium 1.0.18 takes bytes past ASCII for digits. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return NULL;
	if ((p = malloc(n / 4 * 3 + 3)) == NULL)
		return NULL;
	if (sodium_base642bin(p, n / 4 * 3 + 3, s, n, NULL, outlen, NULL,
	    sodium_base64_VARIANT_ORIGINAL) != 0) {
		free(p);
		*outlen = 0;
		return NULL;
	}
	return p;
}

void *
mem_dup(const void *p, size_t n)
{
	void *q = malloc(n > 0 ? n : 1);

	if (q != NULL && n > 0)
		memcpy(q, p, n);
	return q;
}
