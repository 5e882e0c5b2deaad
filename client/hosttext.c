/* What people read about a host key, and the decision that goes with it. Scripts know some of these
 * lines from ssh: they are kept as they are. */
#include "client/hostkey.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/str.h"

enum hostkey_action
hostkey_decide(enum kh_status status, int strict, bool batch)
{
	switch (status) {
	case KH_OK:
		return HOSTKEY_ACCEPT;
	case KH_REVOKED:
		return HOSTKEY_REFUSE;
	case KH_CHANGED:
		/* Not added: the line that is there would still say otherwise. */
		return strict == CCONF_SHK_NO || strict == CCONF_SHK_OFF ? HOSTKEY_ACCEPT
									 : HOSTKEY_REFUSE;
	case KH_NEW:
	case KH_OTHER:
		break;
	}
	switch (strict) {
	case CCONF_SHK_NO:
	case CCONF_SHK_OFF:
		return HOSTKEY_ADD;
	case CCONF_SHK_ACCEPT_NEW:
		/* A host whose key of another type is known is no new host: its key may have been
		 * exchanged along with the type. */
		if (status == KH_NEW)
			return HOSTKEY_ADD;
		return batch ? HOSTKEY_REFUSE : HOSTKEY_ASK;
	case CCONF_SHK_ASK:
		return batch ? HOSTKEY_REFUSE : HOSTKEY_ASK;
	default:
		return HOSTKEY_REFUSE;
	}
}

int
hostkey_question(struct buf *b, const struct hostkey_facts *f)
{
	const struct kh_result *r = f->found;

	buf_printf(b, "The authenticity of host '%s%s%s%s' can't be established.\n", f->host,
	    f->ip ? " (" : "", f->ip ? f->ip : "", f->ip ? ")" : "");
	buf_printf(b, "%s key fingerprint is %s.\n", f->type, f->fingerprint);
	if (f->art)
		buf_printf(b, "%s", f->art);
	if (r->status == KH_OTHER)
		buf_printf(b,
		    "This host is known by another type of key only: %s, in %s:%lu. That one cannot "
		    "vouch for this one.\n"
		    "To compare, run there: ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub\n",
		    r->other_type ? r->other_type : "?", r->path ? r->path : "?", r->line);
	if (f->names && *f->names)
		buf_printf(b, "This host key is known by the following other names/addresses:\n%s",
		    f->names);
	else
		buf_printf(b, "This key is not known by any other names.\n");
	return buf_printf(b,
	    "Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
}

static void
frame(struct buf *b, const char *title)
{
	static const char bar[] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";

	buf_printf(b, "%s\n@ %-55s @\n%s\n", bar, title, bar);
}

static void
warn_changed(struct buf *b, const struct hostkey_facts *f)
{
	const struct kh_result *r = f->found;
	const char *path = r->path ? r->path : "?";

	frame(b, "   WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!");
	buf_printf(b,
	    "Either this is not the host that you mean, and somebody listens in between,\n"
	    "or its key was replaced. Ask whoever runs it before you go on.\n"
	    "The fingerprint for the %s key sent by the remote host is\n%s.\n",
	    f->type, f->fingerprint);
	if (r->fingerprint)
		buf_printf(b, "The key that is known for it has\n%s.\n", r->fingerprint);
	buf_printf(b, "Offending %s key in %s:%lu\n  remove with:\n", f->type, path, r->line);
	buf_printf(b, "  ssh-keygen -f \"%s\" -R \"%s\"\n", path, f->host);
}

int
hostkey_warning(struct buf *b, const struct hostkey_facts *f, int strict, bool accepted)
{
	const struct kh_result *r = f->found;

	switch (r->status) {
	case KH_CHANGED:
		warn_changed(b, f);
		if (accepted)
			return buf_printf(b, "Going on, because StrictHostKeyChecking is off.\n");
		return buf_printf(b,
		    "Host key for %s has changed and you have requested strict checking.\n", f->host);
	case KH_REVOKED:
		frame(b, "          WARNING: REVOKED HOST KEY DETECTED!");
		return buf_printf(b,
		    "The %s host key of %s is marked as revoked in %s:%lu.\n"
		    "Somebody may be using a stolen key to pass for this host.\n",
		    f->type, f->host, r->path ? r->path : "?", r->line);
	case KH_OTHER:
		return buf_printf(b,
		    "%s is known by another type of key only (%s, %s:%lu): its %s key %s is not "
		    "known.\n",
		    f->host, r->other_type ? r->other_type : "?", r->path ? r->path : "?", r->line,
		    f->type, f->fingerprint);
	case KH_NEW:
		if (strict == CCONF_SHK_YES)
			return buf_printf(b,
			    "No %s host key is known for %s and you have requested strict checking.\n",
			    f->type, f->host);
		if (!accepted)
			return buf_printf(b,
			    "No %s host key is known for %s, and there is nobody to ask: "
			    "its fingerprint is %s.\n",
			    f->type, f->host, f->fingerprint);
		return b->err;
	default:
		return b->err;
	}
}

int
hostkey_answer(const char *answer, const char *fingerprint)
{
	size_t n;

	if (!answer)
		return 0;
	while (isspace((unsigned char)*answer))
		answer++;
	n = strlen(answer);
	while (n > 0 && isspace((unsigned char)answer[n - 1]))
		n--;
	if (n == 0 || (n == 2 && strncasecmp(answer, "no", n) == 0))
		return 0;
	if (n == 3 && strncasecmp(answer, "yes", n) == 0)
		return 1;
	return n == strlen(fingerprint) && memcmp(answer, fingerprint, n) == 0 ? 1 : -1;
}

/* Cuts the next word off a line; NULL if there is none. */
static char *
next_word(char **s)
{
	char *w = *s + strspn(*s, " \t");

	if (!*w)
		return NULL;
	*s = w + strcspn(w, " \t");
	if (**s)
		*(*s)++ = 0;
	return w;
}

static void
put_names(struct buf *b, const char *path, unsigned long lineno, char *line, const char *b64)
{
	char *names = next_word(&line), *type, *key, shown[300];

	if (!names || *names == '#' || *names == '@')
		return;
	type = next_word(&line);
	key = next_word(&line);
	if (!type || !key || strcmp(key, b64) != 0)
		return;
	if (strncmp(names, "|1|", 3) == 0)
		names = strcpy(shown, "[hashed name]");
	else
		names = str_vis(shown, sizeof(shown), names, strlen(names));
	buf_printf(b, "    %s:%lu: %s\n", path, lineno, names);
}

int
hostkey_other_names(struct buf *b, const char *path, const char *text, const struct pubkey *k)
{
	char *b64 = str_b64(k->blob, k->bloblen);
	unsigned long lineno = 1;

	for (; b64 && *text; lineno++) {
		size_t n = strcspn(text, "\n");
		char *line = strndup(text, n);

		if (line) {
			line[strcspn(line, "\r")] = 0;
			put_names(b, path, lineno, line, b64);
		}
		free(line);
		text += n + (text[n] == '\n');
	}
	free(b64);
	return b->err;
}
