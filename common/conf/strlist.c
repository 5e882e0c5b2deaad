/* Lists of strings. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/conf/conf.h"

int
strlist_add(struct strlist *l, const char *s)
{
	char **v, *copy;

	if ((copy = strdup(s)) == NULL)
		return QERR_NOMEM;
	v = reallocarray(l->v, l->n + 1, sizeof(*v));
	if (v == NULL) {
		free(copy);
		return QERR_NOMEM;
	}
	l->v = v;
	l->v[l->n++] = copy;
	return 0;
}

int
strlist_copy(struct strlist *to, const struct strlist *from)
{
	size_t i;
	int r;

	for (i = 0; i < from->n; i++)
		if ((r = strlist_add(to, from->v[i])) != 0)
			return r;
	return 0;
}

void
strlist_free(struct strlist *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

bool
strlist_has(const struct strlist *l, const char *s)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}
