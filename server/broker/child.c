/* The child between fork and exec. What fails here is told on the session's own standard
 * error, as people know it from other daemons: the session is running already. */
#include "server/broker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.h"

#define MOTD_FILE   "/etc/motd"
#define HUSH_FILE   ".hushlogin"
#define USER_RC     ".ssh/rc"
#define SYSTEM_RC   QSH_SSHDIR "/sshrc"

static void
reset_signals(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigemptyset(&sa.sa_mask);
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &sa, NULL); /* fails for those that cannot be changed */
}

/* From here on the session takes signals, also those that came since the fork. */
static void
take_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The descriptors may themselves lie in 0..2, so they move out of the way first. */
static int
move_stdio(const int fd[3])
{
	int up[3];
	for (int i = 0; i < 3; i++) {
		up[i] = fcntl(fd[i], F_DUPFD, 3);
		if (up[i] < 0)
			return -1;
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(up[i], i) < 0)
			return -1;
	}
	fd_closefrom(3);
	return 0;
}

/* A process of our own session for one rc file; its output goes where the session's goes, its input is empty. */
static void
run_rc(const char *shell, const char *command, char *const *env)
{
	pid_t pid = fork();
	if (pid < 0)
		return;
	if (pid == 0) {
		int null = open(_PATH_DEVNULL, O_RDWR);
		if (null >= 0) {
			(void)dup2(null, STDIN_FILENO);
			fd_closefrom(3);
		}
		execle(shell, shell, "-c", command, (char *)NULL, env);
		_exit(127);
	}
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* The user's path is relative, so that nothing in the home's name needs quoting. */
static void
run_rc_files(const struct child *c, bool at_home)
{
	struct stat st;
	if (c->user_rc && at_home && stat(USER_RC, &st) == 0)
		run_rc(c->shell, _PATH_BSHELL " " USER_RC, c->env);
	else if (stat(SYSTEM_RC, &st) == 0)
		run_rc(_PATH_BSHELL, _PATH_BSHELL " " SYSTEM_RC, c->env);
}

static void
print_motd(void)
{
	FILE *f = fopen(MOTD_FILE, "re");
	if (!f)
		return;
	char line[1024];
	while (fgets(line, sizeof line, f))
		fputs(line, stdout);
	fclose(f);
}

static void
greet(const struct child *c)
{
	struct stat st;
	char path[4096];
	if (!c->tty || c->command)
		return;
	snprintf(path, sizeof path, "%s/" HUSH_FILE, c->home);
	if (stat(path, &st) == 0)
		return;
	fputs(c->greeting, stdout);
	if (c->print_motd)
		print_motd();
	fflush(stdout);
}

_Noreturn static void
exec_shell(const struct child *c)
{
	const char *slash = strrchr(c->shell, '/');
	const char *base = slash ? slash + 1 : c->shell;
	if (c->command) {
		execle(c->shell, base, "-c", c->command, (char *)NULL, c->env);
	} else {
		char argv0[256];
		if ((size_t)snprintf(argv0, sizeof argv0, "-%s", base) < sizeof argv0)
			execle(c->shell, argv0, (char *)NULL, c->env);
		else
			errno = EINVAL;
	}
	fprintf(stderr, "%s: %s\n", c->shell, strerror(errno));
	fflush(stderr);
	_exit(1);
}

_Noreturn void
child_run(const struct child *c)
{
	reset_signals();
	if (setsid() < 0 || (c->tty && ioctl(c->fd[0], TIOCSCTTY, 0) < 0) ||
	    move_stdio(c->fd) < 0)
		_exit(1);
	take_signals();
	bool at_home = chdir(c->home) == 0;
	greet(c);
	if (!at_home) {
		fprintf(stderr, "Could not chdir to home directory %s: %s\n", c->home, strerror(errno));
		fflush(stderr);
	}
	run_rc_files(c, at_home);
	exec_shell(c);
}
