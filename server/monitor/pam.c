/* PAM. */
#include "server/monitor/pam.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"

#define TEXT_MAX 8192
#define TTY_NAME "ssh" /* before there is a terminal: the one that rules for sshd (pam_time, pam_access) name */

struct mpam {
	pam_handle_t *h;
	struct pam_conv conv;
	struct buf text;
	int last;
	bool creds, session;
	char *service, *user;
};

static void
collect(struct mpam *p, const char *msg)
{
	if (!msg || !*msg || buf_len(&p->text) + strlen(msg) + 2 > TEXT_MAX)
		return;
	(void)buf_put(&p->text, msg, strlen(msg));
	(void)buf_put_u8(&p->text, '\n');
}

/* There is nobody to answer questions: texts are kept for the user, a question fails the module. */
static int
converse(int n, const struct pam_message **msg, struct pam_response **resp, void *arg)
{
	struct mpam *p = arg;
	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	struct pam_response *r = calloc((size_t)n, sizeof *r);
	if (!r)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (msg[i]->msg_style != PAM_TEXT_INFO && msg[i]->msg_style != PAM_ERROR_MSG) {
			free(r);
			return PAM_CONV_ERR;
		}
		collect(p, msg[i]->msg);
	}
	*resp = r;
	return PAM_SUCCESS;
}

int
mpam_load(struct mpam **out, const char *service)
{
	struct mpam *p = calloc(1, sizeof *p);
	if (!p || !(p->service = strdup(service))) {
		free(p);
		return QERR_NOMEM;
	}
	buf_init(&p->text, TEXT_MAX + 1);
	p->conv.conv = converse;
	p->conv.appdata_ptr = p;
	p->last = pam_start(service, NULL, &p->conv, &p->h);
	if (p->last == PAM_SUCCESS)
		p->last = pam_set_item(p->h, PAM_TTY, TTY_NAME);
	if (p->last != PAM_SUCCESS) {
		log_error("PAM: service %s: %s", service, pam_strerror(p->h, p->last));
		mpam_end(&p);
		return QERR_DENIED;
	}
	*out = p;
	return 0;
}

const char *
mpam_service(const struct mpam *p)
{
	return p->service;
}

int
mpam_start(struct mpam *p, const char *user, const char *rhost)
{
	if (!(p->user = strdup(user)))
		return QERR_NOMEM;
	p->last = pam_set_item(p->h, PAM_USER, user);
	if (p->last == PAM_SUCCESS)
		p->last = pam_set_item(p->h, PAM_RHOST, rhost);
	if (p->last == PAM_SUCCESS)
		return 0;
	log_error("PAM: service %s for user %s: %s", p->service, user, pam_strerror(p->h, p->last));
	return QERR_DENIED;
}

int
mpam_account(struct mpam *p)
{
	p->last = pam_acct_mgmt(p->h, 0);
	if (p->last == PAM_SUCCESS)
		return 0;
	if (p->last == PAM_NEW_AUTHTOK_REQD)
		collect(p, "Your password has expired and has to be changed first: log in by ssh "
			   "to do so.");
	/* stacks often end in pam_deny, whose error says nothing: the texts do */
	log_info("PAM: account of user %s refused: %s: %s", p->user, pam_strerror(p->h, p->last),
	    mpam_text(p));
	return QERR_DENIED;
}

int
mpam_open(struct mpam *p)
{
	p->last = pam_setcred(p->h, PAM_ESTABLISH_CRED);
	p->creds = p->last == PAM_SUCCESS;
	if (!p->creds)
		log_debug("PAM: pam_setcred(): %s", pam_strerror(p->h, p->last));
	p->last = pam_open_session(p->h, 0);
	p->session = p->last == PAM_SUCCESS;
	if (p->session)
		return 0;
	log_error("PAM: session of user %s not opened: %s", p->user, pam_strerror(p->h, p->last));
	return QERR_DENIED;
}

int
mpam_env(struct mpam *p, struct strlist *env)
{
	char **list = pam_getenvlist(p->h);
	int r = 0;
	for (size_t i = 0; list && list[i]; i++) {
		/* what modules tell each other about the connection stays among them */
		if (r == 0 && !str_match(list[i], "SSH_AUTH_INFO*") &&
		    !str_match(list[i], "SSH_CONNECTION*"))
			r = strlist_add(env, list[i]);
		free(list[i]);
	}
	free(list);
	return r;
}

const char *
mpam_text(struct mpam *p)
{
	uint8_t *end = buf_reserve(&p->text, 1); /* not committed: the next text takes its place */
	if (!end)
		return "";
	*end = '\0';
	return (const char *)buf_data(&p->text);
}

void
mpam_text_clear(struct mpam *p)
{
	buf_reset(&p->text);
}

void
mpam_end(struct mpam **pp)
{
	struct mpam *p = *pp;
	if (!p)
		return;
	*pp = NULL;
	if (p->h) {
		if (p->session)
			p->last = pam_close_session(p->h, 0);
		if (p->creds)
			(void)pam_setcred(p->h, PAM_DELETE_CRED);
		(void)pam_end(p->h, p->last);
	}
	buf_free(&p->text);
	free(p->service);
	free(p->user);
	free(p);
}
