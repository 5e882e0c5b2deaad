/* PAM: the account and session stages of one login. Every call may block on modules. */
#ifndef QSH_SERVER_MONITOR_PAM_H
#define QSH_SERVER_MONITOR_PAM_H

#include "common/conf/conf.h"

struct mpam;

/* Reads the configuration of a service ("sshd") and loads its modules: what does not depend on the user, and so can be
 * done before he is known. QERR_DENIED (PAM refuses to start; logged), QERR_NOMEM. */
int mpam_load(struct mpam **out, const char *service);
/* The service that was given. */
const char *mpam_service(const struct mpam *p);
/* Says who it is; before all that follows. rhost: the address as text. QERR_DENIED (logged), QERR_NOMEM. */
int mpam_start(struct mpam *p, const char *user, const char *rhost);
/* The account stage. QERR_DENIED (logged; mpam_text has what to tell the user). */
int mpam_account(struct mpam *p);
/* Credentials and session. QERR_DENIED where a module refuses the session (logged; mpam_text has what to tell the
 * user): limits on the number of logins and private namespaces are kept up by such modules. */
int mpam_open(struct mpam *p);
/* Adds PAM's environment as "NAME=value"; QERR_NOMEM. */
int mpam_env(struct mpam *p, struct strlist *env);
/* What modules had to say so far, lines ended by newlines; "" for nothing. Valid until the next call on p. */
const char *mpam_text(struct mpam *p);
void mpam_text_clear(struct mpam *p);
/* Closes the session if it is open, drops the credentials, ends PAM. */
void mpam_end(struct mpam **p);

#endif
