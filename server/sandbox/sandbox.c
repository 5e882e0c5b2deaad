#include <errno.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif

#include "common/base/err.h"
#include "common/base/log.h"
#include "server/sandbox/sandbox.h"

static int
failed(const char *what)
{
	log_error("sandbox: %s: %s", what, qerr_str(QERR_SYS));
	return QERR_SYS;
}

static int
change_root(const char *dir)
{
	if (dir == NULL || dir[0] == '\0')
		return 0;
	if (chroot(dir) < 0 || chdir("/") < 0) {
		log_error("sandbox: cannot change root to %s: %s", dir, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	return 0;
}

static int
change_ids(uid_t uid, gid_t gid)
{
	if (uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0)
		return failed("cannot drop the supplementary groups");
#ifdef HAVE_SETRESUID
	if (setresgid(gid, gid, gid) < 0)
		return failed("cannot change the group");
	if (setresuid(uid, uid, uid) < 0)
		return failed("cannot change the user");
#else
	if (setgid(gid) < 0)
		return failed("cannot change the group");
	if (setuid(uid) < 0)
		return failed("cannot change the user");
#endif
	if (setuid(0) == 0 || setgid(0) == 0) {
		log_error("sandbox: privileges can be had back after they were dropped");
		return QERR_DENIED;
	}
	return 0;
}

static int
set_limits(uint64_t file_max)
{
	static const struct {
		int resource;
		const char *what;
	} limits[] = {
	    {RLIMIT_CORE, "cannot forbid core files"},
#ifndef QSH_SANITIZERS
	    {RLIMIT_FSIZE, "cannot forbid writing files"},
	    {RLIMIT_NPROC, "cannot forbid new processes"},
#endif
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		rlim_t max = limits[i].resource == RLIMIT_FSIZE ? (rlim_t)file_max : 0;
		struct rlimit limit = {.rlim_cur = max, .rlim_max = max};

		if (setrlimit((__typeof__(RLIMIT_CORE))limits[i].resource, &limit) < 0)
			return failed(limits[i].what);
	}
	return 0;
}

static int
set_process_flags(void)
{
#ifdef HAVE_SYS_PRCTL_H
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed("cannot forbid new privileges");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed("cannot forbid tracing");
#endif
	return 0;
}

int
sandbox_drop(const char *chroot_dir, unsigned uid, unsigned gid, uint64_t file_max)
{
	int err;

	if ((err = change_root(chroot_dir)) != 0 || (err = change_ids(uid, gid)) != 0 ||
	    (err = set_limits(file_max)) != 0)
		return err;
	return set_process_flags();
}
