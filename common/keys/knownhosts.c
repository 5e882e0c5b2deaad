/* Looking host keys up in known_hosts files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/keys/knownhosts.h"
#include "common/keys/knownhosts_hash.h"
#include "common/keys/lines.h"

#define FILE_MAX_LEN (256u * 1024 * 1024)

enum marker { MARK_NONE, MARK_CA, MARK_REVOKED, MARK_BAD };

/* A line that bears on the question. */
struct hit {
	const char *path; /* NULL: there is none; the caller of kh_check owns it */
	unsigned long line;
	char *text;       /* fingerprint or type of its key */
};
/* What all lines so far say of one name; by kh_status. */
struct tally {
	char *name;       /* lower case; NULL: not asked for */
	struct hit hit[KH_REVOKED + 1];
};

void
kh_result_free(struct kh_result *r)
{
	free(r->path);
	free(r->other_type);
	free(r->fingerprint);
	free(r->ip_path);
	memset(r, 0, sizeof(*r));
	r->status = r->ip_status = KH_NEW;
}

char *
kh_host_name(const char *host, unsigned port)
{
	char *s = port == 0 || port == 22 ? str_printf("%s", host)
					  : str_printf("[%s]:%u", host, port);

	for (char *p = s; p && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}

int
kh_match_hosts(const char *hosts, const char *host)
{
	if (*hosts == '|')
		return kh_hash_match(hosts, host);
	return str_match_list(host, hosts, true);
}

static const char *
skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* The marker at the start of *s, which moves behind it. */
static enum marker
take_marker(const char **s)
{
	static const struct {
		const char *word;
		enum marker marker;
	} markers[] = {{"@cert-authority", MARK_CA}, {"@revoked", MARK_REVOKED}};

	if (**s != '@')
		return MARK_NONE;
	size_t n = strcspn(*s, " \t");
	for (size_t i = 0; i < sizeof(markers) / sizeof(markers[0]); i++)
		if (strlen(markers[i].word) == n && strncmp(*s, markers[i].word, n) == 0) {
			*s = skip_blanks(*s + n);
			return **s == '@' ? MARK_BAD : markers[i].marker; /* one only */
		}
	return MARK_BAD;
}

/* What a line for the host says of the key. */
static enum kh_status
judge(enum marker marker, const struct pubkey *known, const struct pubkey *k)
{
	if (marker == MARK_REVOKED)
		return pubkey_equal(known, k) ? KH_REVOKED : KH_NEW;
	if (marker == MARK_CA)
		return KH_NEW;
	if (pubkey_equal(known, k))
		return KH_OK;
	return strcmp(known->type, k->type) == 0 ? KH_CHANGED : KH_OTHER;
}

static int
record(struct tally *t, enum kh_status st, const char *path, unsigned long line,
    const struct pubkey *known)
{
	struct hit *h = &t->hit[st];

	if (st == KH_NEW || (h->path && st != KH_CHANGED))
		return 0;
	if (st == KH_CHANGED || st == KH_OTHER) {
		char *text = st == KH_CHANGED ? pubkey_fingerprint(known, NULL)
					      : strdup(pubkey_short_type(known));
		if (!text)
			return QERR_NOMEM;
		free(h->text);
		h->text = text;
	}
	h->path = path;
	h->line = line;
	return 0;
}

/* Does the line name this one? As kh_match_hosts; negated counts as no. */
static int
matches(const struct tally *t, const char *hosts)
{
	if (!t->name)
		return 0;
	int m = kh_match_hosts(hosts, t->name);
	return m == -1 ? 0 : m;
}

/* One line. 0, QERR_NOMEM, or QERR_FORMAT with *why. */
static int
scan_line(struct tally t[2], const char *path, unsigned long no, const char *line,
    const struct pubkey *k, const char **why)
{
	enum marker marker = take_marker(&line);
	struct pubkey known;
	int m[2] = {0, 0};

	*why = "unknown marker";
	if (marker == MARK_BAD)
		return QERR_FORMAT;
	size_t n = strcspn(line, " \t");
	*why = "no key behind the host names";
	if (line[n] == '\0')
		return QERR_FORMAT;
	char *hosts = strndup(line, n);
	if (!hosts)
		return QERR_NOMEM;
	for (int i = 0; i < 2 && m[0] >= 0; i++)
		m[i] = matches(&t[i], hosts);
	free(hosts);
	*why = "malformed hashed host name";
	if (m[0] < 0 || m[1] < 0)
		return QERR_FORMAT;
	if (!m[0] && !m[1])
		return 0;
	*why = "malformed key";
	int err = pubkey_from_text(&known, skip_blanks(line + n), NULL);
	if (err)
		return err == QERR_NOMEM ? err : QERR_FORMAT;
	for (int i = 0; i < 2 && !err; i++)
		if (m[i])
			err = record(&t[i], judge(marker, &known, k), path, no, &known);
	pubkey_free(&known);
	return err;
}

static int
scan_text(struct tally t[2], const char *path, const uint8_t *text, size_t n,
    const struct pubkey *k)
{
	struct lines l;
	const char *line, *why;
	int more;

	lines_init(&l, text, n);
	while ((more = lines_next(&l, &line)) == 1) {
		if (*line == '#' || (*line == '\0' && !l.has_nul))
			continue;
		int err = l.has_nul ? QERR_FORMAT : scan_line(t, path, l.no, line, k, &why);
		if (err == QERR_FORMAT)
			log_info("%s:%lu: line ignored: %s", path, l.no,
			    l.has_nul ? "zero byte inside" : why);
		else if (err) {
			more = err;
			break;
		}
	}
	lines_free(&l);
	return more;
}

static int
scan_file(struct tally t[2], const char *path, const struct pubkey *k)
{
	uint8_t *text = NULL;
	size_t n = 0;

	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		log_debug("known hosts file %s is passed over: %s", path, strerror(errno));
		return 0;
	}
	int err = fd_read_all(fd, FILE_MAX_LEN, &text, &n);
	if (err)
		log_error("cannot read known hosts file %s: %s", path, qerr_str(err));
	else
		err = scan_text(t, path, text, n, k);
	free(text);
	fd_close(&fd);
	return err;
}

/* Revocation wins over everything, then any line that has the key. */
static enum kh_status
verdict(const struct tally *t)
{
	static const enum kh_status order[] = {KH_REVOKED, KH_OK, KH_CHANGED, KH_OTHER};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (t->hit[order[i]].path)
			return order[i];
	return KH_NEW;
}

static int
copy_path(char **out, unsigned long *line, const struct hit *h)
{
	*line = h->line;
	*out = h->path ? strdup(h->path) : NULL;
	return h->path && !*out ? QERR_NOMEM : 0;
}

static int
conclude(struct kh_result *r, struct tally t[2])
{
	r->ip_status = verdict(&t[1]);
	struct hit *ip = &t[1].hit[r->ip_status];
	r->status = verdict(&t[0]);
	struct hit *h = &t[0].hit[r->status];
	if (r->ip_status == KH_REVOKED && r->status != KH_REVOKED) {
		r->status = KH_REVOKED;
		h = ip;
	}
	int err = copy_path(&r->path, &r->line, h);
	if (!err)
		err = copy_path(&r->ip_path, &r->ip_line, ip);
	if (r->status == KH_CHANGED)
		r->fingerprint = h->text;
	else if (r->status == KH_OTHER)
		r->other_type = h->text;
	else
		return err;
	h->text = NULL;
	return err;
}

static int
check(const char *const *files, size_t nfiles, const uint8_t *text, size_t n, const char *host,
    const char *ip, const struct pubkey *k, struct kh_result *r)
{
	struct tally t[2] = {{.name = kh_host_name(host, 0)}, {.name = NULL}};
	int err = 0;

	if (ip)
		t[1].name = kh_host_name(ip, 0);
	if (!t[0].name || (ip && !t[1].name))
		err = QERR_NOMEM;
	memset(r, 0, sizeof(*r));
	r->status = r->ip_status = KH_NEW;
	for (size_t i = 0; i < nfiles && !err; i++)
		err = text ? scan_text(t, files[i], text, n, k) : scan_file(t, files[i], k);
	if (!err)
		err = conclude(r, t);
	for (int i = 0; i < 2; i++) {
		free(t[i].name);
		for (int st = 0; st <= KH_REVOKED; st++)
			free(t[i].hit[st].text);
	}
	if (err)
		kh_result_free(r);
	return err;
}

int
kh_check(const char *const *files, size_t nfiles, const char *host, const char *ip,
    const struct pubkey *k, struct kh_result *r)
{
	return check(files, nfiles, NULL, 0, host, ip, k, r);
}

void
kh_prepare(const char *const *files, size_t nfiles)
{
	static const char any[] = "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	bool hashed = false;

	for (size_t i = 0; i < nfiles && !hashed; i++) {
		uint8_t *text;
		size_t n;

		if (fd_read_file(files[i], FILE_MAX_LEN, &text, &n) < 0)
			continue;
		hashed = strstr((const char *)text, "|1|") != NULL;
		free(text);
	}
	if (hashed)
		(void)kh_hash_match(any, "");
}

int
kh_check_text(const char *path, const uint8_t *text, size_t n, const char *host, const char *ip,
    const struct pubkey *k, struct kh_result *r)
{
	return check(&path, 1, text ? text : (const uint8_t *)"", text ? n : 0, host, ip, k, r);
}
