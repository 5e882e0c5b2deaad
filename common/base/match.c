/* Wildcard patterns and lists of them. */
#include <string.h>

#include "common/base/str.h"

static char
fold(char c, bool lower)
{
	return lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does all of s match the pattern of n bytes? Remembers the last '*' alone: trying
 * earlier ones again cannot succeed, so the time is at most strlen(s) * n. */
static bool
match(const char *s, const char *pattern, size_t n, bool lower)
{
	const char *star_s = NULL;
	size_t i = 0, star = 0;

	while (*s != '\0') {
		if (i < n && pattern[i] == '*') {
			star = ++i;
			star_s = s;
		} else if (i < n && (pattern[i] == '?' ||
		    fold(pattern[i], lower) == fold(*s, lower))) {
			i++;
			s++;
		} else if (star_s != NULL) {
			s = ++star_s;
			i = star;
		} else {
			return false;
		}
	}
	while (i < n && pattern[i] == '*')
		i++;
	return i == n;
}

bool
str_match(const char *s, const char *pattern)
{
	return match(s, pattern, strlen(pattern), false);
}

int
str_match_list(const char *s, const char *list, bool lower)
{
	bool negated, found = false;
	size_t n;

	for (;; list += n + 1) {
		negated = *list == '!';
		if (negated)
			list++;
		n = strcspn(list, ",");
		if (match(s, list, n, lower)) {
			if (negated)
				return -1;
			found = true;
		}
		if (list[n] == '\0')
			return found;
	}
}
