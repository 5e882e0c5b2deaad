/* qshd's configuration: qshd_config and sshd_config. */
#ifndef QSH_SERVER_CONF_SCONF_H
#define QSH_SERVER_CONF_SCONF_H

#include "common/base/buf.h"
#include "common/conf/conf.h"
#include "common/net/addr.h"

enum { SCONF_ROOT_NO, SCONF_ROOT_YES, SCONF_ROOT_PROHIBIT_PASSWORD, SCONF_ROOT_FORCED_COMMANDS };
enum { SCONF_AF_ANY, SCONF_AF_INET, SCONF_AF_INET6 };

/* Outcome for one connection (or, without a match context, the global part). */
struct sconf {
	struct strlist ports;            /* "22" */
	struct strlist listen;           /* as written; resolved by sconf_listen_addrs */
	struct strlist tcp_listen;       /* likewise; by sconf_tcp_addrs */
	int address_family;
	struct strlist host_keys;        /* paths */
	char *pid_file, *account;        /* account: "UnprivilegedUser" keyword, default qshd */
	struct strlist authorized_keys_files;
	struct strlist allow_users, deny_users, allow_groups, deny_groups;
	int permit_root_login;
	bool pubkey_auth, password_auth, kbdint_auth, use_pam, strict_modes, permit_tty, print_motd, print_lastlog;
	char *pubkey_algs;               /* PubkeyAcceptedAlgorithms as written; where it leaves ssh-ed25519 out, pubkey_auth is false */
	struct strlist auth_methods;     /* each a comma list; empty or "any": any one method */
	char *pam_service;
	char *force_command, *banner;    /* NULL: none ("none") */
	struct strlist accept_env, set_env, subsystems; /* set_env "NAME=v"; subsystems "name command" */
	unsigned max_auth_tries, max_sessions;
	unsigned startups_begin, startups_rate, startups_full;
	uint64_t login_grace_ns;         /* 0: none */
	uint64_t client_alive_interval_ns; unsigned client_alive_count;
	uint64_t connection_timeout_ns;  /* with a terminal, default 7 days */
	uint64_t unused_timeout_ns;      /* 0: none */
	struct strlist channel_timeouts; /* "type=interval" */
	int log_level, log_facility;
	char *key_log_file, *qlog_dir;   /* absolute; NULL: none */
	int congestion_control;          /* enum tp_cc */
	uint64_t connection_buffer;      /* bytes */
	bool permit_user_rc; bool expose_auth_info;
	bool permit_user_env;            /* PermitUserEnvironment: environment= on key lines */
	char *permit_user_env_patterns;
};

/* A loaded configuration: the lines of all files, with file and line of each. */
struct sconf_src;

/* What is known of a connection for Match. NULL members do not match. */
struct sconf_match {
	const char *user;
	const char *const *groups; size_t ngroups;
	const struct addr *remote, *local;
	const char *host;                /* remote host name where known; else the address is used */
};

/* Reads a file with its Includes, checks every line (also those under Match that do not apply).
 * path NULL: /etc/qsh/qshd_config if it exists, else sshd_config, else nothing but defaults.
 * Errors are logged with file:line; QERR_FORMAT, QERR_SYS, QERR_UNKNOWN. sshd: read as sshd_config (what only concerns TCP ssh is
 * passed over with a log line: set by the path for NULL, by the caller for tests). */
int sconf_load(struct sconf_src **out, const char *path);
/* An "-o keyword=value": comes before the files. Call before sconf_load by passing a list. */
int sconf_load_with(struct sconf_src **out, const char *path, const struct strlist *overrides, bool user_mode);
int sconf_parse_text(struct sconf_src **out, const char *name, const uint8_t *text, size_t n); /* tests, fuzzing; Include is refused */
void sconf_src_free(struct sconf_src **s);
/* Was it sshd's configuration that was read? */
bool sconf_src_is_sshds(const struct sconf_src *s);
/* Evaluates: m NULL: the global part only. Fresh *out, sconf_free. */
int sconf_eval(const struct sconf_src *s, const struct sconf_match *m, struct sconf **out);
void sconf_free(struct sconf **c);
/* For the monitor: the source as bytes and back. */
int sconf_src_put(struct buf *b, const struct sconf_src *s);
int sconf_src_get(struct sconf_src **out, struct rd *r);
/* "-T": every option, lower case keyword and value a line, as sshd -T. */
int sconf_dump(struct buf *b, const struct sconf *c);
/* ListenAddress and Port and AddressFamily to socket addresses, as sshd does; default_port where none is said. QERR_NOTFOUND with a log line for a name that does not resolve. */
int sconf_listen_addrs(const struct sconf *c, uint16_t default_port, struct addr **out, size_t *n);
/* TcpListenAddress likewise; none where it is not set. */
int sconf_tcp_addrs(const struct sconf *c, struct addr **out, size_t *n);

#endif
