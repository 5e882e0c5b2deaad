#include "client/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "client/tty.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

#define ASK_PROGRAM_DEFAULT "/usr/bin/ssh-askpass"
#define ANSWER_MAX 1024

struct ask {
	struct ev *ev;
	struct ev_io *io;
	struct ev_signal *stop;
	int fd;
	pid_t pid;             /* of the program */
	char *prompt;
	bool echo, silenced;
	struct termios saved;
	struct buf line;
	ask_done_fn *done;
	void *arg;
};

enum ask_way
ask_way(const struct ask_env *env)
{
	bool program = env->display, first = false;

	if (env->require && strcasecmp(env->require, "force") == 0)
		program = first = true;
	else if (env->require && strcasecmp(env->require, "prefer") == 0)
		first = program;
	else if (env->require && strcasecmp(env->require, "never") == 0)
		program = false;
	if (env->tty && !first)
		return ASK_TTY;
	return program ? ASK_PROGRAM : ASK_NOWHERE;
}

/* The terminal as it was, on a line of its own: what ended an answer that nobody saw was not shown either. */
static void
unsilence(struct ask *a)
{
	if (!a->silenced)
		return;
	a->silenced = false;
	fd_write_all(a->fd, "\n", 1);
	tty_echo_back(a->fd, &a->saved);
}

static void
end(struct ask *a, bool answered)
{
	ask_done_fn *done = a->done;
	struct buf line = a->line;
	int status = 0;

	buf_init_secret(&a->line, ANSWER_MAX);
	a->done = NULL;
	if (a->pid > 0) {
		while (waitpid(a->pid, &status, 0) < 0 && errno == EINTR)
			;
		a->pid = -1;
		answered = answered && status == 0;
	}
	unsilence(a);
	ev_io_free(&a->io);
	ev_signal_free(&a->stop);
	fd_close(&a->fd);
	if (buf_put_u8(&line, 0) < 0)
		answered = false;
	/* The last use of a: done may free it. */
	if (done)
		done(a->arg, answered ? (const char *)buf_data(&line) : NULL);
	buf_free(&line);
}

static void
on_input(void *arg, int fd, unsigned what)
{
	struct ask *a = arg;
	uint8_t c[64];
	ssize_t n = read(fd, c, sizeof(c));
	bool ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);

	(void)what;
	for (ssize_t i = 0; i < n && !ended; i++) {
		if (c[i] == '\n' || c[i] == '\r')
			ended = true;
		else if (buf_len(&a->line) < ANSWER_MAX - 1)
			buf_put_u8(&a->line, c[i]);
	}
	explicit_bzero(c, sizeof(c));
	if (!ended)
		return;
	end(a, n > 0 || buf_len(&a->line) > 0 || (a->pid > 0 && n == 0));
}

static int
show_prompt(struct ask *a)
{
	if (!a->echo) {
		int rc = tty_echo_off(a->fd, &a->saved);

		if (rc < 0)
			return rc;
		a->silenced = true;
	}
	return fd_write_all(a->fd, a->prompt, strlen(a->prompt));
}

/* Ctrl-Z at the prompt: the shell gets its terminal back as it was. */
static void
on_stop(void *arg, int signo)
{
	struct ask *a = arg;

	(void)signo;
	unsilence(a);
	tty_stop_self();
	buf_reset(&a->line);
	show_prompt(a);
}

static int
ask_tty(struct ask *a, int fd)
{
	int rc;

	a->fd = fd;
	rc = show_prompt(a);
	if (rc == 0)
		rc = ev_signal_new(&a->stop, a->ev, SIGTSTP, on_stop, a);
	return rc < 0 ? rc : ev_io_new(&a->io, a->ev, fd, EV_RD, on_input, a);
}

static void
run_program(const char *program, const char *prompt, int out)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	sigaction(SIGPIPE, &dfl, NULL);
	if (dup2(out, STDOUT_FILENO) < 0)
		_exit(1);
	fd_closefrom(STDERR_FILENO + 1);
	execlp(program, program, prompt, (char *)NULL);
	log_error("ssh_askpass: exec(%s): %s", program, strerror(errno));
	_exit(1);
}

static int
ask_program(struct ask *a)
{
	const char *program = getenv("SSH_ASKPASS");
	int p[2];

	if (!program || !*program)
		program = ASK_PROGRAM_DEFAULT;
	if (pipe(p) < 0)
		return QERR_SYS;
	fd_cloexec(p[0]);
	fd_cloexec(p[1]);
	a->pid = fork();
	if (a->pid == 0)
		run_program(program, a->prompt, p[1]);
	fd_close(&p[1]);
	a->fd = p[0];
	if (a->pid < 0 || fd_nonblock(a->fd) < 0)
		return QERR_SYS;
	return ev_io_new(&a->io, a->ev, a->fd, EV_RD, on_input, a);
}

int
ask_new(struct ask **out, struct ev *ev, const char *prompt, bool echo, ask_done_fn *done,
    void *arg)
{
	struct ask *a = calloc(1, sizeof(*a));
	int fd, rc;

	if (!a)
		return QERR_NOMEM;
	*a = (struct ask){.ev = ev, .fd = -1, .pid = -1, .echo = echo, .done = done, .arg = arg};
	buf_init_secret(&a->line, ANSWER_MAX);
	a->prompt = strdup(prompt);
	fd = open("/dev/tty", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	switch (ask_way(&(struct ask_env){.require = getenv("SSH_ASKPASS_REQUIRE"),
	    .display = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY"), .tty = fd >= 0})) {
	case ASK_TTY:
		rc = a->prompt ? ask_tty(a, fd) : QERR_NOMEM;
		fd = a->fd == fd ? -1 : fd;
		break;
	case ASK_PROGRAM:
		rc = a->prompt ? ask_program(a) : QERR_NOMEM;
		break;
	default:
		rc = QERR_NOTFOUND;
	}
	fd_close(&fd);
	if (rc < 0)
		ask_free(&a);
	*out = a;
	return rc;
}

void
ask_free(struct ask **ap)
{
	struct ask *a = *ap;

	if (!a)
		return;
	a->done = NULL;
	if (a->pid > 0)
		kill(a->pid, SIGTERM);
	end(a, false);
	buf_free(&a->line);
	free(a->prompt);
	free(a);
	*ap = NULL;
}
