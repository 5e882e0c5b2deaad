#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SYS_PRCTL_H
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/ipc/msgs.h"
#include "server/ipc/role.h"

#define CHAN_FD	  3
#define REPORT_FD 4 /* the errno of a failed start; closed by a successful exec */
#define LOG_MAX	  4096

static int
drop_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &sa, NULL); /* SIGKILL and SIGSTOP say EINVAL */
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? QERR_SYS : 0;
}

static int
change_user(const struct role_user *who)
{
	if (!who->change)
		return 0;
	if (!who->keep_groups &&
	    (who->user != NULL ? initgroups(who->user, who->gid) < 0 : setgroups(0, NULL) < 0))
		return QERR_SYS;
#ifdef HAVE_SETRESUID
	if (setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0)
		return QERR_SYS;
#else
	if (setgid(who->gid) < 0 || setuid(who->uid) < 0)
		return QERR_SYS;
#endif
	if (geteuid() != who->uid || (who->uid != 0 && setuid(0) == 0)) {
		errno = EPERM;
		return QERR_SYS;
	}
	return 0;
}

/* 0, 1, 2, the channel on 3, the report on 4, and nothing else. chan and report are both
 * above 4 here, so that no dup2 overwrites what a later one needs. */
static int
arrange_fds(int chan, int report, bool keep_stderr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (!keep_stderr && dup2(null, 2) < 0))
		return QERR_SYS;
	if (dup2(chan, CHAN_FD) < 0 || dup2(report, REPORT_FD) < 0 ||
	    fd_cloexec(REPORT_FD) != 0)
		return QERR_SYS;
	fd_closefrom(REPORT_FD + 1);
	return 0;
}

/* A role's environment is empty: libraries read it. Sanitizers' options are the exception. */
static void
role_environment(char **env, size_t n)
{
	size_t used = 0;

#ifdef QSH_SANITIZERS
	static const char *const keep[] = {"ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};

	for (char **e = environ; e != NULL && *e != NULL; e++)
		for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			if (strncmp(*e, keep[i], strlen(keep[i])) == 0 && used + 1 < n)
				env[used++] = *e;
#else
	(void)n;
#endif
	env[used] = NULL;
}

void
role_set_name(const char *name)
{
#ifdef HAVE_SYS_PRCTL_H
	(void)prctl(PR_SET_NAME, name);
#else
	(void)name;
#endif
}

void
role_hide(void)
{
#if defined(HAVE_SYS_PRCTL_H) && !defined(QSH_SANITIZERS)
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

static void
exec_role(const char *name, const char *title, int chan, int report,
    const struct role_user *who, bool keep_stderr)
{
	char path[4096], arg0[64], arg1[128], *argv[] = {arg0, arg1, NULL}, *env[8];
	int err;

	(void)snprintf(path, sizeof(path), "%s/%s", QSH_LIBEXECDIR, name);
	(void)snprintf(arg0, sizeof(arg0), "%s", name);
	(void)snprintf(arg1, sizeof(arg1), "%s", title);
	role_environment(env, sizeof(env) / sizeof(env[0]));
	if (drop_signals() == 0 && arrange_fds(chan, report, keep_stderr) == 0) {
		report = REPORT_FD;
		if ((!who->new_session || setsid() >= 0) && chdir("/") == 0 &&
		    change_user(who) == 0)
			execve(path, argv, env);
	}
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* A duplicate above every number that arrange_fds fills. */
static int
dup_high(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
}

/* Waits for the child's exec: end of file, or the errno of what failed. */
static int
started(pid_t pid, int report)
{
	int err = 0;
	ssize_t n;

	do
		n = read(report, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = n == (ssize_t)sizeof(err) ? err : EIO;
	return QERR_SYS;
}

pid_t
role_start(const char *name, const char *title, int chan, const struct role_user *who,
    bool keep_stderr)
{
	int report[2] = {-1, -1}, chan_high = -1, report_high = -1;
	pid_t pid = QERR_SYS;

	if (pipe(report) < 0 || fd_cloexec(report[0]) != 0 || fd_cloexec(report[1]) != 0 ||
	    (chan_high = dup_high(chan)) < 0 || (report_high = dup_high(report[1])) < 0)
		goto out;
	pid = fork();
	if (pid < 0) {
		pid = QERR_SYS;
		goto out;
	}
	if (pid == 0)
		exec_role(name, title, chan_high, report_high, who, keep_stderr);
	fd_close(&report[1]);
	fd_close(&report_high);
	if (started(pid, report[0]) != 0)
		pid = QERR_SYS;
out:
	fd_close(&report[0]);
	fd_close(&report[1]);
	fd_close(&chan_high);
	fd_close(&report_high);
	return pid;
}

int
role_channel(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(CHAN_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_SEQPACKET) {
		log_error("this program is a part of qshd and started by it, not by hand: "
			  "run qshd (see qshd(8))");
		exit(1);
	}
	if (fd_cloexec(CHAN_FD) != 0) {
		log_error("channel on descriptor %d: %s", CHAN_FD, qerr_str(QERR_SYS));
		exit(1);
	}
	return CHAN_FD;
}

struct log_channel {
	struct ipc *ipc;
	uint16_t type;
};

static void
send_line(void *arg, enum log_level level, const char *line)
{
	const struct log_channel *lc = arg;
	char text[LOG_MAX];
	struct smsg_log m = {.level = (uint8_t)level, .text = text};
	struct buf b;

	(void)snprintf(text, sizeof(text), "%s", line);
	buf_init(&b, IPC_BODY_MAX);
	/* A log line that cannot be sent has nowhere else to go. */
	if (smsg_put_log(&b, &m) == 0)
		(void)ipc_send(lc->ipc, lc->type, &b, NULL, 0);
	buf_free(&b);
}

static void
drop_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

void
role_log_to(struct ipc *ipc, int type)
{
	static struct log_channel lc; /* part of the log, which lives as long as the process */

	lc.ipc = ipc;
	lc.type = (uint16_t)type;
	if (ipc != NULL)
		log_to_sink(send_line, &lc);
	else
		log_to_sink(drop_line, NULL);
}

int
role_log_from(struct rd *body, const char *prefix)
{
	struct smsg_log m;
	int err = smsg_get_log(body, &m);

	if (err != 0)
		return err;
	/* A peer cannot raise a line to fatal. */
	if (m.level < LOG_L_ERROR || m.level > LOG_L_DEBUG3)
		m.level = LOG_L_ERROR;
	log_msg((enum log_level)m.level, "%s%s", prefix, m.text);
	smsg_free_log(&m);
	return 0;
}
