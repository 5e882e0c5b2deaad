/* Authentication. */
#include "server/monitor/auth.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/keys/keys.h"
#include "common/wire/wire.h"
#include "server/monitor/decide.h"
#include "server/monitor/keyfile.h"
#include "server/monitor/methods.h"

#define PUBLICKEY "publickey"

struct auth {
	struct auth_env *env;
	char *user;               /* as first asked for */
	struct account *acct;
	struct sconf *conf;
	bool valid;               /* exists and may log in from here */
	bool done;                /* proved, by all methods that are wanted */
	struct methods methods;
	struct auth_count count;
	struct strlist shown;     /* keys that have proved themselves, as "type base64" */
	struct grant grant;
};

int
auth_new(struct auth **out, struct auth_env *env)
{
	struct auth *a = calloc(1, sizeof *a);
	if (!a)
		return QERR_NOMEM;
	a->env = env;
	a->methods.offered = "";
	*out = a;
	return 0;
}

static void
forget_proofs(struct auth *a)
{
	methods_free(&a->methods);
	strlist_free(&a->shown);
	grant_free(&a->grant);
}

void
auth_free(struct auth **pa)
{
	struct auth *a = *pa;
	if (!a)
		return;
	*pa = NULL;
	forget_proofs(a);
	account_free(&a->acct);
	sconf_free(&a->conf);
	free(a->user);
	free(a);
}

const char *
auth_user(const struct auth *a)
{
	return a->user;
}

bool
auth_user_valid(const struct auth *a)
{
	return a->valid;
}

const struct account *
auth_account(const struct auth *a)
{
	return a->acct;
}

const struct sconf *
auth_conf(const struct auth *a)
{
	return a->conf;
}

const struct grant *
auth_grant(const struct auth *a)
{
	return &a->grant;
}

char *
auth_info(const struct auth *a)
{
	struct buf b;
	char *out = NULL;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < a->shown.n; i++)
		(void)buf_printf(&b, "%s" PUBLICKEY " %s", i ? "\n" : "", a->shown.v[i]);
	if (buf_put_u8(&b, 0) == 0)
		out = strdup((const char *)buf_data(&b));
	buf_free(&b);
	return out;
}

/* ---- who it is, and what holds for him ------------------------------------------- */

/* The configuration as Match makes it for this user and these addresses. */
static int
eval_conf(const struct auth *a, const struct tp_path *path, struct sconf **out)
{
	char host[ADDR_STRLEN];
	struct sconf_match m = {.user = a->acct->name,
	    .groups = (const char *const *)a->acct->groups.v,
	    .ngroups = a->acct->groups.n,
	    .remote = &path->remote,
	    .local = &path->local,
	    .host = addr_host(&path->remote, host)};
	int r = sconf_eval(a->env->src, &m, out);
	if (r == 0 && a->env->only_uid != (uid_t)-1)
		(*out)->use_pam = false; /* it is root's */
	return r;
}

/* Judges the account for the address that the connection has now. */
static int
judge(struct auth *a)
{
	struct sconf *c;
	int r = eval_conf(a, &a->env->path, &c);
	if (r < 0)
		return r;
	sconf_free(&a->conf);
	a->conf = c;
	a->count.max = c->max_auth_tries;
	enum access why = access_check(a->acct, c, &a->env->path.remote, a->env->only_uid);
	access_log(why, a->acct, &a->env->path.remote);
	a->valid = why == ACCESS_OK;
	forget_proofs(a);
	r = methods_init(&a->methods, &c->auth_methods, c->pubkey_auth ? PUBLICKEY : "");
	if (r == QERR_DENIED) {
		log_error("No AuthenticationMethods left for user %s: a list may only have " PUBLICKEY
			  " in it now",
		    a->acct->name);
		r = 0;
	}
	return r;
}

static int
first_request(struct auth *a, const struct smsg_auth *req, uint64_t now)
{
	if (strcmp(req->service, WIRE_SERVICE) != 0) {
		log_info("Unknown service %s asked for by %s", req->service,
		    addr_show(&a->env->path.remote));
		return QERR_PROTO;
	}
	a->user = strdup(req->user);
	if (!a->user)
		return QERR_NOMEM;
	int r = account_lookup(&a->acct, req->user, now / NS_PER_S);
	return r < 0 ? r : judge(a);
}

/* ---- publickey ---------------------------------------------------------------------- */

/* The bytes that the user signed: all but the exporter is what we know ourselves. */
static int
signed_message(struct buf *tbs, const struct auth *a, const struct smsg_auth *req)
{
	struct buf msg;
	struct bytes hostkey = {a->env->hostkey, a->env->hostkeylen};
	buf_init(&msg, WIRE_KEY_MAX + 4096);
	int r = wire_put_auth_message(&msg, req->exporter, hostkey, req->user, WIRE_SERVICE, PUBLICKEY,
	    req->key);
	if (r == 0)
		r = sshsig_tbs(tbs, WIRE_SSHSIG_NAMESPACE, buf_data(&msg), buf_len(&msg));
	buf_free(&msg);
	return r;
}

static bool
signature_ok(const struct auth *a, const struct smsg_auth *req, const struct pubkey *k)
{
	struct buf tbs;
	buf_init(&tbs, 4096);
	int r = signed_message(&tbs, a, req);
	if (r == 0)
		r = sshsig_verify(k, buf_data(&tbs), buf_len(&tbs), req->sig.p, req->sig.n);
	buf_free(&tbs);
	if (r < 0)
		log_debug("signature of user %s: %s", a->user, qerr_str(r));
	return r == 0;
}

/* What one publickey request found out. */
struct attempt {
	struct auth_facts facts;
	struct pubkey key;
	struct authkey_line line;
	struct grant grant;       /* what there would be with this key */
	char *text;               /* of the key */
	char *fingerprint;
};

static void
attempt_free(struct attempt *t)
{
	pubkey_free(&t->key);
	authkey_line_free(&t->line);
	grant_free(&t->grant);
	free(t->text);
	free(t->fingerprint);
}

static int
copy_grant(struct grant *to, const struct grant *from)
{
	for (size_t i = 0; i < from->from.n; i++) {
		if (strlist_add(&to->from, from->from.v[i]) < 0)
			return QERR_NOMEM;
	}
	for (size_t i = 0; i < from->env.n; i++) {
		if (strlist_add(&to->env, from->env.v[i]) < 0)
			return QERR_NOMEM;
	}
	if (from->command && !(to->command = strdup(from->command)))
		return QERR_NOMEM;
	to->no_pty = from->no_pty;
	to->no_user_rc = from->no_user_rc;
	return 0;
}

/* The key, its line and the signature are looked at for every user alike: whether he exists must not
 * show in the work that is done. */
static int
try_publickey(struct auth *a, const struct smsg_auth *req, uint64_t now, struct attempt *t)
{
	struct auth_facts *f = &t->facts;
	f->has_sig = req->has_sig != 0;
	if (pubkey_from_blob(&t->key, req->key.p, req->key.n) < 0) {
		log_debug("key of user %s cannot be read", a->user);
		return 0;
	}
	t->text = pubkey_to_text(&t->key);
	t->fingerprint = pubkey_fingerprint(&t->key, "sha256");
	if (!t->text || !t->fingerprint)
		return QERR_NOMEM;
	if (!t->key.ed25519) {
		log_debug("key type %s of user %s is not supported", t->key.type, a->user);
		return 0;
	}
	f->key_fresh = !strlist_has(&a->shown, t->text);
	f->sig_ok = f->has_sig && signature_ok(a, req, &t->key);
	int r = keyfile_find(a->acct, a->conf, &t->key, &a->env->path.remote, now / NS_PER_S, &t->line);
	if (r < 0)
		return r;
	f->key_ok = r == 1;
	if (!f->key_ok)
		return 0;
	r = copy_grant(&t->grant, &a->grant);
	if (r == 0)
		r = grant_add(&t->grant, &t->line.opts, a->conf->permit_user_env,
		    a->conf->permit_user_env_patterns);
	f->grants_agree = r == 0;
	f->root_ok = a->acct->uid != 0 ||
	    access_root_permitted(a->conf->permit_root_login, t->line.opts.command != NULL);
	return r == QERR_NOMEM ? r : 0;
}

/* ---- outcome -------------------------------------------------------------------------- */

static void
log_outcome(const struct auth *a, const char *what, const char *method, const struct attempt *t,
    enum log_level level)
{
	log_msg(level, "%s %s for %s%s from %s qsh%s%s%s%s", what, method,
	    a->valid ? "" : "invalid user ", a->user, addr_show(&a->env->path.remote),
	    t->fingerprint ? ": " : "", t->fingerprint ? pubkey_short_type(&t->key) : "",
	    t->fingerprint ? " " : "", t->fingerprint ? t->fingerprint : "");
}

static int
proved(struct auth *a, struct attempt *t, struct auth_reply *reply)
{
	int r = strlist_add(&a->shown, t->text);
	if (r < 0)
		return r;
	grant_free(&a->grant);
	a->grant = t->grant;
	memset(&t->grant, 0, sizeof t->grant);
	r = methods_succeeded(&a->methods, PUBLICKEY);
	if (r < 0)
		return r;
	a->done = r == 1;
	reply->code = a->done ? SMSG_AUTH_OK : SMSG_AUTH_PARTIAL;
	log_outcome(a, a->done ? "Accepted" : "Partial", PUBLICKEY, t, LOG_L_INFO);
	return 0;
}

static void
failed(struct auth *a, const struct smsg_auth *req, const struct attempt *t, uint64_t began,
    struct auth_reply *reply)
{
	bool none = strcmp(req->method, "none") == 0;
	if (t->facts.sig_ok && t->facts.key_ok && !t->facts.root_ok)
		log_info("ROOT LOGIN REFUSED FROM %s", addr_show(&a->env->path.remote));
	log_outcome(a, "Failed", req->method, t,
	    !a->valid || auth_count_loud(&a->count) ? LOG_L_INFO : LOG_L_VERBOSE);
	reply->code = SMSG_AUTH_FAIL;
	if (auth_count_failure(&a->count, none)) {
		log_error("maximum authentication attempts exceeded for %s%s from %s qsh",
		    a->valid ? "" : "invalid user ", a->user, addr_show(&a->env->path.remote));
		reply->code = SMSG_AUTH_END;
	}
	/* also for "none": the user has been looked up */
	reply->not_before = delay_for(a->user, a->env->secret, clock_mono() - began);
}

static int
conclude(struct auth *a, const struct smsg_auth *req, struct attempt *t, uint64_t began,
    struct auth_reply *reply)
{
	switch (auth_decide(&t->facts)) {
	case AUTH_KEY_WOULD_DO:
		log_outcome(a, "Postponed", req->method, t, LOG_L_VERBOSE);
		reply->code = SMSG_AUTH_PK_OK;
		return 0;
	case AUTH_PROVED:
		return proved(a, t, reply);
	default:
		failed(a, req, t, began, reply);
		return 0;
	}
}

int
auth_request(struct auth *a, const struct smsg_auth *req, uint64_t now, struct auth_reply *reply)
{
	struct attempt t = {0};
	uint64_t began = clock_mono();
	memset(reply, 0, sizeof *reply);
	int r = a->user ? 0 : first_request(a, req, now);
	if (r < 0)
		return r;
	if (strcmp(req->user, a->user) != 0 || strcmp(req->service, WIRE_SERVICE) != 0) {
		log_info("Change of username or service not allowed: (%s,%s) -> (%s,%s)", a->user,
		    WIRE_SERVICE, req->user, req->service);
		return QERR_PROTO;
	}
	if (a->done || !auth_count_attempt(&a->count))
		return QERR_PROTO;
	t.facts.user_ok = a->valid;
	t.facts.method_ok = methods_allowed(&a->methods, req->method);
	if (strcmp(req->method, PUBLICKEY) == 0)
		r = try_publickey(a, req, now, &t);
	if (r == 0)
		r = conclude(a, req, &t, began, reply);
	methods_continue(&a->methods, reply->methods, sizeof reply->methods);
	attempt_free(&t);
	return r;
}

/* ---- moves ------------------------------------------------------------------------------ */

static bool
same_text(const char *x, const char *y)
{
	return x == y || (x && y && strcmp(x, y) == 0);
}

static bool
same_list(const struct strlist *x, const struct strlist *y)
{
	bool same = x->n == y->n;
	for (size_t i = 0; i < x->n && same; i++)
		same = strcmp(x->v[i], y->v[i]) == 0;
	return same;
}

/* The session goes on under the rules that it began with, so those of the new address must not be others. */
static bool
same_rules(const struct sconf *x, const struct sconf *y)
{
	return same_text(x->force_command, y->force_command) && x->permit_tty <= y->permit_tty &&
	    x->max_sessions <= y->max_sessions && x->permit_user_rc <= y->permit_user_rc &&
	    same_list(&x->authorized_keys_files, &y->authorized_keys_files) &&
	    same_text(x->pam_service, y->pam_service) && same_list(&x->accept_env, &y->accept_env) &&
	    same_list(&x->set_env, &y->set_env) && same_list(&x->subsystems, &y->subsystems);
}

/* Would the methods that succeeded be enough by this configuration? */
static bool
methods_suffice(const struct sconf *c, size_t proofs)
{
	struct methods m;
	bool enough = false;
	if (methods_init(&m, &c->auth_methods, c->pubkey_auth ? PUBLICKEY : "") == 0) {
		for (size_t i = 0; i < proofs && !enough; i++)
			enough = methods_allowed(&m, PUBLICKEY) && methods_succeeded(&m, PUBLICKEY) == 1;
	}
	methods_free(&m);
	return enough;
}

static int
check_move(const struct auth *a, const struct sconf *c, const struct tp_path *to)
{
	enum access why = access_check(a->acct, c, &to->remote, a->env->only_uid);
	if (why != ACCESS_OK) {
		access_log(why, a->acct, &to->remote);
		return QERR_DENIED;
	}
	if (!grant_permits(&a->grant, &to->remote)) {
		log_info("User %s moved to %s, from where the key is not permitted", a->user,
		    addr_show(&to->remote));
		return QERR_DENIED;
	}
	if (a->acct->uid == 0 && !access_root_permitted(c->permit_root_login, a->grant.command != NULL)) {
		log_info("ROOT LOGIN REFUSED FROM %s", addr_show(&to->remote));
		return QERR_DENIED;
	}
	if (!methods_suffice(c, a->shown.n) || !same_rules(a->conf, c)) {
		log_info("User %s moved to %s, for which the configuration has other rules", a->user,
		    addr_show(&to->remote));
		return QERR_DENIED;
	}
	return 0;
}

int
auth_moved(struct auth *a, const struct tp_path *to)
{
	struct sconf *c;
	if (a->done) {
		int r = eval_conf(a, to, &c);
		if (r < 0)
			return r;
		r = check_move(a, c, to);
		sconf_free(&c);
		if (r < 0)
			return r;
	}
	a->env->path = *to;
	return a->done || !a->user ? 0 : judge(a);
}
