#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "server/ipc/tcpsock.h"
#include "server/supervisor/inetd.h"
#include "server/supervisor/mchild.h"
#include "server/supervisor/rundir.h"

#define EXIT_FATAL 255

struct inetd {
	struct ev *ev;
	struct mchildren *monitors;
	struct ev_signal *signals[4];
	int status;
};

/* The client's descriptors, out of the way of everybody who writes to standard output; who waits for their end hears it
 * when the connection's process ends. */
static int
take_stdio(int fds[2])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), err = 0;

	fds[0] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	fds[1] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (null < 0 || fds[0] < 0 || fds[1] < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		err = QERR_SYS;
	fd_close(&null);
	return err;
}

static void
on_child(void *arg, int signo)
{
	struct inetd *in = arg;
	uint64_t generation;
	uint32_t slot;
	int status;
	pid_t pid;

	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!mchildren_reaped(in->monitors, pid, status, &generation, &slot))
			continue;
		in->status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FATAL;
		ev_stop(in->ev);
	}
}

static void
on_end(void *arg, int signo)
{
	struct inetd *in = arg;

	log_info("received signal %d (%s): ending the connection", signo, strsignal(signo));
	mchildren_end(in->monitors);
}

static void
on_authed(void *arg, uint64_t generation, uint32_t slot)
{
	(void)arg;
	(void)generation;
	(void)slot;
}

static int
watch_signals(struct inetd *in)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	int err = ev_signal_new(&in->signals[0], in->ev, SIGCHLD, on_child, in);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && err == 0; i++)
		err = ev_signal_new(&in->signals[i + 1], in->ev, ends[i], on_end, in);
	return err;
}

static int
start(struct inetd *in, const struct setup *s, const struct options *o)
{
	struct smsg_minit init;
	struct quic_cid cid;
	int fds[2] = {-1, -1}, err;

	setup_minit(s, o, &init);
	setup_stream_admit(&init.admit, &cid);
	/* Of a socket the kernel knows who is there; of a pipe nobody does. */
	if (tcpsock_path(STDIN_FILENO, &init.admit.path) != 0)
		init.admit.path = (struct tp_path){0};
	err = take_stdio(fds);
	if (err != 0)
		log_error("cannot take standard input and output: %s", qerr_str(err));
	else
		err = mchildren_start(in->monitors, 1, &init, fds, 2, o->log_stderr);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return err;
}

static int
serve(struct inetd *in, const struct setup *s, const struct options *o)
{
	int err;

	if ((err = ev_new(&in->ev)) != 0 ||
	    (err = mchildren_new(&in->monitors, in->ev, on_authed, in)) != 0 ||
	    (err = watch_signals(in)) != 0) {
		log_error("cannot start: %s", qerr_str(err));
		return EXIT_FATAL;
	}
	if (start(in, s, o) != 0)
		return EXIT_FATAL; /* logged */
	if (!o->log_stderr && o->log_file == NULL)
		log_to_syslog(s->conf->log_facility);
	if ((err = ev_run(in->ev)) != 0) {
		log_error("event loop: %s", qerr_str(err));
		return EXIT_FATAL;
	}
	return in->status;
}

int
inetd_run(const struct setup *s, const struct options *o)
{
	struct inetd in = {.status = EXIT_FATAL};
	char *rundir = NULL;
	int status = EXIT_FATAL;

	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO)) {
		log_error("-i serves a client on standard input and output, not a person on a terminal: "
			  "it goes into a client's ProxyCommand");
		return EXIT_FATAL;
	}
	if (rundir_open(&rundir, s->user_mode) == 0)
		status = serve(&in, s, o);
	mchildren_free(&in.monitors);
	for (size_t i = 0; i < sizeof(in.signals) / sizeof(in.signals[0]); i++)
		ev_signal_free(&in.signals[i]);
	ev_free(&in.ev);
	free(rundir);
	return status;
}
