/* The client's configuration: qsh_config and ssh_config. */
#ifndef QSH_CLIENT_CONF_CCONF_H
#define QSH_CLIENT_CONF_CCONF_H

#include "common/base/buf.h"
#include "common/conf/conf.h"

enum { CCONF_SHK_NO, CCONF_SHK_YES, CCONF_SHK_ASK, CCONF_SHK_ACCEPT_NEW, CCONF_SHK_OFF };
enum { CCONF_TTY_AUTO, CCONF_TTY_NO, CCONF_TTY_YES, CCONF_TTY_FORCE };
enum { CCONF_AF_ANY, CCONF_AF_INET, CCONF_AF_INET6 };
enum { CCONF_CANON_NO, CCONF_CANON_YES, CCONF_CANON_ALWAYS };
enum { CCONF_SESSION_DEFAULT, CCONF_SESSION_NONE, CCONF_SESSION_SUBSYSTEM };

struct cconf {
	char *host;               /* as given on the command line */
	char *hostname, *user, *host_key_alias;
	unsigned port;
	struct strlist quic_ports;/* QuicPort list; empty: port */
	struct strlist identity_files, user_known_hosts, global_known_hosts;
	bool identities_only;
	char *identity_agent;     /* NULL: SSH_AUTH_SOCK; "none" */
	char *add_keys_to_agent;  /* "no", "yes", "ask", "confirm", time */
	bool hash_known_hosts, batch_mode, visual_host_key, check_host_ip;
	int strict_host_key;
	unsigned connect_timeout; /* s, 0: none */
	int address_family;
	char *bind_address, *bind_interface;
	struct strlist send_env, set_env;
	int request_tty, session_type;
	int escape_char;          /* -1: none */
	int log_level;
	char *key_log_file, *qlog_dir; /* NULL: none */
	char *remote_command;
	unsigned server_alive_interval, server_alive_count;
	uint64_t connection_timeout_ns;
	int congestion_control;   /* enum tp_cc */
	uint64_t connection_buffer; /* bytes */
	bool stdin_null, fork_after_auth, pubkey_auth;
	char *pubkey_algs;        /* PubkeyAcceptedAlgorithms; where it leaves ssh-ed25519 out, pubkey_auth is false */
	char *fingerprint_hash;
	char *preferred_auth;
	unsigned password_prompts;
	char *proxy_command;      /* NULL: none; as it was written */
	char *proxy_run;          /* the same with its tokens filled in, for the shell */
	bool proxy_fdpass;        /* set together with it: the connection is refused for now */
	char *proxy_jump;         /* likewise */
	unsigned tcp_port;        /* 0: none */
	bool send_sni;
	char *token_file;         /* NULL: none */
	bool migrate;             /* false: never leave the path that a connection began on */
	char *tag, *ignore_unknown;
	/* where these would count, cconf_finish fails: */
	char *revoked_host_keys, *refuse_connection;
	int canonicalize;
	unsigned canonical_max_dots;
	struct strlist canonical_domains, canonical_cnames;
};

struct cconf_ctx;             /* collects settings; the first value of each option wins */
int cconf_new(struct cconf_ctx **out);
void cconf_ctx_free(struct cconf_ctx **c);
/* One setting from the command line ("-o Key=value", "-p" ...), origin is how messages call it
 * ("command-line"). Logs and returns QERR_FORMAT, QERR_NOMEM. */
int cconf_set(struct cconf_ctx *c, const char *origin, const char *keyword_and_value);
/* Reads a file if it exists (must: it has to). user_file: permission and owner checks as ssh does. Bad lines
 * are reported by cconf_finish. Logged: QERR_SYS, QERR_PERM, QERR_TOOBIG, QERR_NOTFOUND, QERR_NOMEM. */
int cconf_add_file(struct cconf_ctx *c, const char *path, bool must, bool user_file);
/* The same with text that is there already; Include is refused, Match exec never runs and never matches (tests, fuzzing). */
int cconf_add_text(struct cconf_ctx *c, const char *name, const uint8_t *text, size_t n);
/* Evaluates all files for this host, fills defaults, expands tokens and tildes. May run Match exec commands, and waits for them.
 * user_arg, command: of the command line, or NULL. Everything wrong is logged. QERR_FORMAT (bad lines), QERR_NOTFOUND (this user has no account),
 * QERR_UNSUPPORTED, QERR_DENIED (an option that must not be passed over), QERR_INVAL (two commands), QERR_NOMEM. */
int cconf_finish(struct cconf_ctx *c, const char *host, const char *user_arg, const char *command, struct cconf **out);
void cconf_free(struct cconf **c);
int cconf_dump(struct buf *b, const struct cconf *c); /* -G */

#endif
