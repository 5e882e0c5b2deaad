/* qshd: the supervisor. Reads no datagram. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "server/ipc/role.h"
#include "server/supervisor/inetd.h"
#include "server/supervisor/notify.h"
#include "server/supervisor/options.h"
#include "server/supervisor/rundir.h"
#include "server/supervisor/setup.h"
#include "server/supervisor/sockets.h"
#include "server/supervisor/supervisor.h"

#define EXIT_USAGE    1 /* as sshd's */
#define EXIT_FATAL    255
#define BIND_PATIENCE (2 * NS_PER_S)

/* Until the service runs, what goes wrong is said even with -q. */
static int
open_log(const struct options *o)
{
	enum log_level level = LOG_L_INFO;

	if (o->debug > 0)
		level = (enum log_level)(LOG_L_DEBUG1 + (o->debug - 1));
	else if (o->quiet)
		level = LOG_L_ERROR;
	log_set_level(level);
	if (o->log_file != NULL && !o->log_stderr && log_to_file(o->log_file) != 0) {
		log_error("cannot write the log file %s: %s", o->log_file, qerr_str(QERR_SYS));
		return QERR_SYS;
	}
	return 0;
}

static int
run(struct supervisor_start *start)
{
	struct supervisor *s = NULL;
	struct ev *ev = NULL;
	int err, status = EXIT_FATAL;

	if ((err = ev_new(&ev)) != 0) {
		log_error("cannot start: %s", qerr_str(err));
		return status;
	}
	if (supervisor_new(&s, ev, start) == 0) {
		if ((err = ev_run(ev)) != 0)
			log_error("event loop: %s", qerr_str(err));
		else
			status = supervisor_status(s);
	}
	supervisor_free(&s);
	ev_free(&ev);
	return status;
}

/* Errors so far reach whoever started us; then the rest goes on in the background, where that
 * is wanted. */
static int
serve(const struct options *o, struct setup **setup)
{
	struct smsg_linit keys = {0};
	struct supervisor_start start = {.options = o, .keys = &keys, .ready = -1, .tcp = {.tcp = true}};
	char *rundir = NULL;
	int err, status = EXIT_FATAL;

	if (rundir_open(&rundir, (*setup)->user_mode) != 0 || rundir_keys(rundir, &keys) != 0 ||
	    sockets_bind_all(
		&start.sockets, (*setup)->listen, (*setup)->nlisten, BIND_PATIENCE) != 0 ||
	    ((*setup)->ntcp_listen > 0 && sockets_bind_all(&start.tcp, (*setup)->tcp_listen,
					      (*setup)->ntcp_listen, BIND_PATIENCE) != 0))
		goto out;
	if (!o->foreground && (err = daemon_fork(&start.ready, &status)) != 0) {
		if (err < 0)
			log_error("cannot become a daemon: %s", qerr_str(err));
		goto out;
	}
	start.setup = *setup;
	start.rundir = rundir;
	*setup = NULL;
	status = run(&start);
out:
	sockets_free(&start.sockets);
	sockets_free(&start.tcp);
	setup_free(&start.setup);
	sodium_memzero(&keys, sizeof(keys));
	free(rundir);
	return status;
}

static int
act(const struct options *o)
{
	struct setup *setup = NULL;
	bool user_mode = geteuid() != 0, dry = o->test || o->dump;
	int status = EXIT_FATAL;

	if (setup_load(&setup, o, user_mode, !dry) != 0)
		return status;
	if (o->dump)
		status = setup_dump(setup, o) == 0 ? 0 : EXIT_FATAL;
	else if (o->test)
		status = 0;
	else if (o->inetd)
		status = inetd_run(setup, o);
	else
		status = serve(o, &setup);
	setup_free(&setup);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o;
	int status = EXIT_USAGE;

	log_init("qshd", LOG_L_INFO);
	if (fd_sanitise_stdio() != 0 || sodium_init() < 0)
		return EXIT_FATAL;
	fd_closefrom(STDERR_FILENO + 1);
	role_hide(); /* it holds the host key */
	(void)umask(022);
	(void)signal(SIGPIPE, SIG_IGN);
	if (options_parse(&o, argc, argv) == 0) {
		if (o.version)
			status = printf("qshd %s\n", PACKAGE_VERSION) < 0 ? EXIT_FATAL : 0;
		else if (open_log(&o) != 0)
			status = EXIT_FATAL;
		else
			status = act(&o);
	}
	options_free(&o);
	return status;
}
