/* Writing key files: whole or not at all, and never over another file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"
#include "common/keys/keyfile.h"

#define LINE_LEN 70
#define SECTION_UNIT 8

static int
put_section(struct buf *b, const struct privkey *k)
{
	uint32_t check = randombytes_random();

	buf_put_u32(b, check);
	buf_put_u32(b, check);
	buf_put_sshstr(b, k->pub.type, strlen(k->pub.type));
	buf_put_sshstr(b, k->pub.pk, sizeof(k->pub.pk));
	buf_put_sshstr(b, k->sk, crypto_sign_SECRETKEYBYTES);
	buf_put_sshstr(b, k->comment ? k->comment : "", k->comment ? strlen(k->comment) : 0);
	for (uint8_t pad = 1; !b->err && buf_len(b) % SECTION_UNIT != 0; pad++)
		buf_put_u8(b, pad);
	return b->err;
}

static int
put_container(struct buf *b, const struct privkey *k)
{
	struct buf section;

	buf_init_secret(&section, KEYFILE_MAX);
	int err = put_section(&section, k);
	if (!err) {
		buf_put(b, "openssh-key-v1", sizeof("openssh-key-v1"));
		buf_put_sshstr(b, "none", 4); /* cipher */
		buf_put_sshstr(b, "none", 4); /* key derivation */
		buf_put_sshstr(b, "", 0);
		buf_put_u32(b, 1);
		buf_put_sshstr(b, k->pub.blob, k->pub.bloblen);
		err = buf_put_sshstr(b, buf_data(&section), buf_len(&section));
	}
	buf_free(&section);
	return err;
}

static int
put_armored(struct buf *b, const struct privkey *k)
{
	struct buf bin;

	buf_init_secret(&bin, KEYFILE_MAX);
	int err = put_container(&bin, k);
	size_t room = sodium_base64_ENCODED_LEN(buf_len(&bin), sodium_base64_VARIANT_ORIGINAL);
	char *text = err ? NULL : sodium_malloc(room);
	if (text) {
		sodium_bin2base64(text, room, buf_data(&bin), buf_len(&bin),
		    sodium_base64_VARIANT_ORIGINAL);
		buf_printf(b, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
		for (size_t i = 0, n = strlen(text); i < n; i += LINE_LEN) {
			buf_put(b, text + i, n - i < LINE_LEN ? n - i : LINE_LEN);
			buf_put_u8(b, '\n');
		}
		err = buf_printf(b, "-----END OPENSSH PRIVATE KEY-----\n");
	} else if (!err) {
		err = QERR_NOMEM;
	}
	sodium_free(text);
	buf_free(&bin);
	return err;
}

static int
write_new(const char *path, mode_t mode, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return QERR_SYS;
	int err = fd_write_all(fd, buf_data(b), buf_len(b));
	if (!err && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
		err = QERR_SYS;
	fd_close(&fd);
	return err;
}

/* Writes the file under another name first; replace: over a file that is there. */
static int
write_atomically(const char *path, mode_t mode, const struct buf *b, bool replace)
{
	char *tmp = str_printf("%s.%08x", path, (unsigned)randombytes_random());
	if (!tmp)
		return QERR_NOMEM;
	int err = write_new(tmp, mode, b);
	if (!err && replace) {
		if (rename(tmp, path) != 0)
			err = QERR_SYS;
	} else if (!err && link(tmp, path) != 0) { /* unlike rename, never over a file */
		err = errno == EEXIST ? QERR_EXISTS : QERR_SYS;
	}
	int saved = errno;
	unlink(tmp);
	errno = saved;
	free(tmp);
	return err;
}

static int
save_public(const struct privkey *k, const char *path)
{
	struct buf b;
	int err = QERR_NOMEM;

	buf_init(&b, KEYFILE_MAX);
	char *name = str_printf("%s.pub", path);
	char *text = pubkey_to_text(&k->pub);
	if (name && text) {
		const char *comment = k->comment ? k->comment : "";
		err = buf_printf(&b, "%s%s%s\n", text, *comment ? " " : "", comment);
		if (!err)
			err = write_atomically(name, 0644, &b, true);
	}
	free(text);
	free(name);
	buf_free(&b);
	return err;
}

int
privkey_save(const struct privkey *k, const char *path)
{
	struct buf b;

	if (sodium_init() < 0)
		return QERR_CRYPTO;
	if (!k->sk || (k->comment && strpbrk(k->comment, "\r\n")))
		return QERR_INVAL;
	buf_init_secret(&b, 2 * KEYFILE_MAX);
	int err = put_armored(&b, k);
	if (!err)
		err = write_atomically(path, 0600, &b, false);
	if (!err && (err = save_public(k, path)) != 0) {
		int saved = errno;
		unlink(path); /* both or none */
		errno = saved;
	}
	buf_free(&b);
	return err;
}
