/* What an authentication request comes to, from the facts that were found out. Pure. */
#ifndef QSH_SERVER_MONITOR_DECIDE_H
#define QSH_SERVER_MONITOR_DECIDE_H

#include <stdbool.h>

struct auth_facts {
	bool user_ok;         /* exists and may log in from here */
	bool method_ok;       /* known, switched on, and next in a list of AuthenticationMethods */
	bool key_ok;          /* a line of authorized_keys grants it */
	bool key_fresh;       /* not the key of an earlier, partial success */
	bool has_sig;
	bool sig_ok;
	bool root_ok;         /* not root, or PermitRootLogin allows it this way */
	bool grants_agree;    /* what the keys shown so far grant can be granted together */
};

enum auth_decision {
	AUTH_FAILED,
	AUTH_KEY_WOULD_DO,    /* a query without signature: yes */
	AUTH_PROVED,          /* this method has succeeded */
};
enum auth_decision auth_decide(const struct auth_facts *f);

/* Attempts and failures, as sshd counts them. */
struct auth_count {
	unsigned attempts;    /* requests so far */
	unsigned failures;
	unsigned max;         /* MaxAuthTries */
};
#define AUTH_ATTEMPTS_MAX 1024
/* A request comes in; false: it is one too many whatever it says. */
bool auth_count_attempt(struct auth_count *c);
/* It has failed. none: the method is "none", which is free as the first request. True: that was the last one permitted. */
bool auth_count_failure(struct auth_count *c, bool none);
/* Are failures to be logged at the usual level by now? */
bool auth_count_loud(const struct auth_count *c);

#endif
