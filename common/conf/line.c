/* One line of configuration to keyword and words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/str.h"
#include "common/conf/conf.h"

#define BLANK "\t\r\n "

static const char *
skip_blank(const char *s)
{
	return s + strspn(s, BLANK);
}

/* The keyword ends at white space, '=' or a quote; it may stand in double quotes. */
static int
take_keyword(struct conf_line *l, const char **sp, const char **why)
{
	const char *s = *sp, *end;

	if (*s == '"') {
		s++;
		if ((end = strchr(s, '"')) == NULL) {
			*why = "quote that does not end";
			return QERR_FORMAT;
		}
		*sp = end + 1;
	} else {
		end = s + strcspn(s, BLANK "=\"");
		*sp = end;
	}
	if (end == s) {
		*why = "line without a keyword";
		return QERR_FORMAT;
	}
	if ((l->keyword = strndup(s, (size_t)(end - s))) == NULL)
		return QERR_NOMEM;
	*sp = skip_blank(*sp);
	if (**sp == '=')
		*sp = skip_blank(*sp + 1);
	return 0;
}

/* Copies one word without its quotes to dst, which has room for all of s. NULL: a quote that
 * does not end. */
static const char *
take_word(char *dst, const char *s)
{
	char quote = '\0';

	for (; *s != '\0'; s++) {
		if (*s == '\\' && (s[1] == '\\' || s[1] == '"' || s[1] == '\'' ||
				      (s[1] == ' ' && quote == '\0'))) {
			*dst++ = *++s;
		} else if (quote != '\0') {
			if (*s == quote)
				quote = '\0';
			else
				*dst++ = *s;
		} else if (*s == '"' || *s == '\'') {
			quote = *s;
		} else if (*s == ' ' || *s == '\t') {
			break;
		} else {
			*dst++ = *s;
		}
	}
	*dst = '\0';
	return quote == '\0' ? s : NULL;
}

static int
take_args(struct conf_line *l, const char **why)
{
	const char *s = l->rest;
	char *word;
	int r = 0;

	if ((word = malloc(strlen(s) + 1)) == NULL)
		return QERR_NOMEM;
	for (;;) {
		s = skip_blank(s);
		if (*s == '\0' || *s == '#')
			break;
		if ((s = take_word(word, s)) == NULL) {
			*why = "quote that does not end";
			r = QERR_FORMAT;
			break;
		}
		if ((r = strlist_add(&l->args, word)) != 0)
			break;
	}
	free(word);
	return r;
}

int
conf_split(struct conf_line *l, const char *text, size_t n, const char **why)
{
	const char *s;
	char *copy;
	int r;

	l->keyword = l->rest = NULL;
	l->args = (struct strlist){NULL, 0};
	*why = "";
	if (memchr(text, '\0', n) != NULL) {
		*why = "zero byte";
		return QERR_FORMAT;
	}
	while (n > 0 && strchr(BLANK "\f", text[n - 1]) != NULL)
		n--;
	if ((copy = strndup(text, n)) == NULL)
		return QERR_NOMEM;
	r = 0;
	s = skip_blank(copy);
	if (*s == '\0' || *s == '#')
		goto out;
	if ((r = take_keyword(l, &s, why)) != 0)
		goto out;
	if ((l->rest = strdup(s)) == NULL) {
		r = QERR_NOMEM;
		goto out;
	}
	r = take_args(l, why);
out:
	free(copy);
	return r;
}

void
conf_line_free(struct conf_line *l)
{
	free(l->keyword);
	free(l->rest);
	l->keyword = l->rest = NULL;
	strlist_free(&l->args);
}

const char *
conf_where(const struct conf_line *l, char *dst)
{
	char file[CONF_WHERE_LEN - 32];

	str_vis(file, sizeof(file), l->file, strlen(l->file));
	if (l->lineno == 0)
		snprintf(dst, CONF_WHERE_LEN, "%s", file);
	else
		snprintf(dst, CONF_WHERE_LEN, "%s:%lu", file, l->lineno);
	return dst;
}

bool
conf_algs_have(const char *algs, const char *name)
{
	if (algs == NULL || *algs == '+' || *algs == '^')
		return true;
	if (*algs == '-')
		return str_match_list(name, algs + 1, false) != 1;
	return str_match_list(name, algs, false) == 1;
}
