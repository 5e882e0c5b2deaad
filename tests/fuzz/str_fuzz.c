/* Strings: escaping, patterns, numbers, times, base 64. The input is two texts, cut at the first newline. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static char *
text(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1);

	must(s != NULL);
	if (n > 0)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

static void
escape(const uint8_t *p, size_t n)
{
	char small[16], *dst = malloc(4 * n + 1), *twice = malloc(4 * n + 1);

	must(dst != NULL && twice != NULL);
	str_vis(dst, 4 * n + 1, p, n);
	for (const char *c = dst; *c != '\0'; c++)
		must((unsigned char)*c >= 0x20 && *c != 0x7f);
	for (size_t len = 1; len <= sizeof(small); len++) {
		str_vis(small, len, p, n);
		must(strlen(small) < len);
		str_vis_text(small, len, p, n);
		must(strlen(small) < len);
	}
	if (strchr(dst, '\\') == NULL) /* printable as it was: stays */
		must(strcmp(str_vis(twice, 4 * n + 1, dst, strlen(dst)), dst) == 0);
	free(dst);
	free(twice);
}

static void
base64(const uint8_t *p, size_t n, const char *s)
{
	uint8_t *raw;
	char *enc = str_b64(p, n), *again;
	size_t len;

	must(enc != NULL);
	raw = str_b64_decode(enc, strlen(enc), &len);
	must(raw != NULL && len == n && (n == 0 || memcmp(raw, p, n) == 0));
	free(raw);
	free(enc);
	if ((raw = str_b64_decode(s, strlen(s), &len)) != NULL) {
		must((again = str_b64(raw, len)) != NULL && strcmp(again, s) == 0);
		free(again);
	}
	free(raw);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *nl = n > 0 ? memchr(p, '\n', n) : NULL;
	size_t first = nl != NULL ? (size_t)(nl - p) : n;
	char *a = text(p, first), *b = nl != NULL ? text(nl + 1, n - first - 1) : text(p, 0);
	long long v;
	uint64_t s;

	escape(p, n);
	base64(p, n, a);
	str_match(a, b);
	must(str_match(a, "*"));
	must(strpbrk(a, "*?") != NULL || str_match(a, a));
	str_match_list(a, b, true);
	if (str_to_int(a, -1000, 1000, &v) == 0)
		must(v >= -1000 && v <= 1000);
	if (str_to_time(a, &s) == 0)
		must(s <= 0x7fffffff);
	if (str_to_size(a, &s) == 0) {
		char text[STR_SIZE_LEN];
		uint64_t back;

		must(s <= INT64_MAX && str_to_size(str_size(text, s), &back) == 0 && back == s);
	}
	free(a);
	free(b);
	return 0;
}
