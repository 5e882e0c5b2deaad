#include "client/tty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"

/* The one terminal of the process. At file scope, because it has to be found from exit handlers and
 * from signal handlers of a crash. */
static struct {
	volatile sig_atomic_t raw;
	int fd;
	bool armed; /* exit and crash handlers are in place */
	struct termios saved;
} term = {.fd = -1};

static void
restore_modes(void)
{
	if (!term.raw)
		return;
	term.raw = 0;
	/* tcsetattr is safe in signal handlers (POSIX); from the background it would stop us. */
	if (tty_foreground(term.fd))
		tcsetattr(term.fd, TCSADRAIN, &term.saved);
}

#ifndef QSH_SANITIZERS
static void
on_crash(int signo)
{
	restore_modes();
	raise(signo); /* SA_RESETHAND: the default action now */
}
#endif

static void
arm(void)
{
	if (term.armed)
		return;
	term.armed = true;
	atexit(restore_modes);
#ifndef QSH_SANITIZERS /* they report crashes themselves */
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		struct sigaction sa = {.sa_handler = on_crash};

		sa.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
		sigaction(crashes[i], &sa, NULL);
	}
#endif
}

bool
tty_foreground(int fd)
{
	pid_t pgrp = tcgetpgrp(fd);

	return pgrp == -1 || pgrp == getpgrp(); /* not our controlling terminal: nothing to be stopped by */
}

int
tty_raw(int fd)
{
	struct termios t;

	if (term.raw)
		return 0;
	if (tcgetattr(fd, &t) < 0)
		return QERR_SYS;
	arm();
	term.saved = t;
	term.fd = fd;
	t.c_iflag |= IGNPAR;
	t.c_iflag &= ~(tcflag_t)(ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXANY | IXOFF);
#ifdef IUCLC
	t.c_iflag &= ~(tcflag_t)IUCLC;
#endif
	t.c_lflag &= ~(tcflag_t)(ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | IEXTEN);
	t.c_oflag &= ~(tcflag_t)OPOST;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	term.raw = 1; /* before the change, so that a signal between the two restores */
	if (tcsetattr(fd, TCSADRAIN, &t) < 0) {
		term.raw = 0;
		return QERR_SYS;
	}
	log_set_raw_tty(1);
	return 0;
}

void
tty_restore(void)
{
	restore_modes();
	log_set_raw_tty(0);
}

bool
tty_is_raw(void)
{
	return term.raw;
}

int
tty_size(int fd, struct tty_size *s)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0)
		return QERR_SYS;
	*s = (struct tty_size){ws.ws_col, ws.ws_row, ws.ws_xpixel, ws.ws_ypixel};
	return 0;
}

int
tty_modes(int fd, struct termios *t)
{
	return tcgetattr(fd, t) < 0 ? QERR_SYS : 0;
}

int
tty_echo_off(int fd, struct termios *saved)
{
	struct termios t;

	if (tcgetattr(fd, saved) < 0)
		return QERR_SYS;
	t = *saved;
	t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	return tcsetattr(fd, TCSAFLUSH, &t) < 0 ? QERR_SYS : 0;
}

void
tty_echo_back(int fd, const struct termios *saved)
{
	if (saved && fd >= 0)
		tcsetattr(fd, TCSADRAIN, saved);
}

void
tty_stop_self(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, old;

	sigaction(SIGTSTP, &dfl, &old);
	kill(getpid(), SIGTSTP);
	sigaction(SIGTSTP, &old, NULL);
}

void
tty_text(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fd_write_all(STDERR_FILENO, text, n);
		text += n;
		if (*text == '\n') {
			fd_write_all(STDERR_FILENO, term.raw ? "\r\n" : "\n", term.raw ? 2 : 1);
			text++;
		}
	}
}
