/* qsh: logs in to another machine. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/client.h"
#include "client/options.h"
#include "client/tty.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "quic/quic.h"

#define FAILED 255

/* As ssh: a key file named on the command line that is not there is told, and does not count, so that the
 * default ones are tried. */
static bool
identity_missing(const char *origin, const char *setting, const char *home)
{
	static const char keyword[] = "IdentityFile \"";
	const char *s = setting + sizeof(keyword) - 1;
	char *given, *path = NULL;
	struct stat st;
	bool missing;

	if (strcmp(origin, "option -i") != 0 ||
	    strncmp(setting, keyword, sizeof(keyword) - 1) != 0 || strpbrk(s, "%\\"))
		return false;
	given = strndup(s, strlen(s) - 1);
	missing = given && conf_expand_tilde(&path, given, home) == 0 && stat(path, &st) < 0;
	if (missing)
		log_info("Warning: Identity file %s not accessible: %s.", given, strerror(errno));
	free(given);
	free(path);
	return missing;
}

static int
set_options(struct cconf_ctx *ctx, const struct options *o, const char *home)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < o->settings.n; i++)
		if (!identity_missing(o->origins.v[i], o->settings.v[i], home))
			rc = cconf_set(ctx, o->origins.v[i], o->settings.v[i]);
	return rc;
}

static int
add_files(struct cconf_ctx *ctx, const struct options *o, const char *home)
{
	static const char *const user[] = {".qsh/config", ".ssh/config"};
	static const char *const global[] = {QSH_SYSCONFDIR "/qsh_config", QSH_SSHDIR "/ssh_config"};
	int rc = 0;

	if (o->config_file) {
		if (strcasecmp(o->config_file, "none") == 0)
			return 0;
		return cconf_add_file(ctx, o->config_file, true, false);
	}
	for (size_t i = 0; rc == 0 && home && i < 2; i++) {
		char *path = str_printf("%s/%s", home, user[i]);

		rc = path ? cconf_add_file(ctx, path, false, true) : QERR_NOMEM;
		free(path);
	}
	for (size_t i = 0; rc == 0 && i < 2; i++)
		rc = cconf_add_file(ctx, global[i], false, false);
	return rc;
}

/* Everything that says how to connect. What is wrong was logged, except QERR_NOMEM. */
static int
configure(struct cconf **out, const struct options *o)
{
	const struct passwd *pw = getpwuid(getuid());
	char *home = pw ? strdup(pw->pw_dir) : NULL;
	struct cconf_ctx *ctx = NULL;
	int rc = cconf_new(&ctx);

	if (rc == 0)
		rc = set_options(ctx, o, home);
	if (rc == 0)
		rc = add_files(ctx, o, home);
	if (rc == 0)
		rc = cconf_finish(ctx, o->host, o->user, o->command, out);
	cconf_ctx_free(&ctx);
	free(home);
	return rc;
}

static int
dump(const struct cconf *conf)
{
	struct buf b;
	int rc;

	buf_init(&b, 1 << 20);
	rc = cconf_dump(&b, conf);
	if (rc == 0)
		rc = fd_write_all(STDOUT_FILENO, buf_data(&b), buf_len(&b));
	buf_free(&b);
	return rc < 0 ? FAILED : 0;
}

static bool
is_set(const char *s)
{
	return s && *s && strcasecmp(s, "none") != 0;
}

/* To connect directly where a way round was asked for would be something else than what was meant. */
static bool
proxy_wanted(const struct cconf *conf)
{
	if (is_set(conf->proxy_jump))
		log_error("qsh: %s: ProxyJump is not supported yet", conf->host);
	else
		return false;
	return true;
}

static int
run(const struct cconf *conf, const struct plan *plan, int *signo)
{
	struct client *client = NULL;
	struct stdio io;
	struct ev *ev = NULL;
	int rc, status = FAILED;

	stdio_init(&io);
	rc = quic_init_first();
	if (rc == 0)
		rc = ev_new(&ev);
	if (rc < 0) {
		log_error("qsh: %s", qerr_str(rc));
		return FAILED;
	}
	if (client_new(&client, ev, conf, plan, &io) == 0) {
		rc = ev_run(ev);
		if (rc < 0)
			log_error("qsh: %s", qerr_str(rc));
		status = client_status(client);
		*signo = client_signal(client);
	}
	client_free(&client);
	tty_restore();
	stdio_restore(&io);
	ev_free(&ev);
	return status;
}

static int
connect_and_run(const struct options *o, const struct cconf *conf, int *signo)
{
	struct plan plan;
	const char *why;

	log_set_level((enum log_level)conf->log_level);
	if (o->compression)
		log_debug("-C: compression is not there yet");
	if (proxy_wanted(conf))
		return FAILED;
	if (plan_make(&plan, conf, o->command, isatty(STDIN_FILENO), &why) < 0) {
		log_error("%s", why);
		return FAILED;
	}
	if (plan.pty_refused)
		log_info("Pseudo-terminal will not be allocated because stdin is not a terminal.");
	return run(conf, &plan, signo);
}

static int
qsh(int argc, char **argv, int *signo)
{
	struct options o;
	struct cconf *conf = NULL;
	struct buf why;
	int rc, status = FAILED;

	buf_init(&why, 8192);
	rc = options_parse(&o, argc, argv, &why);
	if (rc < 0) {
		fd_write_all(STDERR_FILENO, buf_data(&why), buf_len(&why));
		goto out;
	}
	if (o.action == OPTIONS_VERSION) {
		fprintf(stderr, "qsh %s\n", VERSION);
		status = 0;
		goto out;
	}
	if (o.log_file && log_to_file(o.log_file) < 0) {
		log_error("qsh: cannot open log file %s: %s", o.log_file, strerror(errno));
		goto out;
	}
	if (o.log_level >= 0)
		log_set_level((enum log_level)o.log_level);
	log_debug("qsh %s", VERSION);
	rc = configure(&conf, &o);
	if (rc < 0) {
		if (rc == QERR_NOMEM)
			log_error("qsh: out of memory");
		goto out;
	}
	status = o.action == OPTIONS_DUMP ? dump(conf) : connect_and_run(&o, conf, signo);
out:
	cconf_free(&conf);
	options_free(&o);
	buf_free(&why);
	return status;
}

int
main(int argc, char **argv)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int signo = 0, status;

	log_init("", LOG_L_INFO);
	if (fd_sanitise_stdio() < 0)
		return FAILED;
	sigaction(SIGPIPE, &ignore, NULL);
	status = qsh(argc, argv, &signo);
	if (signo) {
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		sigaction(signo, &dfl, NULL);
		raise(signo);
	}
	return status;
}
