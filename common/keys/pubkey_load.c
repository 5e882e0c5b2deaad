/* The public half of a key file, without its passphrase. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"
#include "common/keys/keyfile.h"
#include "common/keys/lines.h"

/* The first line of a text that is a public key, comments aside. */
static int
from_public_text(struct pubkey *k, char **comment, const uint8_t *text, size_t n)
{
	struct lines l;
	const char *line, *rest;
	int err, more;

	lines_init(&l, text, n);
	while ((more = lines_next(&l, &line)) == 1 && (*line == '\0' || *line == '#'))
		;
	if (more < 0)
		err = more;
	else if (more == 0 || l.has_nul)
		err = QERR_FORMAT;
	else
		err = pubkey_from_text(k, line, &rest);
	if (!err && comment) {
		*comment = strdup(rest + strspn(rest, " \t"));
		if (!*comment) {
			pubkey_free(k);
			err = QERR_NOMEM;
		}
	}
	lines_free(&l);
	return err;
}

static int
load_public(struct pubkey *k, const char *path, char **comment)
{
	uint8_t *text;
	size_t n;

	int err = fd_read_file(path, KEYFILE_MAX, &text, &n);
	if (err)
		return err;
	err = from_public_text(k, comment, text, n);
	free(text);
	return err;
}

/* The private file's own public half. */
static int
load_from_private(struct pubkey *k, const char *path, char **comment)
{
	struct privkey key;
	struct stat st;
	struct buf b;

	memset(&key, 0, sizeof(key));
	memset(k, 0, sizeof(*k));
	if (stat(path, &st) != 0)
		return QERR_SYS;
	if (!S_ISREG(st.st_mode)) /* a pipe can be read once, and is wanted for the private key */
		return QERR_UNSUPPORTED;
	int err = keyfile_read(&b, path, false);
	if (!err) {
		err = privkey_parse_plain(&key, buf_data(&b), buf_len(&b));
		if (err == QERR_FORMAT && !key.pub.blob)
			err = from_public_text(&key.pub, &key.comment, buf_data(&b), buf_len(&b));
	}
	buf_free(&b);
	if (err && key.pub.blob) /* encrypted, or of a type that we cannot use */
		err = 0;
	*k = key.pub;
	memset(&key.pub, 0, sizeof(key.pub));
	if (!err && comment) {
		*comment = key.comment;
		key.comment = NULL;
	}
	privkey_free(&key);
	return err;
}

/* Key and comment of path.pub; where the key is there already, the comment alone, if it is for
 * that key. */
static int
complete(struct pubkey *k, char **comment, const char *privpath)
{
	struct pubkey other = {0};
	char *other_comment = NULL;

	char *path = str_printf("%s.pub", privpath);
	int err = path ? load_public(&other, path, &other_comment) : QERR_NOMEM;
	if (!err && !k->blob) {
		*k = other;
		memset(&other, 0, sizeof(other));
	}
	if (!err && comment && (!other.blob || pubkey_equal(k, &other))) {
		*comment = other_comment;
		other_comment = NULL;
	}
	pubkey_free(&other);
	free(other_comment);
	free(path);
	return err;
}

int
pubkey_load(struct pubkey *k, const char *privpath, char **comment)
{
	if (comment)
		*comment = NULL;
	int err = load_from_private(k, privpath, comment);
	if (err || (comment && !*comment)) {
		int saved = errno;
		if (complete(k, comment, privpath) == 0)
			err = 0;
		errno = saved; /* of the private file, where there is neither */
	}
	if (!err && comment && !*comment && !(*comment = strdup(""))) {
		pubkey_free(k);
		err = QERR_NOMEM;
	}
	return err;
}
