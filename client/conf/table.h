/* Inside of client/conf: the table, its setters, tokens, Match. */
#ifndef QSH_CLIENT_CONF_TABLE_H
#define QSH_CLIENT_CONF_TABLE_H

#include "client/conf/cconf.h"
#include "common/conf/opt.h"
#include "common/conf/src.h"

extern const struct conf_table cconf_table;

/* setters.c */
conf_set_fn cconf_set_add_keys, cconf_set_escape, cconf_set_fingerprint, cconf_set_pubkey,
    cconf_set_quic_port, cconf_set_send_env, cconf_set_set_env;
conf_dump_fn cconf_dump_add_keys, cconf_dump_escape, cconf_dump_fingerprint, cconf_dump_pubkey,
    cconf_dump_quic_port;

struct cconf_file {
	char *path;
	struct conf_src lines;
};
struct cconf_ctx {
	struct conf_src settings;      /* of the command line */
	struct cconf_file *files;
	size_t nfiles;
	char *ignore_unknown;          /* of the command line */
	bool no_exec;                  /* Match exec never runs and never matches */
};

/* One evaluation. */
struct cconf_walk {
	struct cconf_ctx *ctx;
	struct cconf *c;
	bool *set;                     /* an option each */
	const char *command;           /* NULL: none */
	char *local_user, *home;
	bool final;                    /* the second pass */
	bool want_final;               /* some Match asks for it */
	bool host_settled;             /* c->hostname is final: no tokens any more */
	unsigned bad;                  /* lines */
};
/* Walks the command line's settings, or all files. 0, QERR_FORMAT after having logged all bad
 * lines of a file, QERR_NOMEM. */
int cconf_walk_settings(struct cconf_walk *w);
int cconf_walk_files(struct cconf_walk *w);

/* tokens.c: what %h and the like stand for. QERR_NOMEM. */
struct cconf_tokens {
	struct conf_token t[13];
	size_t n;
	char port[16], uid[24], hash[41];
	char *full_name, *short_name, *host, *key_host;
	char *hashed; /* what hash is of */
};
int cconf_tokens_init(struct cconf_tokens *t, const struct cconf_walk *w);
/* As conf_expand, with these tokens. QERR_CRYPTO. */
int cconf_expand(char **out, const char *s, struct cconf_tokens *t, char *bad);
void cconf_tokens_free(struct cconf_tokens *t);
/* The host name to connect to as far as it is known: HostName with its %h, or the argument. Fresh. */
int cconf_host_now(char **out, const struct cconf_walk *w);

/* match.c: 1, 0, or QERR_FORMAT with *why. run: evaluate; else check only. */
int cconf_match_line(struct cconf_walk *w, const struct conf_line *l, bool run,
    struct conf_why *why);
int cconf_host_line(const struct cconf_walk *w, const struct conf_line *l);

#endif
