#include "client/request.h"

#include <stdlib.h>
#include <string.h>

#include "client/ttymodes.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

const char *
request_kind_name(enum wire_start_kind kind)
{
	switch (kind) {
	case WIRE_START_EXEC:
		return "exec";
	case WIRE_START_SUBSYSTEM:
		return "subsystem";
	default:
		return "shell";
	}
}

static bool
wanted(const struct strlist *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (str_match(name, patterns->v[i]))
			return true;
	return false;
}

/* Adds "NAME=value" unless it goes over the protocol's bounds. */
static int
add_env(struct strlist *env, const char *pair)
{
	size_t n = strcspn(pair, "=");

	if (pair[n] != '=' || n == 0)
		return 0;
	if (n > WIRE_NAME_MAX || strlen(pair + n + 1) > WIRE_ENV_MAX || env->n >= WIRE_ENV_COUNT) {
		log_info("environment variable %.*s is not sent: too long, or too many",
		    n > 64 ? 64 : (int)n, pair);
		return 0;
	}
	return strlist_add(env, pair);
}

static int
collect_env(struct request *r, const struct cconf *conf, char *const *environ_)
{
	int rc = 0;

	for (; rc == 0 && conf->send_env.n > 0 && environ_ && *environ_; environ_++) {
		char *name = strndup(*environ_, strcspn(*environ_, "="));

		if (!name)
			return QERR_NOMEM;
		if (wanted(&conf->send_env, name))
			rc = add_env(&r->env, *environ_);
		free(name);
	}
	for (size_t i = 0; rc == 0 && i < conf->set_env.n; i++)
		rc = add_env(&r->env, conf->set_env.v[i]);
	return rc;
}

/* SetEnv TERM=... overrules what the terminal is said to be. */
static const char *
find_term(const struct cconf *conf, char *const *environ_)
{
	for (size_t i = 0; i < conf->set_env.n; i++)
		if (strncmp(conf->set_env.v[i], "TERM=", 5) == 0)
			return conf->set_env.v[i] + 5;
	for (; environ_ && *environ_; environ_++)
		if (strncmp(*environ_, "TERM=", 5) == 0)
			return *environ_ + 5;
	return "";
}

int
request_collect(struct request *r, const struct plan *plan, const struct cconf *conf,
    char *const *environ_, int tty)
{
	struct termios t;
	int rc;

	memset(r, 0, sizeof(*r));
	r->plan = plan;
	buf_init(&r->modes, WIRE_MODES_MAX);
	rc = collect_env(r, conf, environ_);
	if (rc < 0 || !plan->pty)
		return rc;
	r->term = strndup(find_term(conf, environ_), WIRE_NAME_MAX);
	if (!r->term)
		return QERR_NOMEM;
	tty_size(tty, &r->size);
	return ttymodes_put(&r->modes, tty_modes(tty, &t) == 0 ? &t : NULL);
}

size_t
request_size(const struct request *r)
{
	size_t n = 512 + buf_len(&r->modes);

	if (r->plan->command)
		n += strlen(r->plan->command);
	for (size_t i = 0; i < r->env.n; i++)
		n += strlen(r->env.v[i]) + WIRE_HDR_MAX;
	return n;
}

static int
send_open(struct msgstream *ms)
{
	static char type[] = "session";
	struct wire_open m = {.type = type};
	struct buf b;
	int rc;

	buf_init(&b, 256);
	rc = wire_put_open(&b, &m);
	if (rc == 0)
		rc = msgstream_send(ms, WIRE_OPEN, &b);
	buf_free(&b);
	return rc;
}

static int
send_pty(const struct request *r, struct msgstream *ms)
{
	struct wire_pty m = {.term = r->term, .cols = r->size.cols, .rows = r->size.rows,
	    .xpixel = r->size.xpixel, .ypixel = r->size.ypixel,
	    .modes = {buf_data(&r->modes), buf_len(&r->modes)}};
	struct buf b;
	int rc;

	buf_init(&b, WIRE_BODY_MAX);
	rc = wire_put_pty(&b, &m);
	if (rc == 0)
		rc = msgstream_send(ms, WIRE_PTY, &b);
	buf_free(&b);
	return rc;
}

static int
send_env(const char *pair, struct msgstream *ms)
{
	size_t n = strcspn(pair, "=");
	char *name = strndup(pair, n), *value = strdup(pair + n + 1);
	struct wire_env m = {.name = name, .value = value};
	struct buf b;
	int rc = QERR_NOMEM;

	buf_init(&b, WIRE_BODY_MAX);
	if (name && value) {
		log_debug("channel 0: setting env %s", name);
		rc = wire_put_env(&b, &m);
	}
	if (rc == 0)
		rc = msgstream_send(ms, WIRE_ENV, &b);
	buf_free(&b);
	free(name);
	free(value);
	return rc;
}

static int
send_start(const struct request *r, struct msgstream *ms)
{
	char *command = strdup(r->plan->command ? r->plan->command : "");
	struct wire_start m = {.kind = r->plan->kind, .command = command};
	struct buf b;
	int rc = QERR_NOMEM;

	buf_init(&b, WIRE_BODY_MAX);
	if (command)
		rc = wire_put_start(&b, &m);
	if (rc == 0)
		rc = msgstream_send(ms, WIRE_START, &b);
	if (r->plan->command)
		log_debug("Sending %s: %s",
		    r->plan->kind == WIRE_START_SUBSYSTEM ? "subsystem" : "command", command);
	buf_free(&b);
	free(command);
	return rc;
}

int
request_send(const struct request *r, struct msgstream *ms)
{
	int rc = send_open(ms);

	if (rc == 0 && r->plan->pty)
		rc = send_pty(r, ms);
	for (size_t i = 0; rc == 0 && i < r->env.n; i++)
		rc = send_env(r->env.v[i], ms);
	return rc < 0 ? rc : send_start(r, ms);
}

void
request_free(struct request *r)
{
	strlist_free(&r->env);
	free(r->term);
	buf_free(&r->modes);
	memset(r, 0, sizeof(*r));
}
