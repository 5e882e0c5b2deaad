#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "server/supervisor/hostkey.h"

#define SSHD_KEY QSH_SSHDIR "/ssh_host_ed25519_key"
#define OWN_KEY	 "host_ed25519_key"

static int
cannot(const char *path, int err)
{
	static const struct {
		int err;
		const char *what;
	} advice[] = {
	    {QERR_PERM, "others may read it: chmod 600"},
	    {QERR_PASSPHRASE, "it has a passphrase, which a host key cannot have"},
	};

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (advice[i].err == err) {
			log_error("host key %s: %s", path, advice[i].what);
			return err;
		}
	log_error("host key %s: %s", path, qerr_str(err));
	return err;
}

/* 0, QERR_NOTFOUND: there is none; QERR_UNSUPPORTED: it is of another type; else an error, logged. */
static int
try_key(struct privkey *out, const char *path)
{
	int err = privkey_load_plain(out, path, true);

	if (err == 0 && out->pub.ed25519 && out->sk != NULL)
		return 0;
	if (err == 0 || err == QERR_UNSUPPORTED) {
		privkey_free(out);
		return QERR_UNSUPPORTED;
	}
	if (err == QERR_SYS && errno == ENOENT)
		return QERR_NOTFOUND;
	return cannot(path, err);
}

/* A name that was mistyped must not end in another identity of the host; but sshd's configuration may
 * name what sshd itself does not miss. */
static int
try_configured(struct privkey *out, const struct sconf *c, bool sshds, const char **path)
{
	int err = QERR_NOTFOUND;

	for (size_t i = 0; i < c->host_keys.n; i++) {
		*path = c->host_keys.v[i];
		err = try_key(out, *path);
		if (err == QERR_NOTFOUND && !sshds)
			return cannot(*path, QERR_SYS); /* errno says why */
		if (err == QERR_NOTFOUND)
			log_info("host key %s: there is no such file", *path);
		else if (err != QERR_UNSUPPORTED)
			return err;
	}
	if (c->host_keys.n > 0)
		log_info("no Ed25519 key among the configured host keys");
	return QERR_NOTFOUND;
}

/* The folder that keys of our own are in; fresh memory. */
static char *
own_dir(bool user_mode)
{
	const struct passwd *pw;

	if (!user_mode)
		return strdup(QSH_SYSCONFDIR);
	pw = getpwuid(getuid());
	return pw != NULL ? str_printf("%s/.qsh", pw->pw_dir) : NULL;
}

static int
make_key(struct privkey *out, const char *dir, const char *path, bool user_mode)
{
	char host[256] = "localhost", *comment;
	char *fp;
	int err = QERR_NOMEM;

	if (mkdir(dir, user_mode ? 0700 : 0755) < 0 && errno != EEXIST) {
		log_error(
		    "cannot make the folder %s for the host key: %s", dir, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	(void)gethostname(host, sizeof(host) - 1);
	comment = str_printf("qshd@%s", host);
	if (comment != NULL && (err = privkey_generate(out, comment)) == 0)
		err = privkey_save(out, path);
	free(comment);
	if (err == QERR_EXISTS) {
		/* Somebody else made it just now: that one counts. */
		privkey_free(out);
		return try_key(out, path);
	}
	if (err != 0) {
		privkey_free(out);
		log_error("cannot make the host key %s: %s", path, qerr_str(err));
		return err;
	}
	fp = pubkey_fingerprint(&out->pub, "sha256");
	log_info("made the host key %s: %s", path, fp != NULL ? fp : "");
	free(fp);
	return 0;
}

static int
load_own(struct privkey *out, char **found, bool user_mode, bool make)
{
	char *dir = own_dir(user_mode), *path = NULL;
	int err = QERR_NOMEM;

	if (dir == NULL || (path = str_printf("%s/%s", dir, OWN_KEY)) == NULL) {
		log_error(
		    "no folder for a host key: your account is not known, or memory is short");
		goto out;
	}
	err = try_key(out, path);
	if (err == QERR_NOTFOUND && make)
		err = make_key(out, dir, path, user_mode);
	if (err == QERR_UNSUPPORTED)
		cannot(path, err);
	if (err == 0) {
		*found = path;
		path = NULL;
	}
out:
	free(path);
	free(dir);
	return err;
}

int
hostkey_load(struct privkey *out, char **path, const struct sconf *c, bool sshds, bool user_mode,
    bool make)
{
	const char *at = NULL;
	char *own = NULL;
	int err;

	memset(out, 0, sizeof(*out));
	err = try_configured(out, c, sshds, &at);
	if (err == QERR_NOTFOUND && !user_mode) {
		at = SSHD_KEY;
		err = try_key(out, at);
	}
	if (err == QERR_UNSUPPORTED)
		return cannot(at, err);
	if (err == QERR_NOTFOUND) {
		err = load_own(out, &own, user_mode, make);
		at = own;
		if (err == QERR_NOTFOUND && !make) {
			err = 0; /* it would be made */
			at = "";
		}
	}
	if (err == 0 && path != NULL && (*path = strdup(at != NULL ? at : "")) == NULL)
		err = QERR_NOMEM;
	free(own);
	return err;
}
