/* Error codes: negative, passed up the stack, logged once where it is known
 * what was being done for whom. */
#ifndef QSH_BASE_ERR_H
#define QSH_BASE_ERR_H

enum {
	QERR_SYS = -1,      /* a system call failed: errno says why */
	QERR_NOMEM = -2,    /* out of memory */
	QERR_TRUNC = -3,    /* input ends too early */
	QERR_TOOBIG = -4,   /* a length is over its limit */
	QERR_FORMAT = -5,   /* input is malformed */
	QERR_NOTFOUND = -6, /* no such entry */
	QERR_UNKNOWN = -7,  /* a type or name that is not known */
	QERR_PHASE = -8,    /* a message that is not permitted now */
	QERR_DENIED = -9,   /* refused by policy */
	QERR_CLOSED = -10,  /* the peer or object is closed */
	QERR_AGAIN = -11,   /* would block */
	QERR_PASSPHRASE = -12, /* passphrase missing or wrong */
	QERR_PERM = -13,    /* file permissions are too open */
	QERR_CRYPTO = -14,  /* a cryptographic library refused */
	QERR_SIGNATURE = -15, /* a signature does not verify */
	QERR_TIMEOUT = -16, /* a deadline passed */
	QERR_PROTO = -17,   /* the peer broke the protocol */
	QERR_UNSUPPORTED = -18, /* well-formed, but not supported here */
	QERR_AGENT = -19,   /* the agent refused */
	QERR_EXISTS = -20,  /* exists already */
	QERR_INVAL = -21,   /* the caller's argument is wrong */
};

/* A short English text for a code ("message is truncated"); for QERR_SYS the
 * text of the current errno. Never NULL; valid until the next call. */
const char *qerr_str(int err);

#endif
