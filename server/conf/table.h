/* Inside of server/conf: the table, its own setters, Match. */
#ifndef QSH_SERVER_CONF_TABLE_H
#define QSH_SERVER_CONF_TABLE_H

#include "common/conf/opt.h"
#include "common/conf/src.h"
#include "server/conf/sconf.h"

/* The lines reach the monitor in one message. */
#define SCONF_BYTES_MAX (128 * 1024)

extern const struct conf_table sconf_table;

struct sconf_src {
	struct conf_src lines;
	bool sshd;      /* it is sshd_config: what names sshd's own things is left to sshd */
	bool user_mode;
};

/* setters.c */
conf_set_fn sconf_set_port, sconf_set_host_key, sconf_set_subsystem,
    sconf_set_startups, sconf_set_user_env, sconf_set_methods, sconf_set_env,
    sconf_set_listen, sconf_set_tcp_listen;
conf_check_fn sconf_check_accept_env, sconf_check_user_pattern, sconf_check_absolute,
    sconf_check_channel_timeout;
conf_dump_fn sconf_dump_startups, sconf_dump_user_env, sconf_dump_methods, sconf_dump_listen;
/* "host", "host:port", "[host]:port", an IPv6 address: fresh strings, *port NULL where there is none.
 * QERR_FORMAT, QERR_NOMEM. */
int sconf_split_listen(const char *word, char **host, char **port);
/* "port", "host:port", "[host]:port": *host NULL for every address; "none": both NULL. QERR_FORMAT, QERR_NOMEM. */
int sconf_split_tcp(const char *word, char **host, char **port);

/* match.c */
/* Does a Match line apply? 1, 0. m NULL: only "Match all" does. */
int sconf_match_line(const struct conf_line *l, const struct sconf_match *m);
/* Checks a Match line: 0 or QERR_FORMAT with *why. *by_host: it has a Host criterion. */
int sconf_match_check(const struct conf_line *l, bool *by_host, struct conf_why *why);
bool sconf_match_is_all(const struct conf_line *l);

/* check.c */
/* Checks every line, logs what is refused, passed over or not offered yet. */
int sconf_check(const struct sconf_src *s);

#endif
