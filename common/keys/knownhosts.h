/* known_hosts files, as sshd(8) describes them. */
#ifndef QSH_KEYS_KNOWNHOSTS_H
#define QSH_KEYS_KNOWNHOSTS_H

#include "common/keys/keys.h"

enum kh_status {
	KH_OK,        /* this key is known for the host */
	KH_NEW,       /* nothing is known of the host */
	KH_CHANGED,   /* another key of the same type is known: file, line */
	KH_OTHER,     /* only keys of other types are known: file, line, type */
	KH_REVOKED,   /* the key is marked @revoked */
};
struct kh_result {
	enum kh_status status; /* of the host; KH_REVOKED also by lines for the address */
	char *path;           /* of the line that decided; NULL for KH_NEW */
	unsigned long line;
	char *other_type;     /* KH_OTHER: short type of the key that is known */
	char *fingerprint;    /* KH_CHANGED: of the known key (SHA-256) */
	/* CheckHostIP: what is known of the address; KH_NEW where none was given. */
	enum kh_status ip_status;
	char *ip_path;
	unsigned long ip_line;
};
void kh_result_free(struct kh_result *r);
/* "host", or "[host]:port" where port is not 22. Lower case. Fresh memory. */
char *kh_host_name(const char *host, unsigned port);
/* Looks the host up (name as from kh_host_name, or a HostKeyAlias, case does not matter; ip,
 * likewise, or NULL) in all files in order; a file that cannot be opened counts as empty.
 * Malformed lines are logged as path:line and skipped (of a line for another host the key is
 * not looked at). Of several keys that differ, the last decides path and line, as in ssh.
 * Exactly these names are looked up. 0, QERR_NOMEM, or (logged: a file read in part might
 * hide a revoked key) QERR_SYS, QERR_TOOBIG. */
int kh_check(const char *const *files, size_t nfiles, const char *host, const char *ip,
    const struct pubkey *k, struct kh_result *r);
/* What ssh asks where no HostKeyAlias is set, of host (and ip, or NULL) on a port: the name
 * with the port, and where nothing is known of that, the bare name: there a key counts only
 * where it is the known one (KH_OK) or revoked. */
int kh_check_host(const char *const *files, size_t nfiles, const char *host, const char *ip,
    unsigned port, const struct pubkey *k, struct kh_result *r);
/* For while the host's key is awaited: where one of the files has hashed names, has the library get ready to make
 * such hashes, which takes longer than all of them. Logs nothing. */
void kh_prepare(const char *const *files, size_t nfiles);
/* As kh_check on one file's text (tests, fuzzing). */
int kh_check_text(const char *path, const uint8_t *text, size_t n, const char *host, const char *ip,
    const struct pubkey *k, struct kh_result *r);
/* Does the host part of a line (plain, hashed, wildcards, negated) match? 1, 0, -1 negated,
 * QERR_FORMAT. */
int kh_match_hosts(const char *hosts, const char *host);
/* Appends a line (makes the file 0600 and its folder 0700; ends an unended last line first;
 * one write). hash: hashed name (|1|salt|hmac). QERR_SYS, QERR_NOMEM, QERR_INVAL (a name
 * that such a line cannot hold: wildcards, commas, blanks, ...). */
int kh_add(const char *path, const char *host, const struct pubkey *k, bool hash);

#endif
