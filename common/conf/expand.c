/* %-tokens, ${NAME} and "~" in values. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/conf/conf.h"

#define EXPANDED_MAX (256 * 1024) /* bytes */
#define NAME_CHARS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* The buffer's content as a string, or its error. Frees the buffer. */
static int
finish(char **out, struct buf *b, int r)
{
	*out = NULL;
	if (r == 0)
		r = buf_put_u8(b, 0);
	if (r == 0 && (*out = strdup((const char *)buf_data(b))) == NULL)
		r = QERR_NOMEM;
	buf_free(b);
	return r;
}

static const char *
find_token(const struct conf_token *t, size_t n, char c)
{
	size_t i;

	if (c == '%')
		return "%";
	for (i = 0; i < n; i++)
		if (t[i].c == c)
			return t[i].text;
	return NULL;
}

int
conf_expand(char **out, const char *s, const struct conf_token *t, size_t n, char *bad)
{
	const char *text;
	struct buf b;
	int r = 0;

	buf_init(&b, EXPANDED_MAX);
	for (; *s != '\0' && r == 0; s++) {
		if (*s != '%') {
			r = buf_put_u8(&b, (uint8_t)*s);
			continue;
		}
		s++;
		if ((text = find_token(t, n, *s)) == NULL) {
			if (bad != NULL)
				*bad = *s;
			r = QERR_UNKNOWN;
			break;
		}
		r = buf_put(&b, text, strlen(text));
	}
	return finish(out, &b, r);
}

static int
put_env(struct buf *b, const char *name, size_t n)
{
	const char *value;
	char *copy;

	if (n == 0 || (copy = strndup(name, n)) == NULL)
		return n == 0 ? QERR_FORMAT : QERR_NOMEM;
	value = getenv(copy);
	free(copy);
	return value == NULL ? QERR_NOTFOUND : buf_put(b, value, strlen(value));
}

int
conf_expand_env(char **out, const char *s)
{
	struct buf b;
	size_t n;
	int r = 0;

	buf_init(&b, EXPANDED_MAX);
	while (*s != '\0' && r == 0) {
		if (s[0] != '$' || s[1] != '{') {
			r = buf_put_u8(&b, (uint8_t)*s++);
			continue;
		}
		s += 2;
		n = strspn(s, NAME_CHARS);
		if (s[n] != '}') {
			r = QERR_FORMAT;
			break;
		}
		r = put_env(&b, s, n);
		s += n + 1;
	}
	return finish(out, &b, r);
}

int
conf_expand_tilde(char **out, const char *s, const char *home)
{
	const struct passwd *pw;
	char *user;
	struct buf b;
	size_t n;

	*out = NULL;
	if (*s != '~') {
		*out = strdup(s);
		return *out == NULL ? QERR_NOMEM : 0;
	}
	n = strcspn(++s, "/");
	if (n > 0) {
		if ((user = strndup(s, n)) == NULL)
			return QERR_NOMEM;
		pw = getpwnam(user);
		free(user);
		home = pw == NULL ? NULL : pw->pw_dir;
		s += n;
	}
	if (home == NULL)
		return QERR_NOTFOUND;
	buf_init(&b, EXPANDED_MAX);
	buf_put(&b, home, strlen(home));
	return finish(out, &b, buf_put(&b, s, strlen(s)));
}
