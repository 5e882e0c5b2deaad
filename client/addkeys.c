#include "client/addkeys.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/str.h"

int
addkeys_parse(struct addkeys *k, const char *value)
{
	static const struct {
		const char *word;
		struct addkeys means;
	} words[] = {
		{"no", {false, false, false, 0}},
		{"yes", {true, false, false, 0}},
		{"ask", {true, true, false, 0}},
		{"confirm", {true, false, true, 0}},
	};
	uint64_t seconds;

	memset(k, 0, sizeof(*k));
	if (!value)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(value, words[i].word) == 0)
			return *k = words[i].means, 0;
	if (strncasecmp(value, "confirm", 7) == 0 && strchr(" \t,", value[7])) {
		k->confirm = true;
		value += 7 + strspn(value + 7, " \t,");
	}
	if (str_to_time(value, &seconds) < 0 || seconds == 0 || seconds > UINT32_MAX) {
		memset(k, 0, sizeof(*k));
		return QERR_FORMAT;
	}
	k->add = true;
	k->lifetime = (uint32_t)seconds;
	return 0;
}
