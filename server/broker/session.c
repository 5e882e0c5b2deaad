/* Sessions. */
#include "server/broker/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "server/broker/signame.h"
#include "server/broker/ttymodes.h"

/* A bulk transfer through a pipe of the default size wakes both sides every 64 KiB. */
#define PIPE_SIZE (256 * 1024)

void
session_fds_init(struct session_fds *f)
{
	memset(f, 0, sizeof *f);
	for (int i = 0; i < 3; i++)
		f->ours[i] = f->theirs[i] = -1;
}

void
session_fds_close(struct session_fds *f)
{
	int slave = f->theirs[0];
	for (int i = 0; i < 3; i++) {
		/* a terminal's slave stands in all three places */
		if (i > 0 && f->theirs[i] == slave)
			f->theirs[i] = -1;
		fd_close(&f->ours[i]);
		fd_close(&f->theirs[i]);
	}
}

static unsigned short
size16(uint32_t v)
{
	return v > 0xffff ? 0xffff : (unsigned short)v;
}

static struct winsize
winsize_of(uint32_t cols, uint32_t rows, uint32_t xpixel, uint32_t ypixel)
{
	return (struct winsize){.ws_col = size16(cols),
	    .ws_row = size16(rows),
	    .ws_xpixel = size16(xpixel),
	    .ws_ypixel = size16(ypixel)};
}

int
session_set_size(int master, uint32_t cols, uint32_t rows, uint32_t xpixel, uint32_t ypixel)
{
	struct winsize ws = winsize_of(cols, rows, xpixel, ypixel);
	return ioctl(master, TIOCSWINSZ, &ws) < 0 ? QERR_SYS : 0;
}

int
session_open_pty(struct session_fds *f, const struct smsg_start *s, const char **what)
{
	struct winsize ws = winsize_of(s->cols, s->rows, s->xpixel, s->ypixel);
	int master, slave;
	*what = "a terminal";
	if (openpty(&master, &slave, NULL, NULL, &ws) < 0)
		return QERR_SYS;
	f->ours[0] = master;
	f->nours = 1;
	f->theirs[0] = f->theirs[1] = f->theirs[2] = slave;
	if (fd_cloexec(master) < 0 || fd_cloexec(slave) < 0 || fd_nonblock(master) < 0)
		return QERR_SYS;
	errno = ttyname_r(slave, f->tty, sizeof f->tty);
	if (errno != 0)
		return QERR_SYS;
	struct termios t;
	if (tcgetattr(slave, &t) < 0)
		return QERR_SYS;
	/* what is malformed ends the list of modes, as an end would */
	(void)ttymodes_decode(&t, s->modes.p, s->modes.n);
	(void)tcsetattr(slave, TCSANOW, &t);
	return 0;
}

static int
open_pipe(int *rd, int *wr)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) < 0)
		return QERR_SYS;
	*rd = p[0];
	*wr = p[1];
#ifdef F_SETPIPE_SZ
	(void)fcntl(p[0], F_SETPIPE_SZ, PIPE_SIZE);
#endif
	return 0;
}

int
session_open_pipes(struct session_fds *f, const char **what)
{
	*what = "a pipe";
	f->nours = 3;
	if (open_pipe(&f->theirs[0], &f->ours[0]) < 0 || open_pipe(&f->ours[1], &f->theirs[1]) < 0 ||
	    open_pipe(&f->ours[2], &f->theirs[2]) < 0)
		return QERR_SYS;
	for (int i = 0; i < 3; i++) {
		if (fd_nonblock(f->ours[i]) < 0)
			return QERR_SYS;
	}
	return 0;
}

int
session_signal(const struct session *s, const char *name)
{
	int signo = signame_to_number(name);
	if (signo < 0)
		return QERR_UNKNOWN;
	if (s->no_signals)
		return QERR_DENIED;
	pid_t group = s->pid;
	if (s->master >= 0) {
		group = tcgetpgrp(s->master);
		if (group <= 1)
			group = s->pid;
	}
	/* a child that is reaped has given its number back */
	if (group <= 1 || (group == s->pid && s->exited))
		return 0;
	if (killpg(group, signo) == 0)
		return 0;
	/* a child that has just been forked has no group of its own yet */
	if (errno == ESRCH && group == s->pid && kill(s->pid, signo) == 0)
		return 0;
	return QERR_SYS;
}

int
session_break(const struct session *s)
{
	if (s->master < 0)
		return 0;
	return tcsendbreak(s->master, 0) < 0 ? QERR_SYS : 0;
}
