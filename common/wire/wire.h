/* Messages of the qsh protocol (ALPN "qsh/1"), byte by byte in PROTOCOL.md.
 *
 * A message is a varint type, a varint length and a body. Even types are critical: who
 * does not know one ends the connection. Odd types are optional: skipped where unknown.
 *
 * Each message has a struct and a pair put/get. put appends the body to a buffer (0 or the buffer's
 * sticky error; QERR_TOOBIG for a field over its limit). get reads a whole body (0, QERR_TRUNC, QERR_TOOBIG,
 * QERR_FORMAT, QERR_NOMEM; on error nothing is left to free); strings in the result are the caller's: wire_free_X
 * frees and wipes. struct bytes members point into the body. */
#ifndef QSH_WIRE_WIRE_H
#define QSH_WIRE_WIRE_H

#include "common/base/buf.h"

#define WIRE_ALPN "qsh/1"
#define WIRE_EXPORTER_LABEL "EXPORTER-qsh-auth"
#define WIRE_EXPORTER_LEN 32
#define WIRE_SSHSIG_NAMESPACE "qsh-auth@v1"
#define WIRE_SERVICE "qsh-connection"

/* First varint of a unidirectional stream. */
enum wire_uni {
	WIRE_UNI_SETTINGS = 0, /* server: one SETTINGS message, then FIN or further optional messages */
	WIRE_UNI_DATA = 2,     /* channel's stream ID (varint), wire_data_kind (varint), raw bytes */
};
enum wire_data_kind { WIRE_DATA_IN = 0, WIRE_DATA_OUT = 1, WIRE_DATA_ERR = 2 };

enum wire_type {
	/* server's settings stream */
	WIRE_SETTINGS = 0x00,
	/* control stream, client to server */
	WIRE_AUTH_REQUEST = 0x10,
	/* control stream, server to client */
	WIRE_AUTH_OK = 0x20,
	WIRE_AUTH_FAILURE = 0x22,
	WIRE_AUTH_PK_OK = 0x24,
	WIRE_BANNER = 0x21,
	WIRE_DEBUG = 0x23,
	/* channel streams: opener to acceptor */
	WIRE_OPEN = 0x40,      /* first message of every channel stream */
	WIRE_PTY = 0x42,
	WIRE_ENV = 0x43,
	WIRE_START = 0x44,
	WIRE_WINDOW = 0x45,    /* window change */
	WIRE_SIGNAL = 0x47,
	WIRE_BREAK = 0x49,
	WIRE_EXIT_ACK = 0x4a,
	/* channel streams: acceptor to opener */
	WIRE_STARTED = 0x60,
	WIRE_FAILURE = 0x62,   /* OPEN, PTY or START refused */
	WIRE_EXIT_STATUS = 0x64,
	WIRE_EXIT_SIGNAL = 0x66,
};

#define WIRE_USER_MAX     255
#define WIRE_NAME_MAX     255      /* env name, TERM, signal, method, subsystem name */
#define WIRE_ENV_MAX      (32 * 1024)  /* one value */
#define WIRE_ENV_COUNT    256      /* of one channel */
#define WIRE_ENV_TOTAL    (32 * 1024)  /* names and values of one channel: fits, with a command, between processes */
#define WIRE_COMMAND_MAX  (128 * 1024)
#define WIRE_MODES_MAX    1024
#define WIRE_KEY_MAX      (16 * 1024)
#define WIRE_CONTROL_MAX  (16 * 1024)  /* a body on the control and settings streams */
#define WIRE_TEXT_MAX     (WIRE_CONTROL_MAX - 16) /* banner, reason: fits into a body on the control stream */
#define WIRE_BODY_MAX     (160 * 1024) /* a body on a channel stream */

/* Largest header: two varints. */
#define WIRE_HDR_MAX 16
/* Header and body (NULL: empty); the body's sticky error is returned. */
int wire_put_msg(struct buf *b, uint64_t type, const struct buf *body);
/* "AUTH_REQUEST" for logs; "unknown". */
const char *wire_type_name(uint64_t type);

struct wire_settings {
	char *version;          /* software, "qsh_0.1": for logs only */
	uint64_t max_sessions;
	uint64_t flags;         /* none defined yet; unknown bits are ignored */
};
struct wire_auth_request {
	char *user, *service, *method; /* method: "none", "publickey"; of another the rest is skipped */
	/* publickey: */
	struct bytes key;       /* public key blob (RFC 4253 section 6.6) */
	bool has_sig;           /* false: would this key do? */
	struct bytes sig;       /* signature blob over the SSHSIG data */
};
struct wire_auth_failure {
	char *methods;          /* comma-separated: what can continue */
	bool partial;
};
struct wire_pk_ok { struct bytes key; };
struct wire_text { char *text; };           /* BANNER, DEBUG */
struct wire_open { char *type; };           /* "session" */
struct wire_pty {
	char *term;
	uint32_t cols, rows, xpixel, ypixel;
	struct bytes modes;     /* RFC 4254 section 8 encoding */
};
struct wire_env { char *name, *value; };    /* the name has at least one byte, and no '=' */
enum wire_start_kind { WIRE_START_SHELL = 0, WIRE_START_EXEC = 1, WIRE_START_SUBSYSTEM = 2 };
struct wire_start { uint64_t kind; char *command; }; /* SHELL: command ""; an unknown kind is for the caller to refuse */
struct wire_window { uint32_t cols, rows, xpixel, ypixel; };
struct wire_signal { char *name; };          /* "INT", without SIG */
struct wire_break { uint32_t ms; };
struct wire_started { bool pty; };
struct wire_failure { uint64_t request; char *reason; }; /* request: the refused message's type */
struct wire_exit_status { uint32_t status; };
struct wire_exit_signal { char *name; bool core; char *text; };

#define WIRE_PAIR(name) \
	int wire_put_##name(struct buf *b, const struct wire_##name *m); \
	int wire_get_##name(struct rd *r, struct wire_##name *m); \
	void wire_free_##name(struct wire_##name *m);
WIRE_PAIR(settings)
WIRE_PAIR(auth_request)
WIRE_PAIR(auth_failure)
WIRE_PAIR(pk_ok)
WIRE_PAIR(text)
WIRE_PAIR(open)
WIRE_PAIR(pty)
WIRE_PAIR(env)
WIRE_PAIR(start)
WIRE_PAIR(window)
WIRE_PAIR(signal)
WIRE_PAIR(break)
WIRE_PAIR(started)
WIRE_PAIR(failure)
WIRE_PAIR(exit_status)
WIRE_PAIR(exit_signal)

/* The message that a user signs (then wrapped as SSHSIG, namespace WIRE_SSHSIG_NAMESPACE): each
 * field a byte string with varint length: WIRE_ALPN, exporter, host key blob, user, service, method, key blob. */
int wire_put_auth_message(struct buf *b, const uint8_t exporter[WIRE_EXPORTER_LEN],
    struct bytes hostkey, const char *user, const char *service, const char *method,
    struct bytes key);

#endif
