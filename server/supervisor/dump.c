/* -T and -C: the configuration as it is for one connection. */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/str.h"
#include "server/supervisor/setup.h"

#define GROUPS_MAX 512
#define DUMP_MAX   (1024 * 1024)

struct spec {
	const char *user, *host, *addr, *laddr, *lport;
	struct addr remote, local;
	struct strlist groups;
};

static int
read_spec(struct spec *s, const struct strlist *words)
{
	const struct {
		const char *name;
		const char **to;
	} known[] = {
	    {"user=", &s->user},
	    {"host=", &s->host},
	    {"addr=", &s->addr},
	    {"laddr=", &s->laddr},
	    {"lport=", &s->lport},
	    {"rdomain=", NULL},
	    {"invalid-user", NULL},
	};

	for (size_t i = 0; i < words->n; i++) {
		const char *w = words->v[i];
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) &&
		       strncmp(w, known[k].name, strlen(known[k].name)) != 0)
			k++;
		if (k == sizeof(known) / sizeof(known[0])) {
			log_error("-C %s: not one of user=, host=, addr=, laddr=, lport=", w);
			return QERR_INVAL;
		}
		if (known[k].to != NULL)
			*known[k].to = w + strlen(known[k].name);
	}
	return 0;
}

static int
read_addresses(struct spec *s)
{
	long long port = 0;

	if (s->lport != NULL && str_to_int(s->lport, 1, 65535, &port) != 0) {
		log_error("-C lport=%s: not a port number", s->lport);
		return QERR_INVAL;
	}
	if (s->addr != NULL && addr_parse(&s->remote, s->addr, 0) != 0) {
		log_error("-C addr=%s: not an address", s->addr);
		return QERR_INVAL;
	}
	/* A local port alone is matched, too. */
	if (s->laddr == NULL && s->lport != NULL)
		s->laddr = "0.0.0.0";
	if (s->laddr != NULL && addr_parse(&s->local, s->laddr, (uint16_t)port) != 0) {
		log_error("-C laddr=%s: not an address", s->laddr);
		return QERR_INVAL;
	}
	return 0;
}

static int
read_groups(struct spec *s)
{
	const struct passwd *pw = s->user != NULL ? getpwnam(s->user) : NULL;
	gid_t gids[GROUPS_MAX];
	int n = GROUPS_MAX, err = 0;

	if (pw == NULL || getgrouplist(s->user, pw->pw_gid, gids, &n) < 0)
		return 0;
	for (int i = 0; i < n && err == 0; i++) {
		const struct group *g = getgrgid(gids[i]);

		if (g != NULL)
			err = strlist_add(&s->groups, g->gr_name);
	}
	return err;
}

static int
eval_spec(const struct setup *s, const struct options *o, struct spec *spec, struct sconf **out)
{
	struct sconf_match m = {0};
	int err;

	if ((err = read_spec(spec, &o->specs)) != 0 || (err = read_addresses(spec)) != 0 ||
	    (err = read_groups(spec)) != 0)
		return err;
	m.user = spec->user;
	m.host = spec->host;
	m.groups = (const char *const *)spec->groups.v;
	m.ngroups = spec->groups.n;
	m.remote = spec->addr != NULL ? &spec->remote : NULL;
	m.local = spec->laddr != NULL ? &spec->local : NULL;
	return sconf_eval(s->src, &m, out);
}

int
setup_dump(const struct setup *s, const struct options *o)
{
	struct spec spec = {0};
	struct sconf *own = NULL;
	struct buf b;
	int err = 0;

	buf_init(&b, DUMP_MAX);
	if (o->specs.n > 0 && (err = eval_spec(s, o, &spec, &own)) != 0)
		goto out;
	if (own != NULL) {
		/* What the command line says of ports and keys counts for every connection. */
		struct strlist ports = own->ports, keys = own->host_keys;

		own->ports = s->conf->ports;
		own->host_keys = s->conf->host_keys;
		own->address_family = s->conf->address_family;
		err = sconf_dump(&b, own);
		own->ports = ports;
		own->host_keys = keys;
	} else {
		err = sconf_dump(&b, s->conf);
	}
	if (err == 0)
		err = fd_write_all(STDOUT_FILENO, buf_data(&b), buf_len(&b));
	if (err != 0)
		log_error("-T: %s", qerr_str(err));
out:
	strlist_free(&spec.groups);
	sconf_free(&own);
	buf_free(&b);
	return err;
}
