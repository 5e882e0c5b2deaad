/* Accounts. */
#include "server/monitor/account.h"

#include <fcntl.h>
#include <grp.h>
#include <paths.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <shadow.h>
#include <sodium.h>
#endif

#include "common/base/err.h"
#include "common/base/fd.h"

#define GROUPS_MAX  65536
#define LOCKED_MARK '!'
#define DAY_S       86400
#define NO_HOME     "/nonexistent"

void
account_free(struct account **a)
{
	if (!*a)
		return;
	free((*a)->name);
	free((*a)->home);
	free((*a)->shell);
	strlist_free(&(*a)->groups);
	free((*a)->gids);
	free(*a);
	*a = NULL;
}

static enum shell_state
shell_check(const char *shell)
{
	struct stat st;
	if (stat(shell, &st) < 0)
		return SHELL_MISSING;
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return SHELL_NOT_EXECUTABLE;
	return SHELL_OK;
}

static int
find_groups(struct account *a)
{
	int n = 64;
	gid_t *gids = NULL;
	int r = QERR_NOMEM;
	for (;;) {
		gid_t *more = realloc(gids, (size_t)n * sizeof *gids);
		if (!more)
			goto out;
		gids = more;
		int had = n;
		if (getgrouplist(a->name, a->gid, gids, &n) >= 0)
			break;
		if (n <= had || n > GROUPS_MAX)
			goto out;
	}
	r = 0;
	for (int i = 0; i < n && r == 0; i++) {
		const struct group *gr = getgrgid(gids[i]);
		if (gr)
			r = strlist_add(&a->groups, gr->gr_name);
	}
	a->gids = gids;
	a->ngids = n;
	gids = NULL;
out:
	free(gids);
	return r;
}

int
account_set_groups(const struct account *a)
{
	/* with more than the kernel takes, initgroups() leaves some out */
	if (setgroups((size_t)a->ngids, a->gids) < 0 && initgroups(a->name, a->gid) < 0)
		return QERR_SYS;
	return 0;
}

/* Only root can read this; for others nothing is found, and nothing is claimed. */
static void
read_shadow(struct account *a, const char *passwd, uint64_t now)
{
#ifdef __linux__
	struct spwd *sp = getspnam(a->name);
	if (sp) {
		passwd = sp->sp_pwdp;
		int64_t today = (int64_t)(now / DAY_S);
		a->expired = sp->sp_expire != -1 && sp->sp_expire < today;
	}
	a->locked = passwd && passwd[0] == LOCKED_MARK;
	if (sp && sp->sp_pwdp)
		sodium_memzero(sp->sp_pwdp, strlen(sp->sp_pwdp));
#else
	(void)now;
	a->locked = passwd && passwd[0] == LOCKED_MARK;
#endif
}

static int
fill(struct account *a, const struct passwd *pw, uint64_t now)
{
	a->exists = true;
	a->uid = pw->pw_uid;
	a->gid = pw->pw_gid;
	a->name = strdup(pw->pw_name);
	a->home = strdup(pw->pw_dir ? pw->pw_dir : "/");
	a->shell = strdup(pw->pw_shell && pw->pw_shell[0] ? pw->pw_shell : _PATH_BSHELL);
	if (!a->name || !a->home || !a->shell)
		return QERR_NOMEM;
	a->shell_state = shell_check(a->shell);
	read_shadow(a, pw->pw_passwd, now); /* pw is not used after this: NSS may reuse it */
	return find_groups(a);
}

static int
fill_nobody(struct account *a, const char *user)
{
	a->name = strdup(user);
	a->home = strdup(NO_HOME);
	a->shell = strdup(_PATH_BSHELL);
	a->uid = (uid_t)-1;
	a->gid = (gid_t)-1;
	return a->name && a->home && a->shell ? 0 : QERR_NOMEM;
}

int
account_lookup(struct account **out, const char *user, uint64_t now)
{
	struct account *a = calloc(1, sizeof *a);
	if (!a)
		return QERR_NOMEM;
	const struct passwd *pw = user[0] ? getpwnam(user) : NULL;
	int r = pw ? fill(a, pw, now) : fill_nobody(a, user);
	if (r < 0) {
		account_free(&a);
		return r;
	}
	*out = a;
	return 0;
}

void
account_warm_up(void)
{
	gid_t gid;
	int n = 1;
	/* groups are looked for in every source that nsswitch.conf names, and root is known to the first */
	(void)getgrouplist("root", 0, &gid, &n);
}

char *
account_text_file(const char *path, size_t max)
{
	struct stat st;
	uint8_t *text = NULL;
	size_t n;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fd_read_all(fd, max, &text, &n) < 0)
		text = NULL;
	fd_close(&fd);
	return (char *)text;
}
