/* Shows what configurations say, and the tables of options, for tests:
 *   conf_show options client|server
 *       every keyword: name, what is done with it, default, reason, whether OpenSSH has it ("theirs", "ours"),
 *       whether it may stand in a Match block ("match", "-"); tabs between
 *   conf_show server FILE [user=U] [group=G]... [host=H] [addr=A] [laddr=A] [lport=P] [-o K=V]...
 *   conf_show client FILE HOST [-o K=V]... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/conf/table.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "server/conf/table.h"

static int
options(const struct conf_table *t)
{
	static const char *const what[] = {
	    "done", "alias", "passed", "later", "off", "refused"};
	size_t i;

	for (i = 0; i < t->n; i++)
		printf("%s\t%s\t%s\t%s\t%s\t%s\n", t->opts[i].name, what[t->opts[i].what],
		    t->opts[i].def != NULL ? t->opts[i].def : "-",
		    t->opts[i].note != NULL ? t->opts[i].note : "-",
		    t->opts[i].flags & CONF_F_OURS ? "ours" : "theirs",
		    t->opts[i].flags & CONF_F_MATCH ? "match" : "-");
	return 0;
}

static void
print(struct buf *b)
{
	fwrite(buf_data(b), 1, buf_len(b), stdout);
	buf_free(b);
}

static int
match_arg(struct sconf_match *m, const char **groups, struct addr *remote, struct addr *local,
    const char *arg)
{
	const char *value = strchr(arg, '=');

	if (value == NULL)
		return QERR_INVAL;
	value++;
	if (strncmp(arg, "user=", 5) == 0)
		m->user = value;
	else if (strncmp(arg, "group=", 6) == 0 && m->ngroups < 16)
		groups[m->ngroups++] = value;
	else if (strncmp(arg, "host=", 5) == 0)
		m->host = value;
	else if (strncmp(arg, "addr=", 5) == 0 && addr_parse(remote, value, 0) == 0)
		m->remote = remote;
	else if (strncmp(arg, "laddr=", 6) == 0 && addr_parse(local, value, 0) == 0)
		m->local = local;
	else if (strncmp(arg, "lport=", 6) == 0)
		addr_set_port(local, (uint16_t)atoi(value));
	else
		return QERR_INVAL;
	return 0;
}

static int
server(int argc, char **argv)
{
	const char *groups[16];
	struct addr remote, local;
	struct sconf_match m = {.groups = groups};
	struct strlist overrides = {NULL, 0};
	struct sconf_src *src = NULL;
	struct sconf *c = NULL;
	struct buf b;
	bool connection = false;
	int i, r = 0;

	buf_init(&b, 1024 * 1024);
	for (i = 1; i < argc && r == 0; i++) {
		if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
			r = strlist_add(&overrides, argv[++i]);
		} else {
			r = match_arg(&m, groups, &remote, &local, argv[i]);
			connection = true;
		}
	}
	if (r == 0)
		r = sconf_load_with(&src, argv[0], &overrides, false);
	if (r == 0)
		r = sconf_eval(src, connection ? &m : NULL, &c);
	if (r == 0)
		r = sconf_dump(&b, c);
	if (r == 0)
		print(&b);
	else
		fprintf(stderr, "conf_show: %s\n", qerr_str(r));
	strlist_free(&overrides);
	sconf_src_free(&src);
	sconf_free(&c);
	buf_free(&b);
	return r != 0;
}

static int
client(int argc, char **argv)
{
	struct cconf_ctx *ctx = NULL;
	struct cconf *c = NULL;
	struct buf b;
	int i, r;

	buf_init(&b, 1024 * 1024);
	r = cconf_new(&ctx);
	for (i = 2; i + 1 < argc && r == 0; i += 2)
		r = cconf_set(ctx, "command-line", argv[i + 1]);
	if (r == 0)
		r = cconf_add_file(ctx, argv[0], true, false);
	if (r == 0)
		r = cconf_finish(ctx, argv[1], NULL, NULL, &c);
	if (r == 0)
		r = cconf_dump(&b, c);
	if (r == 0)
		print(&b);
	else
		fprintf(stderr, "conf_show: %s\n", qerr_str(r));
	cconf_ctx_free(&ctx);
	cconf_free(&c);
	buf_free(&b);
	return r != 0;
}

int
main(int argc, char **argv)
{
	log_init("conf_show", getenv("CONF_SHOW_DEBUG") != NULL ? LOG_L_DEBUG3 : LOG_L_INFO);
	if (argc == 3 && strcmp(argv[1], "options") == 0)
		return options(strcmp(argv[2], "client") == 0 ? &cconf_table : &sconf_table);
	if (argc >= 3 && strcmp(argv[1], "server") == 0)
		return server(argc - 2, argv + 2);
	if (argc >= 4 && strcmp(argv[1], "client") == 0)
		return client(argc - 2, argv + 2);
	fprintf(stderr, "usage: conf_show options|server|client ...\n");
	return 2;
}
