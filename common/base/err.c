#include "common/base/err.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const texts[] = {
	[0] = "success",
	[-QERR_NOMEM] = "out of memory",
	[-QERR_TRUNC] = "message is truncated",
	[-QERR_TOOBIG] = "too large",
	[-QERR_FORMAT] = "malformed",
	[-QERR_NOTFOUND] = "not found",
	[-QERR_UNKNOWN] = "not known",
	[-QERR_PHASE] = "not permitted now",
	[-QERR_DENIED] = "refused by policy",
	[-QERR_CLOSED] = "closed",
	[-QERR_AGAIN] = "would block",
	[-QERR_PASSPHRASE] = "passphrase missing or wrong",
	[-QERR_PERM] = "file permissions are too open",
	[-QERR_CRYPTO] = "cryptographic library failed",
	[-QERR_SIGNATURE] = "signature does not verify",
	[-QERR_TIMEOUT] = "timed out",
	[-QERR_PROTO] = "protocol error",
	[-QERR_UNSUPPORTED] = "not supported",
	[-QERR_AGENT] = "agent refused",
	[-QERR_EXISTS] = "exists already",
	[-QERR_INVAL] = "invalid argument",
};

const char *
qerr_str(int err)
{
	size_t i;

	if (err == QERR_SYS)
		return strerror(errno);
	if (err > 0 || err < QERR_INVAL)
		return "unknown error";
	i = (size_t)-err;
	return texts[i] != NULL ? texts[i] : "unknown error";
}
