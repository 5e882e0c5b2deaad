/* Address lists (from=, Match Address) and addresses. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char *s = malloc(n + 1), host[ADDR_STRLEN];
	struct addr v4, v6, a, again;
	int r4, r6, check;

	if (s == NULL)
		return 0;
	if (n > 0)
		memcpy(s, p, n);
	s[n] = '\0';
	addr_parse(&v4, "192.0.2.77", 22);
	addr_parse(&v6, "2001:db8::4d", 22);
	r4 = addr_match_list(&v4, s);
	r6 = addr_match_list(&v6, s);
	check = addr_match_list(NULL, s);
	/* whoever is asked, a list is well-formed or not, unless a negated entry ended it before */
	if (check == QERR_FORMAT ? (r4 >= 0 || r6 >= 0) : (r4 == QERR_FORMAT || r6 == QERR_FORMAT))
		abort();
	if (addr_parse(&a, s, 1) == 0) {
		addr_host(&a, host);
		if (addr_parse(&again, host, 1) != 0 || !addr_equal(&a, &again))
			abort();
	}
	free(s);
	return 0;
}
