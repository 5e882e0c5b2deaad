#include "client/hostkey.h"

#include <stdlib.h>
#include <string.h>

#include "client/ask.h"
#include "client/tty.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"

#define KNOWN_HOSTS_MAX (16 << 20)

struct hostkey {
	struct ev *ev;
	const struct cconf *conf;
	const struct pubkey *key;
	struct kh_result found;
	struct buf names;
	struct hostkey_facts facts;
	char *host, *ip, *fingerprint, *art;
	struct ask *ask;
	hostkey_done_fn *done;
	void *arg;
};

static const char *
user_file(const struct cconf *conf)
{
	return conf->user_known_hosts.n ? conf->user_known_hosts.v[0] : NULL;
}

static void
log_lines(enum log_level level, const struct buf *b)
{
	const char *p = (const char *)buf_data(b);
	size_t left = buf_len(b);

	while (left > 0) {
		const char *nl = memchr(p, '\n', left);
		size_t n = nl ? (size_t)(nl - p) : left;

		log_msg(level, "%.*s", (int)n, p);
		n += nl != NULL;
		p += n;
		left -= n;
	}
}

static void
add(struct hostkey *h)
{
	const char *path = user_file(h->conf);

	if (!path)
		return;
	if (kh_add(path, h->host, h->key, h->conf->hash_known_hosts) < 0)
		log_info("Failed to add the host to the list of known hosts (%s): %s", path,
		    qerr_str(QERR_SYS));
	else
		log_info("Warning: Permanently added '%s' (%s) to the list of known hosts.", h->host,
		    h->facts.type);
}

static void
refuse(struct hostkey *h)
{
	struct buf b;

	buf_init(&b, 16 * 1024);
	hostkey_warning(&b, &h->facts, h->conf->strict_host_key, false);
	log_lines(LOG_L_ERROR, &b);
	buf_free(&b);
	log_error("Host key verification failed.");
	h->done(h->arg, false);
}

static void on_answer(void *arg, const char *answer);

static void
ask(struct hostkey *h, const char *text)
{
	ask_free(&h->ask);
	if (ask_new(&h->ask, h->ev, text, true, on_answer, h) < 0)
		refuse(h);
}

static void
on_answer(void *arg, const char *answer)
{
	struct hostkey *h = arg;

	switch (hostkey_answer(answer, h->fingerprint)) {
	case 1:
		add(h);
		h->done(h->arg, true);
		return;
	case 0:
		log_error("Host key verification failed.");
		h->done(h->arg, false);
		return;
	default:
		ask(h, "Please type 'yes', 'no' or the fingerprint: ");
	}
}

static void
find_other_names(struct hostkey *h, const struct strlist *files)
{
	for (size_t i = 0; i < files->n; i++) {
		uint8_t *text;
		size_t n;

		if (fd_read_file(files->v[i], KNOWN_HOSTS_MAX, &text, &n) < 0)
			continue;
		hostkey_other_names(&h->names, files->v[i], (const char *)text, h->key);
		free(text);
	}
}

static void
ask_user(struct hostkey *h)
{
	struct buf b;

	find_other_names(h, &h->conf->user_known_hosts);
	find_other_names(h, &h->conf->global_known_hosts);
	buf_put_u8(&h->names, 0);
	h->facts.names = h->names.err ? NULL : (const char *)buf_data(&h->names);
	buf_init(&b, 64 * 1024);
	hostkey_question(&b, &h->facts);
	buf_put_u8(&b, 0);
	if (b.err)
		refuse(h);
	else
		ask(h, (const char *)buf_data(&b));
	buf_free(&b);
}

static void
accept_key(struct hostkey *h)
{
	struct buf b;

	buf_init(&b, 16 * 1024);
	hostkey_warning(&b, &h->facts, h->conf->strict_host_key, true);
	log_lines(LOG_L_ERROR, &b);
	if (h->found.status == KH_OK) {
		log_debug("Host '%s' is known and matches the %s host key.", h->host,
		    h->facts.type);
		log_debug("Found key in %s:%lu", h->found.path ? h->found.path : "?",
		    h->found.line);
	}
	if (h->conf->visual_host_key) {
		buf_reset(&b);
		buf_printf(&b, "Host key fingerprint is %s\n%s", h->fingerprint,
		    h->art ? h->art : "");
		log_lines(LOG_L_INFO, &b);
	}
	buf_free(&b);
	h->done(h->arg, true);
}

/* All files in their order, n of them. Fresh memory, of borrowed names; NULL: no memory. */
static const char **
all_files(const struct cconf *conf, size_t *n)
{
	const struct strlist *u = &conf->user_known_hosts, *g = &conf->global_known_hosts;
	const char **files = calloc(u->n + g->n + 1, sizeof(*files));

	*n = u->n + g->n;
	for (size_t i = 0; files && i < *n; i++)
		files[i] = i < u->n ? u->v[i] : g->v[i - u->n];
	return files;
}

void
hostkey_prepare(const struct cconf *conf)
{
	size_t n;
	const char **files = all_files(conf, &n);

	if (files)
		kh_prepare(files, n);
	free(files);
}

static int
look_up(struct hostkey *h)
{
	size_t n;
	const char **files = all_files(h->conf, &n);
	int rc;

	if (!files)
		return QERR_NOMEM;
	rc = kh_check(files, n, h->host, NULL, h->key, &h->found);
	free(files);
	return rc;
}

static int
gather(struct hostkey *h, const struct addr *remote)
{
	const struct cconf *conf = h->conf;
	char ip[ADDR_STRLEN];

	if (conf->host_key_alias) {
		h->host = strdup(conf->host_key_alias);
		log_debug("using hostkeyalias: %s", conf->host_key_alias);
	} else {
		h->host = kh_host_name(conf->hostname, conf->port);
	}
	h->ip = remote->len != 0 ? kh_host_name(addr_host(remote, ip), conf->port) :
				   strdup("<no hostip for proxy command>");
	h->fingerprint = pubkey_fingerprint(h->key,
	    conf->fingerprint_hash ? conf->fingerprint_hash : "sha256");
	if (conf->visual_host_key)
		h->art = pubkey_randomart(h->key);
	h->facts = (struct hostkey_facts){.host = h->host, .ip = h->ip,
	    .type = pubkey_short_type(h->key), .fingerprint = h->fingerprint, .art = h->art,
	    .user_file = user_file(conf), .found = &h->found};
	return h->host && h->ip && h->fingerprint ? 0 : QERR_NOMEM;
}

int
hostkey_check(struct hostkey **out, struct ev *ev, const struct cconf *conf,
    const struct pubkey *k, const struct addr *remote, hostkey_done_fn *done, void *arg)
{
	struct hostkey *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return QERR_NOMEM;
	*h = (struct hostkey){.ev = ev, .conf = conf, .key = k, .done = done, .arg = arg};
	buf_init(&h->names, 32 * 1024);
	*out = h;
	rc = gather(h, remote);
	if (rc == 0)
		rc = look_up(h);
	if (rc < 0) {
		hostkey_free(out);
		return rc;
	}
	log_debug("Server host key: %s %s", k->type, h->fingerprint);
	switch (hostkey_decide(h->found.status, conf->strict_host_key, conf->batch_mode)) {
	case HOSTKEY_ADD:
		add(h);
		accept_key(h);
		break;
	case HOSTKEY_ACCEPT:
		accept_key(h);
		break;
	case HOSTKEY_ASK:
		ask_user(h);
		break;
	case HOSTKEY_REFUSE:
		refuse(h);
		break;
	}
	return 0;
}

void
hostkey_free(struct hostkey **hp)
{
	struct hostkey *h = *hp;

	if (!h)
		return;
	ask_free(&h->ask);
	kh_result_free(&h->found);
	buf_free(&h->names);
	free(h->host);
	free(h->ip);
	free(h->fingerprint);
	free(h->art);
	free(h);
	*hp = NULL;
}
