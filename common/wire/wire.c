/* Framing, and messages of the settings and control streams. */
#include "common/wire/wire.h"

#include <string.h>

#include "common/base/err.h"
#include "common/wire/field.h"

int
wire_put_msg(struct buf *b, uint64_t type, const struct buf *body)
{
	size_t n = body != NULL ? buf_len(body) : 0;

	if (body != NULL && body->err != 0 && b->err == 0)
		b->err = body->err;
	buf_put_varint(b, type);
	return buf_put_str(b, body != NULL ? buf_data(body) : NULL, n);
}

const char *
wire_type_name(uint64_t type)
{
	static const struct {
		uint64_t type;
		const char *name;
	} names[] = {
		{WIRE_SETTINGS, "SETTINGS"},
		{WIRE_AUTH_REQUEST, "AUTH_REQUEST"},
		{WIRE_AUTH_OK, "AUTH_OK"},
		{WIRE_AUTH_FAILURE, "AUTH_FAILURE"},
		{WIRE_AUTH_PK_OK, "AUTH_PK_OK"},
		{WIRE_BANNER, "BANNER"},
		{WIRE_DEBUG, "DEBUG"},
		{WIRE_OPEN, "OPEN"},
		{WIRE_PTY, "PTY"},
		{WIRE_ENV, "ENV"},
		{WIRE_START, "START"},
		{WIRE_WINDOW, "WINDOW"},
		{WIRE_SIGNAL, "SIGNAL"},
		{WIRE_BREAK, "BREAK"},
		{WIRE_EXIT_ACK, "EXIT_ACK"},
		{WIRE_STARTED, "STARTED"},
		{WIRE_FAILURE, "FAILURE"},
		{WIRE_EXIT_STATUS, "EXIT_STATUS"},
		{WIRE_EXIT_SIGNAL, "EXIT_SIGNAL"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return "unknown";
}

int
wire_put_settings(struct buf *b, const struct wire_settings *m)
{
	field_put_text(b, m->version, WIRE_NAME_MAX);
	buf_put_varint(b, m->max_sessions);
	return buf_put_varint(b, m->flags);
}

int
wire_get_settings(struct rd *r, struct wire_settings *m)
{
	memset(m, 0, sizeof(*m));
	m->version = rd_cstr(r, WIRE_NAME_MAX);
	m->max_sessions = rd_varint(r);
	m->flags = rd_varint(r);
	if (rd_end(r) != 0)
		wire_free_settings(m);
	return r->err;
}

void
wire_free_settings(struct wire_settings *m)
{
	field_free(&m->version);
	memset(m, 0, sizeof(*m));
}

static bool
is_publickey(const struct wire_auth_request *m)
{
	return m->method != NULL && strcmp(m->method, "publickey") == 0;
}

int
wire_put_auth_request(struct buf *b, const struct wire_auth_request *m)
{
	field_put_text(b, m->user, WIRE_USER_MAX);
	field_put_text(b, m->service, WIRE_NAME_MAX);
	field_put_text(b, m->method, WIRE_NAME_MAX);
	if (is_publickey(m)) {
		field_put_bytes(b, m->key, WIRE_KEY_MAX);
		field_put_bool(b, m->has_sig);
		if (m->has_sig)
			field_put_bytes(b, m->sig, WIRE_KEY_MAX);
	}
	return b->err;
}

int
wire_get_auth_request(struct rd *r, struct wire_auth_request *m)
{
	memset(m, 0, sizeof(*m));
	m->user = rd_cstr(r, WIRE_USER_MAX);
	m->service = rd_cstr(r, WIRE_NAME_MAX);
	m->method = rd_cstr(r, WIRE_NAME_MAX);
	if (is_publickey(m)) {
		m->key = rd_str(r, WIRE_KEY_MAX);
		m->has_sig = field_bool(r);
		if (m->has_sig)
			m->sig = rd_str(r, WIRE_KEY_MAX);
	} else if (m->method != NULL && strcmp(m->method, "none") != 0) {
		/* What a method of the future brings is its own: it is refused by name. */
		rd_bytes(r, r->n);
	}
	if (rd_end(r) != 0)
		wire_free_auth_request(m);
	return r->err;
}

void
wire_free_auth_request(struct wire_auth_request *m)
{
	field_free(&m->user);
	field_free(&m->service);
	field_free(&m->method);
	memset(m, 0, sizeof(*m));
}

int
wire_put_auth_failure(struct buf *b, const struct wire_auth_failure *m)
{
	field_put_text(b, m->methods, WIRE_NAME_MAX);
	field_put_bool(b, m->partial);
	return b->err;
}

int
wire_get_auth_failure(struct rd *r, struct wire_auth_failure *m)
{
	memset(m, 0, sizeof(*m));
	m->methods = rd_cstr(r, WIRE_NAME_MAX);
	m->partial = field_bool(r);
	if (rd_end(r) != 0)
		wire_free_auth_failure(m);
	return r->err;
}

void
wire_free_auth_failure(struct wire_auth_failure *m)
{
	field_free(&m->methods);
	memset(m, 0, sizeof(*m));
}

int
wire_put_pk_ok(struct buf *b, const struct wire_pk_ok *m)
{
	field_put_bytes(b, m->key, WIRE_KEY_MAX);
	return b->err;
}

int
wire_get_pk_ok(struct rd *r, struct wire_pk_ok *m)
{
	memset(m, 0, sizeof(*m));
	m->key = rd_str(r, WIRE_KEY_MAX);
	if (rd_end(r) != 0)
		wire_free_pk_ok(m);
	return r->err;
}

void
wire_free_pk_ok(struct wire_pk_ok *m)
{
	memset(m, 0, sizeof(*m));
}

int
wire_put_text(struct buf *b, const struct wire_text *m)
{
	field_put_text(b, m->text, WIRE_TEXT_MAX);
	return b->err;
}

int
wire_get_text(struct rd *r, struct wire_text *m)
{
	memset(m, 0, sizeof(*m));
	m->text = rd_cstr(r, WIRE_TEXT_MAX);
	if (rd_end(r) != 0)
		wire_free_text(m);
	return r->err;
}

void
wire_free_text(struct wire_text *m)
{
	field_free(&m->text);
}

int
wire_put_auth_message(struct buf *b, const uint8_t exporter[WIRE_EXPORTER_LEN],
    struct bytes hostkey, const char *user, const char *service, const char *method,
    struct bytes key)
{
	buf_put_cstr(b, WIRE_ALPN);
	buf_put_str(b, exporter, WIRE_EXPORTER_LEN);
	field_put_bytes(b, hostkey, WIRE_KEY_MAX);
	field_put_text(b, user, WIRE_USER_MAX);
	field_put_text(b, service, WIRE_NAME_MAX);
	field_put_text(b, method, WIRE_NAME_MAX);
	field_put_bytes(b, key, WIRE_KEY_MAX);
	return b->err;
}
