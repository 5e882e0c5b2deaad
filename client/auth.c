#include "client/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/addkeys.h"
#include "client/ask.h"
#include "client/quitsig.h"
#include "client/tty.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/chan/msgstream.h"

#define KEY_FILE_MAX (64 * 1024)

enum { PH_ASKED = 1, PH_DONE = 2 };

/* What the last request was about. */
enum waiting { W_NONE, W_METHODS, W_QUERY, W_SIGNED };

struct auth {
	struct ev *ev;
	struct tp_conn *conn;
	struct msgstream *ms;
	const struct cconf *conf;
	struct keyring *keys;
	const struct pubkey *hostkey;
	const struct auth_ops *ops;
	void *arg;
	uint8_t exporter[WIRE_EXPORTER_LEN];
	size_t next;            /* identity to try next */
	struct identity *id;    /* the one that is tried now */
	enum waiting waiting;
	struct ask *ask;
	unsigned attempt;       /* passphrases tried for id */
	struct addkeys addkeys;
	char *methods;          /* the server's last list */
};

static void try_next(struct auth *a);

static void
deny(struct auth *a)
{
	const char *methods = a->methods && *a->methods ? a->methods : "publickey";

	msgstream_set_phase(a->ms, PH_DONE);
	for (size_t i = 0; i < a->keys->skipped.n; i++)
		log_info("%s", a->keys->skipped.v[i]);
	log_error("%s@%s: Permission denied (%s).", a->conf->user, a->conf->hostname, methods);
	a->ops->denied(a->arg);
}

/* A local failure: no memory, the connection is closing. */
static void
fail(struct auth *a, int err)
{
	if (err != QERR_CLOSED)
		log_error("qsh: authentication: %s", qerr_str(err));
	msgstream_set_phase(a->ms, PH_DONE);
	a->ops->denied(a->arg);
}

static int
send_request(struct auth *a, const struct wire_auth_request *m)
{
	struct buf b;
	int rc;

	buf_init(&b, WIRE_CONTROL_MAX);
	rc = wire_put_auth_request(&b, m);
	if (rc == 0)
		rc = msgstream_send(a->ms, WIRE_AUTH_REQUEST, &b);
	buf_free(&b);
	return rc;
}

static struct wire_auth_request
request(struct auth *a, const char *method)
{
	static char service[] = WIRE_SERVICE;
	struct wire_auth_request m = {.user = a->conf->user, .service = service};

	m.method = (char *)(uintptr_t)method; /* only read */
	return m;
}

static int
send_none(struct auth *a)
{
	struct wire_auth_request m = request(a, "none");

	a->waiting = W_METHODS;
	return send_request(a, &m);
}

static int
send_query(struct auth *a)
{
	struct wire_auth_request m = request(a, "publickey");

	m.key = (struct bytes){a->id->pub.blob, a->id->pub.bloblen};
	a->waiting = W_QUERY;
	return send_request(a, &m);
}

/* What the key signs, see PROTOCOL.md. */
static int
put_tbs(struct auth *a, struct buf *tbs)
{
	struct bytes hostkey = {a->hostkey->blob, a->hostkey->bloblen};
	struct bytes key = {a->id->pub.blob, a->id->pub.bloblen};
	struct buf msg;
	int rc;

	buf_init(&msg, 4 * KEY_BLOB_MAX);
	rc = wire_put_auth_message(&msg, a->exporter, hostkey, a->conf->user, WIRE_SERVICE,
	    "publickey", key);
	if (rc == 0)
		rc = sshsig_tbs(tbs, WIRE_SSHSIG_NAMESPACE, buf_data(&msg), buf_len(&msg));
	buf_free(&msg);
	return rc;
}

/* QERR_AGENT and the like: this key does not do, but another may. */
static int
make_signature(struct auth *a, struct buf *sig)
{
	struct quitsig q;
	struct buf tbs;
	int rc;

	buf_init(&tbs, 4096);
	quitsig_default(&q);
	rc = put_tbs(a, &tbs);
	if (rc == 0 && a->id->in_agent)
		rc = agent_sign(a->keys->agent, &a->id->pub, buf_data(&tbs), buf_len(&tbs), sig);
	else if (rc == 0)
		rc = sshsig_sign(sig, &a->id->priv, buf_data(&tbs), buf_len(&tbs));
	quitsig_back(&q);
	buf_free(&tbs);
	if (rc == QERR_AGENT)
		log_error("agent refused operation: the key %s did not sign (the agent is locked, "
			  "you did not confirm, or the key is restricted to destinations, which "
			  "qsh cannot serve)",
		    a->id->comment && *a->id->comment ? a->id->comment
						      : a->id->path ? a->id->path : "");
	else if (rc < 0)
		log_error("signing failed for %s key \"%s\"%s: %s",
		    pubkey_short_type(&a->id->pub),
		    a->id->path ? a->id->path : a->id->comment ? a->id->comment : "",
		    a->id->in_agent ? " from agent" : "", qerr_str(rc));
	return rc;
}

/* 0: sent; 1: the key cannot be used; negative: an error of ours. */
static int
send_signed(struct auth *a)
{
	struct wire_auth_request m = request(a, "publickey");
	struct buf sig;
	int rc;

	buf_init(&sig, 4096);
	if (make_signature(a, &sig) < 0) {
		buf_free(&sig);
		return 1;
	}
	m.key = (struct bytes){a->id->pub.blob, a->id->pub.bloblen};
	m.has_sig = true;
	m.sig = (struct bytes){buf_data(&sig), buf_len(&sig)};
	a->waiting = W_SIGNED;
	rc = send_request(a, &m);
	buf_free(&sig);
	return rc;
}

/* Where the user is to be asked something about the key, the server says first whether it would do. */
static bool
asks_first(const struct auth *a)
{
	const struct identity *id = a->id;

	if (id->in_agent)
		return false;
	return id->parsed ? a->addkeys.ask && a->keys->agent : id->encrypted;
}

static void
offer(struct auth *a)
{
	char *shown = identity_show(a->id);
	int rc;

	log_debug("Offering public key: %s", shown ? shown : "?");
	free(shown);
	rc = asks_first(a) ? send_query(a) : send_signed(a);
	if (rc < 0)
		fail(a, rc);
	else if (rc > 0)
		try_next(a);
}

static bool
usable(const struct auth *a)
{
	if (!a->conf->pubkey_auth)
		return false;
	if (a->conf->preferred_auth && *a->conf->preferred_auth &&
	    str_match_list("publickey", a->conf->preferred_auth, true) != 1)
		return false;
	return !a->methods || str_match_list("publickey", a->methods, true) == 1;
}

static void
try_next(struct auth *a)
{
	int rc;

	a->id = NULL;
	while (usable(a) && a->next < a->keys->n) {
		struct identity *id = &a->keys->v[a->next++];

		identity_open(id, a->conf->batch_mode);
		if (id->useless)
			continue;
		a->id = id;
		a->attempt = 0;
		offer(a);
		return;
	}
	if (a->methods) {
		deny(a);
		return;
	}
	/* Nothing to offer: the server's list of methods is still needed, for the message. */
	rc = send_none(a);
	if (rc < 0)
		fail(a, rc);
}

/* ---- passphrases ------------------------------------------------------------ */

static void ask_passphrase(struct auth *a);

static void
add_to_agent(struct auth *a)
{
	if (!a->keys->agent)
		return;
	if (agent_add(a->keys->agent, &a->id->priv, a->addkeys.lifetime, a->addkeys.confirm) < 0)
		log_debug("could not add identity to agent: %s", a->id->path);
	else
		log_debug("identity added to agent: %s", a->id->path);
}

static void
go_on_signing(struct auth *a)
{
	int rc = send_signed(a);

	if (rc < 0)
		fail(a, rc);
	else if (rc > 0)
		try_next(a);
}

static void
on_add_answer(void *arg, const char *answer)
{
	struct auth *a = arg;

	ask_free(&a->ask);
	if (answer && (*answer == 0 || strcasecmp(answer, "yes") == 0))
		add_to_agent(a);
	go_on_signing(a);
}

/* The key was read, with its passphrase where it has one, and the server takes it. */
static void
key_ready(struct auth *a)
{
	char *q;

	a->waiting = W_NONE;
	if (a->addkeys.ask && a->keys->agent) {
		q = str_printf("Add key %s (%s) to agent (yes/no)? ", a->id->path,
		    a->id->comment ? a->id->comment : "");
		if (q && ask_new(&a->ask, a->ev, q, true, on_add_answer, a) == 0) {
			free(q);
			return;
		}
		free(q);
	}
	go_on_signing(a);
}

static int
decrypt(struct identity *id, const char *passphrase)
{
	uint8_t *text;
	size_t n;
	int rc = fd_read_file(id->path, KEY_FILE_MAX, &text, &n);

	if (rc < 0)
		return rc;
	rc = privkey_parse(&id->priv, text, n, passphrase);
	explicit_bzero(text, n);
	free(text);
	if (rc == 0 && !pubkey_equal(&id->priv.pub, &id->pub))
		rc = QERR_FORMAT;
	if (rc < 0)
		privkey_free(&id->priv);
	id->parsed = rc == 0;
	return rc;
}

static void
on_passphrase(void *arg, const char *answer)
{
	struct auth *a = arg;
	int rc = QERR_PASSPHRASE;

	if (answer && *answer)
		rc = decrypt(a->id, answer);
	if (rc == 0) {
		ask_free(&a->ask);
		key_ready(a);
		return;
	}
	if (!answer || !*answer)
		log_debug2("no passphrase given, try next key");
	else if (rc != QERR_PASSPHRASE)
		log_error("Load key \"%s\": %s", a->id->path, qerr_str(rc));
	else if (++a->attempt < a->conf->password_prompts) {
		log_debug2("bad passphrase given, try again...");
		ask_passphrase(a);
		return;
	} else {
		log_error("Load key \"%s\": wrong passphrase", a->id->path);
	}
	ask_free(&a->ask);
	try_next(a);
}

static void
ask_passphrase(struct auth *a)
{
	char *q = str_printf("Enter passphrase for key '%s': ", a->id->path);
	int rc = QERR_NOMEM;

	ask_free(&a->ask);
	a->waiting = W_NONE;
	if (q)
		rc = ask_new(&a->ask, a->ev, q, false, on_passphrase, a);
	if (rc < 0) {
		log_error("Load key \"%s\": its passphrase cannot be asked for (no terminal, no "
			  "SSH_ASKPASS)",
		    a->id->path);
		try_next(a);
	}
	free(q);
}

/* ---- answers ---------------------------------------------------------------- */

static int
on_ok(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct auth *a = ctx;
	int rc = rd_end(body);

	if (rc < 0)
		return rc;
	if (a->waiting != W_SIGNED && a->waiting != W_METHODS)
		return QERR_PHASE;
	msgstream_set_phase(ms, PH_DONE);
	log_verbose("Authenticated to %s using \"%s\".", a->conf->hostname,
	    a->waiting == W_SIGNED ? "publickey" : "none");
	if (a->addkeys.add && !a->addkeys.ask && a->id && a->id->parsed && !a->id->in_agent)
		add_to_agent(a);
	a->waiting = W_NONE;
	a->ops->granted(a->arg);
	return 0;
}

static int
on_failure(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct auth *a = ctx;
	struct wire_auth_failure m;
	int rc = wire_get_auth_failure(body, &m);

	(void)ms;
	if (rc < 0)
		return rc;
	if (a->waiting == W_NONE) {
		wire_free_auth_failure(&m);
		return QERR_PHASE;
	}
	if (m.partial)
		log_verbose("Authenticated using \"publickey\" with partial success.");
	log_debug("Authentications that can continue: %s", m.methods);
	free(a->methods);
	a->methods = m.methods;
	m.methods = NULL;
	wire_free_auth_failure(&m);
	a->waiting = W_NONE;
	try_next(a);
	return 0;
}

static int
on_pk_ok(void *ctx, struct msgstream *ms, struct rd *body)
{
	struct auth *a = ctx;
	struct wire_pk_ok m;
	bool same;
	int rc = wire_get_pk_ok(body, &m);

	(void)ms;
	if (rc < 0)
		return rc;
	same = a->id && m.key.n == a->id->pub.bloblen &&
	    memcmp(m.key.p, a->id->pub.blob, m.key.n) == 0;
	wire_free_pk_ok(&m);
	if (a->waiting != W_QUERY || !same)
		return QERR_PHASE;
	log_debug("Server accepts key: %s", a->id->path);
	if (a->id->parsed)
		key_ready(a);
	else
		ask_passphrase(a);
	return 0;
}

static int
get_text(struct rd *body, char **shown)
{
	struct wire_text m;
	size_t n;
	int rc = wire_get_text(body, &m);

	if (rc < 0)
		return rc;
	n = strlen(m.text);
	*shown = malloc(4 * n + 1);
	if (*shown)
		str_vis_text(*shown, 4 * n + 1, m.text, n);
	wire_free_text(&m);
	return *shown ? 0 : QERR_NOMEM;
}

static int
on_banner(void *ctx, struct msgstream *ms, struct rd *body)
{
	char *shown;
	int rc = get_text(body, &shown);

	(void)ctx, (void)ms;
	if (rc < 0)
		return rc;
	if (log_get_level() >= LOG_L_INFO)
		tty_text(shown);
	free(shown);
	return 0;
}

static int
on_debug(void *ctx, struct msgstream *ms, struct rd *body)
{
	char *shown;
	int rc = get_text(body, &shown);

	(void)ctx, (void)ms;
	if (rc < 0)
		return rc;
	log_debug("Remote: %s", shown);
	free(shown);
	return 0;
}

static const struct msg_row rows[] = {
	{WIRE_AUTH_OK, "AUTH_OK", PH_ASKED, on_ok},
	{WIRE_AUTH_FAILURE, "AUTH_FAILURE", PH_ASKED, on_failure},
	{WIRE_AUTH_PK_OK, "AUTH_PK_OK", PH_ASKED, on_pk_ok},
	{WIRE_BANNER, "BANNER", PH_ASKED | PH_DONE, on_banner},
	{WIRE_DEBUG, "DEBUG", PH_ASKED | PH_DONE, on_debug},
};

static void
on_stream_closed(void *ctx, struct msgstream *ms)
{
	struct auth *a = ctx;

	(void)ms;
	msgstream_free(&a->ms);
}

static const struct msgstream_ops stream_ops = {.closed = on_stream_closed};
static const struct tp_stream_ops no_ops = {0};

static int
open_control(struct auth *a)
{
	struct tp_stream *s;
	int rc = tp_stream_open(a->conn, false, &no_ops, a, TP_PRIO_CONTROL, &s);

	if (rc < 0)
		return rc;
	return msgstream_new(&a->ms, s, rows, sizeof(rows) / sizeof(rows[0]), WIRE_CONTROL_MAX,
	    &stream_ops, a);
}

int
auth_new(struct auth **out, struct ev *ev, struct tp_conn *conn, const struct cconf *conf,
    struct keyring *keys, const struct pubkey *hostkey, const struct auth_ops *ops, void *arg)
{
	struct auth *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return QERR_NOMEM;
	*a = (struct auth){.ev = ev, .conn = conn, .conf = conf, .keys = keys, .hostkey = hostkey,
	    .ops = ops, .arg = arg};
	addkeys_parse(&a->addkeys, conf->add_keys_to_agent);
	rc = tp_conn_export(conn, WIRE_EXPORTER_LABEL, a->exporter, sizeof(a->exporter));
	if (rc == 0)
		rc = open_control(a);
	if (rc < 0) {
		auth_free(&a);
		return rc;
	}
	*out = a;
	try_next(a);
	return 0;
}

void
auth_hush(struct auth *a)
{
	if (a)
		ask_free(&a->ask);
}

void
auth_free(struct auth **ap)
{
	struct auth *a = *ap;

	if (!a)
		return;
	ask_free(&a->ask);
	if (a->ms)
		msgstream_free(&a->ms);
	free(a->methods);
	explicit_bzero(a->exporter, sizeof(a->exporter));
	free(a);
	*ap = NULL;
}
