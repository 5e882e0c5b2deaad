#include "client/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"

void
identity_free(struct identity *id)
{
	pubkey_free(&id->pub);
	if (id->parsed)
		privkey_free(&id->priv);
	free(id->path);
	free(id->comment);
	memset(id, 0, sizeof(*id));
}

char *
identity_show(const struct identity *id)
{
	char *fp = pubkey_fingerprint(&id->pub, "sha256"), *s;

	s = str_printf("%s %s %s%s", id->path ? id->path : id->comment ? id->comment : "(agent)",
	    pubkey_short_type(&id->pub), fp ? fp : "?", id->in_agent ? " agent" : "");
	free(fp);
	return s;
}

static void
move(struct identity *to, struct identity *from)
{
	*to = *from;
	memset(from, 0, sizeof(*from));
}

size_t
identity_order(struct identity *files, size_t nfiles, struct identity *agent, size_t nagent,
    bool only_files, struct identity *out)
{
	size_t n = 0;

	for (size_t a = 0; a < nagent; a++) {
		for (size_t f = 0; f < nfiles; f++) {
			if (!files[f].pub.blob || !pubkey_equal(&files[f].pub, &agent[a].pub))
				continue;
			files[f].in_agent = true;
			move(&out[n++], &files[f]);
			identity_free(&agent[a]);
			break;
		}
	}
	for (size_t a = 0; a < nagent; a++) {
		if (agent[a].pub.blob && !only_files)
			move(&out[n++], &agent[a]);
		else
			identity_free(&agent[a]);
	}
	for (size_t f = 0; f < nfiles; f++)
		if (files[f].pub.blob)
			move(&out[n++], &files[f]);
	return n;
}

/* Told only if no other key opens the door. */
static void
skip(struct keyring *r, const struct pubkey *k, const char *what, const char *name)
{
	char *s = str_printf("%s key %s%s was not offered: qsh knows only Ed25519 keys so far",
	    pubkey_short_type(k), what, name);

	log_debug("Skipping %s key %s%s: this type is not supported yet", k->type, what, name);
	if (s)
		strlist_add(&r->skipped, s);
	free(s);
}

static bool
load_file(struct keyring *r, struct identity *id, const char *path)
{
	struct stat st;
	int rc;

	memset(id, 0, sizeof(*id));
	if (stat(path, &st) < 0 && errno == ENOENT) {
		char *pub = str_printf("%s.pub", path);
		bool there = pub && stat(pub, &st) == 0;

		free(pub);
		if (!there) {
			log_debug2("no such identity: %s: %s", path, strerror(ENOENT));
			return false;
		}
	}
	rc = pubkey_load(&id->pub, path, &id->comment);
	if (rc < 0) {
		log_info("Load key \"%s\": %s", path, qerr_str(rc));
		return false;
	}
	if (!id->pub.ed25519) {
		skip(r, &id->pub, "", path);
		identity_free(id);
		return false;
	}
	id->path = strdup(path);
	log_debug("identity file %s type %s", path, pubkey_short_type(&id->pub));
	return id->path != NULL;
}

static bool
known(const struct identity *v, size_t n, const struct pubkey *k)
{
	for (size_t i = 0; i < n; i++)
		if (pubkey_equal(&v[i].pub, k))
			return true;
	return false;
}

static struct identity *
load_files(struct keyring *r, const struct cconf *conf, size_t *n)
{
	const struct strlist *l = &conf->identity_files;
	struct identity *v = calloc(l->n + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; v && i < l->n; i++) {
		if (!load_file(r, &v[*n], l->v[i]))
			continue;
		if (known(v, *n, &v[*n].pub))
			identity_free(&v[*n]);
		else
			(*n)++;
	}
	return v;
}

static struct agent *
open_agent(const struct cconf *conf)
{
	struct agent *a = NULL;
	int rc;

	if (conf->identity_agent && strcasecmp(conf->identity_agent, "none") == 0)
		return NULL;
	rc = agent_open(&a, conf->identity_agent);
	if (rc == QERR_NOTFOUND)
		return NULL;
	if (rc < 0)
		log_debug("no connection to the authentication agent: %s", qerr_str(rc));
	return rc < 0 ? NULL : a;
}

static struct identity *
list_agent(struct keyring *r, size_t *n)
{
	struct agent *a = r->agent;
	struct agent_id *ids = NULL;
	struct identity *v;
	size_t nids = 0;
	int rc;

	*n = 0;
	if (!a)
		return NULL;
	rc = agent_list(a, &ids, &nids);
	if (rc < 0) {
		log_debug("the authentication agent does not list its keys: %s", qerr_str(rc));
		return NULL;
	}
	v = calloc(nids + 1, sizeof(*v));
	for (size_t i = 0; v && i < nids; i++) {
		struct identity *id = &v[*n];

		if (!ids[i].pub.ed25519) {
			skip(r, &ids[i].pub, "of the agent ", ids[i].comment ? ids[i].comment : "");
			continue;
		}
		if (known(v, *n, &ids[i].pub) ||
		    pubkey_from_blob(&id->pub, ids[i].pub.blob, ids[i].pub.bloblen) < 0)
			continue;
		id->comment = strdup(ids[i].comment ? ids[i].comment : "");
		id->in_agent = true;
		(*n)++;
	}
	agent_ids_free(ids, nids);
	return v;
}

static void
warn_permissions(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		st.st_mode = 0;
	log_error("Permissions 0%03o for '%s' are too open: this private key will be ignored "
		  "(chmod 600 it).",
	    (unsigned)st.st_mode & 0777, path);
}

void
identity_open(struct identity *id, bool batch)
{
	int rc;

	if (id->in_agent || id->parsed || id->encrypted || id->useless)
		return;
	rc = privkey_load(&id->priv, id->path, true, NULL, NULL);
	switch (rc) {
	case 0:
		id->parsed = true;
		if (!pubkey_equal(&id->priv.pub, &id->pub)) {
			log_error("%s.pub is not the public half of %s: that key is passed over",
			    id->path, id->path);
			id->useless = true;
		}
		return;
	case QERR_PASSPHRASE:
		id->encrypted = true;
		id->useless = batch;
		break;
	case QERR_PERM:
		warn_permissions(id->path);
		id->useless = true;
		break;
	default:
		if (rc == QERR_SYS && errno == ENOENT)
			log_debug("no private key: %s", id->path);
		else
			log_error("Load key \"%s\": %s", id->path, qerr_str(rc));
		id->useless = true;
	}
	privkey_free(&id->priv);
	memset(&id->priv, 0, sizeof(id->priv));
}

void
keyring_load(struct keyring *r, const struct cconf *conf)
{
	struct identity *files, *agent;
	size_t nfiles = 0, nagent = 0;

	memset(r, 0, sizeof(*r));
	files = load_files(r, conf, &nfiles);
	r->agent = open_agent(conf);
	agent = list_agent(r, &nagent);
	r->v = calloc(nfiles + nagent + 1, sizeof(*r->v));
	if (r->v)
		r->n = identity_order(files, nfiles, agent, nagent, conf->identities_only, r->v);
	for (size_t i = 0; i < nfiles; i++)
		identity_free(&files[i]);
	for (size_t i = 0; i < nagent; i++)
		identity_free(&agent[i]);
	free(files);
	free(agent);
	for (size_t i = 0; i < r->n; i++) {
		identity_open(&r->v[i], conf->batch_mode);
		if (!r->v[i].useless)
			break;
	}
}

void
keyring_free(struct keyring *r)
{
	for (size_t i = 0; i < r->n; i++)
		identity_free(&r->v[i]);
	free(r->v);
	agent_close(&r->agent);
	strlist_free(&r->skipped);
	memset(r, 0, sizeof(*r));
}
