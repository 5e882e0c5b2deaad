#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/ipc/ipc.h"
#include "server/supervisor/hostkey.h"
#include "server/supervisor/setup.h"

static int
replace(struct strlist *dst, const struct strlist *src)
{
	strlist_free(dst);
	*dst = (struct strlist){0};
	return strlist_copy(dst, src);
}

/* The command line's keys come before the configured ones. */
static int
prepend(struct strlist *dst, const struct strlist *first)
{
	struct strlist all = {0};
	int err = strlist_copy(&all, first);

	if (err == 0)
		err = strlist_copy(&all, dst);
	if (err != 0) {
		strlist_free(&all);
		return err;
	}
	strlist_free(dst);
	*dst = all;
	return 0;
}

static int
apply_options(struct sconf *c, const struct options *o)
{
	int err = 0;

	if (o->family >= 0)
		c->address_family = o->family;
	if (o->ports.n > 0)
		err = replace(&c->ports, &o->ports);
	if (err == 0 && o->host_keys.n > 0)
		err = prepend(&c->host_keys, &o->host_keys);
	return err;
}

static enum log_level
level_of(const struct sconf *c, const struct options *o)
{
	if (o->debug > 0)
		return (enum log_level)(LOG_L_DEBUG1 + (o->debug - 1));
	return o->quiet ? LOG_L_QUIET : (enum log_level)c->log_level;
}

static int
find_account(struct setup *s)
{
	const char *name = s->conf->account;
	const struct passwd *pw;

	if (s->user_mode)
		return 0;
	pw = getpwnam(name);
	if (pw == NULL) {
		log_error(
		    "the account %s, which the processes on the network run as, does not "
		    "exist: "
		    "useradd --system --user-group --home-dir /nonexistent --no-create-home "
		    "--shell /usr/sbin/nologin %s",
		    name, name);
		return QERR_NOTFOUND;
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0) {
		log_error(
		    "the account %s, which the processes on the network run as, must not be "
		    "root or in root's group: set UnprivilegedUser",
		    name);
		return QERR_DENIED;
	}
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	return 0;
}

static int
load(struct setup *s, const struct options *o, bool make_key)
{
	int err = sconf_load_with(&s->src, o->config, &o->overrides, s->user_mode);

	if (err != 0)
		return err; /* logged, with file and line */
	if ((err = sconf_eval(s->src, NULL, &s->conf)) != 0 ||
	    (err = apply_options(s->conf, o)) != 0 ||
	    (err = sconf_src_put(&s->config, s->src)) != 0) {
		log_error("configuration: %s", qerr_str(err));
		return err;
	}
	s->level = level_of(s->conf, o);
	if ((err = find_account(s)) != 0)
		return err;
	err = sconf_listen_addrs(
	    s->conf, s->user_mode ? SETUP_USER_PORT : SETUP_PORT, &s->listen, &s->nlisten);
	if (err == 0 && s->nlisten == 0) {
		log_error("no address to listen on: check ListenAddress and AddressFamily");
		err = QERR_NOTFOUND;
	}
	if (err == 0)
		err = sconf_tcp_addrs(s->conf, &s->tcp_listen, &s->ntcp_listen);
	if (err == 0)
		err = hostkey_load(&s->host_key, &s->host_key_path, s->conf,
		    sconf_src_is_sshds(s->src) && o->host_keys.n == 0, s->user_mode, make_key);
	return err;
}

int
setup_load(struct setup **out, const struct options *o, bool user_mode, bool make_key)
{
	struct setup *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL) {
		log_error("configuration: %s", qerr_str(QERR_NOMEM));
		return QERR_NOMEM;
	}
	s->user_mode = user_mode;
	buf_init(&s->config, IPC_BODY_MAX);
	if ((err = load(s, o, make_key)) != 0)
		setup_free(&s);
	*out = s;
	return err;
}

void
setup_minit(const struct setup *s, const struct options *o, struct smsg_minit *m)
{
	*m = (struct smsg_minit){
	    .host_sk = {s->host_key.sk, 64},
	    .config = {buf_data(&s->config), buf_len(&s->config)},
	    .user_mode = s->user_mode,
	    .log_stderr = o->log_stderr,
	    .log_level = (uint8_t)s->level,
	    .log_file = o->log_file,
	    .account = s->conf->account,
	    .debug = o->debug > 0,
	};
}

void
setup_stream_admit(struct smsg_admit *m, struct quic_cid *cid)
{
	memset(cid, 0, sizeof(*cid));
	cid->len = QUIC_CID_LEN;
	randombytes_buf(cid->id, cid->len);
	randombytes_buf(cid->reset, sizeof(cid->reset));
	*m = (struct smsg_admit){.validated = 1, .steered = 1, .cids = {.v = cid, .n = 1}};
}

void
setup_free(struct setup **sp)
{
	struct setup *s = *sp;

	if (s == NULL)
		return;
	sconf_free(&s->conf);
	sconf_src_free(&s->src);
	buf_free(&s->config);
	free(s->listen);
	free(s->tcp_listen);
	privkey_free(&s->host_key);
	free(s->host_key_path);
	free(s);
	*sp = NULL;
}
