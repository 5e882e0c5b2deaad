/* Lines of authorized_keys. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/keys/authkeys.h"
#include "common/keys/authkeys_opts.h"
#include "common/keys/lines.h"

void
authkey_line_free(struct authkey_line *l)
{
	pubkey_free(&l->key);
	authkey_opts_free(&l->opts);
	free(l->comment);
	memset(l, 0, sizeof(*l));
}

/* Length of the options: to the first blank outside quotes. False where a quote stays open. */
static bool
options_len(const char *s, size_t *n)
{
	bool quoted = false;
	size_t i = 0;

	for (; s[i] && (quoted || (s[i] != ' ' && s[i] != '\t')); i++) {
		if (s[i] == '\\' && s[i + 1] == '"')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
	}
	*n = i;
	return !quoted;
}

/* Finds the key, at the start or behind options, which are then not looked at. */
static int
read_key(struct pubkey *k, const char *line, size_t *optslen, const char **rest, const char **why)
{
	*optslen = 0;
	*why = "no key that can be read";
	int err = pubkey_from_text(k, line, rest);
	if (!err || err == QERR_NOMEM)
		return err;
	if (!options_len(line, optslen)) {
		*why = "options without a quote at their end";
		return QERR_FORMAT;
	}
	err = pubkey_from_text(k, line + *optslen, rest);
	return err && err != QERR_NOMEM ? QERR_FORMAT : err;
}

/* Fills the rest of a line whose key is there already. */
static int
read_rest(struct authkey_line *l, const char *line, size_t optslen, const char *rest,
    const char **why)
{
	int err = authkey_opts_parse(&l->opts, line, optslen, why);
	if (err)
		return err;
	l->comment = strdup(rest + strspn(rest, " \t"));
	return l->comment ? 0 : QERR_NOMEM;
}

int
authkey_parse(struct authkey_line *l, const char *line, const char **why)
{
	const char *rest;
	size_t optslen;

	memset(l, 0, sizeof(*l));
	*why = "";
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#' || *line == '\n' || *line == '\r')
		return 0;
	int err = read_key(&l->key, line, &optslen, &rest, why);
	if (!err)
		err = read_rest(l, line, optslen, rest, why);
	if (err) {
		authkey_line_free(l);
		return err;
	}
	return 1;
}

/* A line against the wanted key, whose base 64 form is text: 1, 0, QERR_NOMEM, or, where it
 * is about the key but malformed, QERR_FORMAT or QERR_UNKNOWN. */
static int
match_line(struct authkey_line *l, const char *line, const struct pubkey *k, const char *text,
    const char **why)
{
	const char *rest;
	size_t optslen;

	memset(l, 0, sizeof(*l));
	int err = read_key(&l->key, line, &optslen, &rest, why);
	if (err)
		return err == QERR_NOMEM || strstr(line, text) ? err : 0;
	if (pubkey_equal(&l->key, k)) {
		err = read_rest(l, line, optslen, rest, why);
		if (!err && !l->opts.cert_authority)
			return 1;
	}
	authkey_line_free(l);
	return err;
}

int
authkeys_find_next(const char *path, const uint8_t *text, size_t n, const struct pubkey *k,
    unsigned after, struct authkey_line *l, unsigned *lineno)
{
	struct lines lines;
	const char *line, *why = "";
	int found = 0, more = 0;

	memset(l, 0, sizeof(*l));
	char *b64 = str_b64(k->blob, k->bloblen);
	if (!b64)
		return QERR_NOMEM;
	lines_init(&lines, text, n);
	while (found == 0 && (more = lines_next(&lines, &line)) == 1) {
		if (lines.no <= after || *line == '#' || *line == '\0')
			continue;
		if (lines.has_nul) { /* cut there it might lack what restricts the key */
			found = strstr(line, b64) ? QERR_FORMAT : 0;
			why = "zero byte inside";
		} else {
			found = match_line(l, line, k, b64, &why);
		}
		if (found == QERR_FORMAT || found == QERR_UNKNOWN) {
			log_error("%s:%lu: line refused: %s", path, lines.no, why);
			found = 0;
		}
	}
	if (found == 1)
		*lineno = (unsigned)lines.no;
	lines_free(&lines);
	free(b64);
	return more < 0 ? more : found;
}

int
authkeys_find(const char *path, const uint8_t *text, size_t n, const struct pubkey *k,
    struct authkey_line *l, unsigned *lineno)
{
	return authkeys_find_next(path, text, n, k, 0, l, lineno);
}
