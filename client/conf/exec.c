/* Running a command of Match exec. */
#include "client/conf/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"

static void
child(const char *shell, const char *command)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(127);
	/* what it says is shown to who looks for mistakes */
	if (log_get_level() < LOG_L_DEBUG1 && dup2(null, STDERR_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	execl(shell, shell, "-c", command, (char *)NULL);
	_exit(127);
}

int
cconf_exec(const char *command)
{
	const char *shell = getenv("SHELL");
	char *line;
	int status;
	pid_t pid;

	if (shell == NULL || *shell == '\0')
		shell = "/bin/sh";
	if ((line = str_printf("exec %s", command)) == NULL)
		return -1;
	if ((pid = fork()) == 0)
		child(shell, line);
	free(line);
	if (pid < 0) {
		log_error("Match exec: cannot start a process: %s", strerror(errno));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
