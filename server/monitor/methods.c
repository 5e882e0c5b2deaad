/* AuthenticationMethods. */
#include "server/monitor/methods.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

/* The length of the first element of a comma list. */
static size_t
first_len(const char *list)
{
	return strcspn(list, ",");
}

static bool
list_has(const char *list, const char *item, size_t n)
{
	while (*list) {
		size_t k = first_len(list);
		if (k == n && strncmp(list, item, n) == 0)
			return true;
		list += k;
		list += *list == ',';
	}
	return false;
}

static bool
can_fulfil(const char *list, const char *offered)
{
	if (!*list)
		return false;
	while (*list) {
		size_t k = first_len(list);
		if (!list_has(offered, list, k))
			return false;
		list += k;
		list += *list == ',';
	}
	return true;
}

int
methods_init(struct methods *m, const struct strlist *configured, const char *offered)
{
	memset(m, 0, sizeof *m);
	m->offered = offered;
	if (configured->n == 0 || (configured->n == 1 && strcmp(configured->v[0], "any") == 0)) {
		m->any = true;
		return 0;
	}
	for (size_t i = 0; i < configured->n; i++) {
		if (!can_fulfil(configured->v[i], offered))
			continue;
		int r = strlist_add(&m->lists, configured->v[i]);
		if (r < 0) {
			methods_free(m);
			return r;
		}
	}
	return m->lists.n > 0 ? 0 : QERR_DENIED;
}

void
methods_free(struct methods *m)
{
	strlist_free(&m->lists);
	memset(m, 0, sizeof *m);
	m->offered = "";
}

static bool
starts_with(const char *list, const char *method)
{
	size_t n = strlen(method);
	return first_len(list) == n && strncmp(list, method, n) == 0;
}

bool
methods_allowed(const struct methods *m, const char *method)
{
	if (!list_has(m->offered, method, strlen(method)))
		return false;
	if (m->any)
		return true;
	for (size_t i = 0; i < m->lists.n; i++) {
		if (starts_with(m->lists.v[i], method))
			return true;
	}
	return false;
}

int
methods_succeeded(struct methods *m, const char *method)
{
	if (m->any)
		return 1;
	for (size_t i = 0; i < m->lists.n; i++) {
		char *list = m->lists.v[i];
		if (!starts_with(list, method))
			continue;
		size_t n = strlen(method);
		if (list[n] == '\0')
			return 1;
		memmove(list, list + n + 1, strlen(list + n + 1) + 1);
	}
	return 0;
}

static void
append(char *dst, size_t n, const char *item, size_t k)
{
	size_t used = strlen(dst);
	if (used + (used > 0) + k >= n)
		return;
	if (used > 0)
		dst[used++] = ',';
	memcpy(dst + used, item, k);
	dst[used + k] = '\0';
}

const char *
methods_continue(const struct methods *m, char *dst, size_t n)
{
	dst[0] = '\0';
	const char *p = m->offered;
	while (*p) {
		size_t k = first_len(p);
		bool usable = m->any;
		for (size_t i = 0; i < m->lists.n && !usable; i++)
			usable = first_len(m->lists.v[i]) == k && strncmp(m->lists.v[i], p, k) == 0;
		if (usable)
			append(dst, n, p, k);
		p += k;
		p += *p == ',';
	}
	return dst;
}
