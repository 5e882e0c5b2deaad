/* Messages of channel streams. */
#include <string.h>

#include "common/base/err.h"
#include "common/wire/field.h"
#include "common/wire/wire.h"

int
wire_put_open(struct buf *b, const struct wire_open *m)
{
	field_put_text(b, m->type, WIRE_NAME_MAX);
	return b->err;
}

int
wire_get_open(struct rd *r, struct wire_open *m)
{
	memset(m, 0, sizeof(*m));
	m->type = rd_cstr(r, WIRE_NAME_MAX);
	if (rd_end(r) != 0)
		wire_free_open(m);
	return r->err;
}

void
wire_free_open(struct wire_open *m)
{
	field_free(&m->type);
}

int
wire_put_pty(struct buf *b, const struct wire_pty *m)
{
	field_put_text(b, m->term, WIRE_NAME_MAX);
	buf_put_varint(b, m->cols);
	buf_put_varint(b, m->rows);
	buf_put_varint(b, m->xpixel);
	buf_put_varint(b, m->ypixel);
	field_put_bytes(b, m->modes, WIRE_MODES_MAX);
	return b->err;
}

int
wire_get_pty(struct rd *r, struct wire_pty *m)
{
	memset(m, 0, sizeof(*m));
	m->term = rd_cstr(r, WIRE_NAME_MAX);
	m->cols = field_u32(r);
	m->rows = field_u32(r);
	m->xpixel = field_u32(r);
	m->ypixel = field_u32(r);
	m->modes = rd_str(r, WIRE_MODES_MAX);
	if (rd_end(r) != 0)
		wire_free_pty(m);
	return r->err;
}

void
wire_free_pty(struct wire_pty *m)
{
	field_free(&m->term);
	memset(m, 0, sizeof(*m));
}

/* An environment cannot hold others. */
static bool
env_name_valid(const char *name)
{
	return name != NULL && name[0] != '\0' && strchr(name, '=') == NULL;
}

int
wire_put_env(struct buf *b, const struct wire_env *m)
{
	if (!env_name_valid(m->name) && b->err == 0)
		b->err = QERR_INVAL;
	field_put_text(b, m->name, WIRE_NAME_MAX);
	field_put_text(b, m->value, WIRE_ENV_MAX);
	return b->err;
}

int
wire_get_env(struct rd *r, struct wire_env *m)
{
	memset(m, 0, sizeof(*m));
	m->name = rd_cstr(r, WIRE_NAME_MAX);
	if (r->err == 0 && !env_name_valid(m->name))
		r->err = QERR_FORMAT;
	m->value = rd_cstr(r, WIRE_ENV_MAX);
	if (rd_end(r) != 0)
		wire_free_env(m);
	return r->err;
}

void
wire_free_env(struct wire_env *m)
{
	field_free(&m->name);
	field_free(&m->value);
}

int
wire_put_start(struct buf *b, const struct wire_start *m)
{
	buf_put_varint(b, m->kind);
	field_put_text(b, m->kind == WIRE_START_SHELL ? "" : m->command,
	    m->kind == WIRE_START_SUBSYSTEM ? WIRE_NAME_MAX : WIRE_COMMAND_MAX);
	return b->err;
}

int
wire_get_start(struct rd *r, struct wire_start *m)
{
	size_t max = WIRE_COMMAND_MAX;

	memset(m, 0, sizeof(*m));
	m->kind = rd_varint(r);
	if (m->kind == WIRE_START_SHELL)
		max = 0;
	else if (m->kind == WIRE_START_SUBSYSTEM)
		max = WIRE_NAME_MAX;
	m->command = rd_cstr(r, max);
	if (rd_end(r) != 0)
		wire_free_start(m);
	return r->err;
}

void
wire_free_start(struct wire_start *m)
{
	field_free(&m->command);
	memset(m, 0, sizeof(*m));
}

int
wire_put_window(struct buf *b, const struct wire_window *m)
{
	buf_put_varint(b, m->cols);
	buf_put_varint(b, m->rows);
	buf_put_varint(b, m->xpixel);
	return buf_put_varint(b, m->ypixel);
}

int
wire_get_window(struct rd *r, struct wire_window *m)
{
	memset(m, 0, sizeof(*m));
	m->cols = field_u32(r);
	m->rows = field_u32(r);
	m->xpixel = field_u32(r);
	m->ypixel = field_u32(r);
	if (rd_end(r) != 0)
		wire_free_window(m);
	return r->err;
}

void
wire_free_window(struct wire_window *m)
{
	memset(m, 0, sizeof(*m));
}

int
wire_put_signal(struct buf *b, const struct wire_signal *m)
{
	field_put_text(b, m->name, WIRE_NAME_MAX);
	return b->err;
}

int
wire_get_signal(struct rd *r, struct wire_signal *m)
{
	memset(m, 0, sizeof(*m));
	m->name = rd_cstr(r, WIRE_NAME_MAX);
	if (rd_end(r) != 0)
		wire_free_signal(m);
	return r->err;
}

void
wire_free_signal(struct wire_signal *m)
{
	field_free(&m->name);
}

int
wire_put_break(struct buf *b, const struct wire_break *m)
{
	return buf_put_varint(b, m->ms);
}

int
wire_get_break(struct rd *r, struct wire_break *m)
{
	m->ms = field_u32(r);
	if (rd_end(r) != 0)
		wire_free_break(m);
	return r->err;
}

void
wire_free_break(struct wire_break *m)
{
	m->ms = 0;
}

int
wire_put_started(struct buf *b, const struct wire_started *m)
{
	field_put_bool(b, m->pty);
	return b->err;
}

int
wire_get_started(struct rd *r, struct wire_started *m)
{
	m->pty = field_bool(r);
	if (rd_end(r) != 0)
		wire_free_started(m);
	return r->err;
}

void
wire_free_started(struct wire_started *m)
{
	m->pty = false;
}

int
wire_put_failure(struct buf *b, const struct wire_failure *m)
{
	buf_put_varint(b, m->request);
	field_put_text(b, m->reason, WIRE_TEXT_MAX);
	return b->err;
}

int
wire_get_failure(struct rd *r, struct wire_failure *m)
{
	memset(m, 0, sizeof(*m));
	m->request = rd_varint(r);
	m->reason = rd_cstr(r, WIRE_TEXT_MAX);
	if (rd_end(r) != 0)
		wire_free_failure(m);
	return r->err;
}

void
wire_free_failure(struct wire_failure *m)
{
	field_free(&m->reason);
	memset(m, 0, sizeof(*m));
}

int
wire_put_exit_status(struct buf *b, const struct wire_exit_status *m)
{
	return buf_put_varint(b, m->status);
}

int
wire_get_exit_status(struct rd *r, struct wire_exit_status *m)
{
	m->status = field_u32(r);
	if (rd_end(r) != 0)
		wire_free_exit_status(m);
	return r->err;
}

void
wire_free_exit_status(struct wire_exit_status *m)
{
	m->status = 0;
}

int
wire_put_exit_signal(struct buf *b, const struct wire_exit_signal *m)
{
	field_put_text(b, m->name, WIRE_NAME_MAX);
	field_put_bool(b, m->core);
	field_put_text(b, m->text, WIRE_TEXT_MAX);
	return b->err;
}

int
wire_get_exit_signal(struct rd *r, struct wire_exit_signal *m)
{
	memset(m, 0, sizeof(*m));
	m->name = rd_cstr(r, WIRE_NAME_MAX);
	m->core = field_bool(r);
	m->text = rd_cstr(r, WIRE_TEXT_MAX);
	if (rd_end(r) != 0)
		wire_free_exit_signal(m);
	return r->err;
}

void
wire_free_exit_signal(struct wire_exit_signal *m)
{
	field_free(&m->name);
	field_free(&m->text);
	memset(m, 0, sizeof(*m));
}
