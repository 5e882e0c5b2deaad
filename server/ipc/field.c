#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/base/err.h"
#include "server/ipc/field.h"

#define STRLIST_MAX 1024 /* entries */

enum { FAMILY_NONE = 0, FAMILY_INET = 4, FAMILY_INET6 = 6 };

static void
fail(struct buf *b, int err)
{
	if (b->err == 0)
		b->err = err;
}

static void
put_addr(struct buf *b, const struct addr *a)
{
	if (a->len == 0) {
		buf_put_u8(b, FAMILY_NONE);
	} else if (a->u.sa.sa_family == AF_INET) {
		buf_put_u8(b, FAMILY_INET);
		buf_put(b, &a->u.in.sin_addr, 4);
		buf_put_u16(b, ntohs(a->u.in.sin_port));
	} else {
		buf_put_u8(b, FAMILY_INET6);
		buf_put(b, &a->u.in6.sin6_addr, 16);
		buf_put_u16(b, ntohs(a->u.in6.sin6_port));
		buf_put_u32(b, a->u.in6.sin6_scope_id);
	}
}

static void
get_addr(struct rd *r, struct addr *a)
{
	struct bytes ip;
	uint8_t family = rd_u8(r);

	if (r->err != 0 || family == FAMILY_NONE)
		return;
	if (family == FAMILY_INET) {
		ip = rd_bytes(r, 4);
		a->u.in.sin_family = AF_INET;
		if (r->err == 0)
			memcpy(&a->u.in.sin_addr, ip.p, 4);
		a->u.in.sin_port = htons(rd_u16(r));
		a->len = sizeof(a->u.in);
	} else if (family == FAMILY_INET6) {
		ip = rd_bytes(r, 16);
		a->u.in6.sin6_family = AF_INET6;
		if (r->err == 0)
			memcpy(&a->u.in6.sin6_addr, ip.p, 16);
		a->u.in6.sin6_port = htons(rd_u16(r));
		a->u.in6.sin6_scope_id = rd_u32(r);
		a->len = sizeof(a->u.in6);
	} else {
		r->err = QERR_FORMAT;
	}
}

static void
put_cid(struct buf *b, const struct quic_cid *c)
{
	if (c->len > QUIC_CID_MAX) {
		fail(b, QERR_TOOBIG);
		return;
	}
	buf_put_str(b, c->id, c->len);
	buf_put(b, c->reset, sizeof(c->reset));
}

static void
get_cid(struct rd *r, struct quic_cid *c)
{
	struct bytes id = rd_str(r, QUIC_CID_MAX);
	struct bytes reset = rd_bytes(r, QUIC_TOKEN_LEN);

	if (r->err != 0)
		return;
	c->len = (uint8_t)id.n;
	if (id.n > 0)
		memcpy(c->id, id.p, id.n);
	memcpy(c->reset, reset.p, QUIC_TOKEN_LEN);
}

static void
put_cids(struct buf *b, const struct field *f, const struct smsg_cids *c)
{
	if (c->n < f->min || c->n > f->max) {
		fail(b, QERR_TOOBIG);
		return;
	}
	buf_put_varint(b, c->n);
	for (size_t i = 0; i < c->n; i++)
		put_cid(b, &c->v[i]);
}

static void
get_cids(struct rd *r, const struct field *f, struct smsg_cids *c)
{
	uint64_t n = rd_varint(r);

	if (r->err != 0)
		return;
	if (n < f->min || n > f->max) {
		r->err = n < f->min ? QERR_FORMAT : QERR_TOOBIG;
		return;
	}
	if (n == 0)
		return;
	c->v = calloc(n, sizeof(*c->v));
	if (c->v == NULL) {
		r->err = QERR_NOMEM;
		return;
	}
	c->n = (size_t)n;
	for (size_t i = 0; i < c->n && r->err == 0; i++)
		get_cid(r, &c->v[i]);
}

static void
put_string(struct buf *b, const struct field *f, const void *p, size_t n)
{
	if (n > f->max)
		fail(b, QERR_TOOBIG);
	else
		buf_put_str(b, p, n);
}

static void
put_strlist(struct buf *b, const struct field *f, const struct strlist *l)
{
	if (l->n > STRLIST_MAX) {
		fail(b, QERR_TOOBIG);
		return;
	}
	buf_put_varint(b, l->n);
	for (size_t i = 0; i < l->n; i++)
		put_string(b, f, l->v[i], strlen(l->v[i]));
}

static void
get_strlist(struct rd *r, const struct field *f, struct strlist *l)
{
	uint64_t n = rd_varint(r);

	if (r->err == 0 && n > STRLIST_MAX)
		r->err = QERR_TOOBIG;
	for (uint64_t i = 0; i < n && r->err == 0; i++) {
		char *s = rd_cstr(r, f->max);
		int err;

		if (s == NULL)
			break;
		err = strlist_add(l, s);
		free(s);
		if (err != 0)
			r->err = err;
	}
}

static const struct field limits_fields[] = {
    FIELD(limits, startups_begin),
    FIELD(limits, startups_rate),
    FIELD(limits, startups_full),
    FIELD(limits, unvalidated_max),
    FIELD(limits, unvalidated_ns),
    FIELD(limits, log_level),
};

static const struct field admit_fields[] = {
    FIELD(admit, slot),
    FIELD(admit, path),
    FIELD(admit, odcid),
    FIELD(admit, retry_scid),
    FIELD(admit, client_scid),
    FIELD(admit, version),
    FIELD(admit, validated),
    FIELD(admit, steered),
    FIELD_MINMAX(admit, cids, 1, SMSG_CIDS_MAX),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
put_field(struct buf *b, const struct field *f, const void *p)
{
	switch (f->kind) {
	case FIELD_U8:
		buf_put_u8(b, *(const uint8_t *)p);
		break;
	case FIELD_U32:
		buf_put_u32(b, *(const uint32_t *)p);
		break;
	case FIELD_U64:
		buf_put_u64(b, *(const uint64_t *)p);
		break;
	case FIELD_FIXED:
		buf_put(b, p, f->max);
		break;
	case FIELD_CSTR: {
		const char *s = *(char *const *)p;
		put_string(b, f, s, s != NULL ? strlen(s) : 0);
		break;
	}
	case FIELD_BYTES: {
		const struct bytes *v = p;
		put_string(b, f, v->p, v->n);
		break;
	}
	case FIELD_STRLIST:
		put_strlist(b, f, p);
		break;
	case FIELD_ADDR:
		put_addr(b, p);
		break;
	case FIELD_PATH: {
		const struct tp_path *path = p;
		put_addr(b, &path->local);
		put_addr(b, &path->remote);
		break;
	}
	case FIELD_CID:
		put_cid(b, p);
		break;
	case FIELD_CIDS:
		put_cids(b, f, p);
		break;
	case FIELD_LIMITS:
		fields_put(b, limits_fields, COUNT(limits_fields), p);
		break;
	case FIELD_ADMIT:
		fields_put(b, admit_fields, COUNT(admit_fields), p);
		break;
	}
}

static void
get_field(struct rd *r, const struct field *f, void *p)
{
	switch (f->kind) {
	case FIELD_U8:
		*(uint8_t *)p = rd_u8(r);
		break;
	case FIELD_U32:
		*(uint32_t *)p = rd_u32(r);
		break;
	case FIELD_U64:
		*(uint64_t *)p = rd_u64(r);
		break;
	case FIELD_FIXED: {
		struct bytes v = rd_bytes(r, f->max);
		if (r->err == 0)
			memcpy(p, v.p, v.n);
		break;
	}
	case FIELD_CSTR:
		*(char **)p = rd_cstr(r, f->max);
		break;
	case FIELD_BYTES:
		*(struct bytes *)p = rd_str(r, f->max);
		break;
	case FIELD_STRLIST:
		get_strlist(r, f, p);
		break;
	case FIELD_ADDR:
		get_addr(r, p);
		break;
	case FIELD_PATH: {
		struct tp_path *path = p;
		get_addr(r, &path->local);
		get_addr(r, &path->remote);
		break;
	}
	case FIELD_CID:
		get_cid(r, p);
		break;
	case FIELD_CIDS:
		get_cids(r, f, p);
		break;
	case FIELD_LIMITS:
		fields_get(
		    r, limits_fields, COUNT(limits_fields), p, sizeof(struct smsg_limits));
		break;
	case FIELD_ADMIT:
		fields_get(r, admit_fields, COUNT(admit_fields), p, sizeof(struct smsg_admit));
		break;
	}
}

static void
free_strlist(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		sodium_memzero(l->v[i], strlen(l->v[i]));
	strlist_free(l);
	*l = (struct strlist){0};
}

static void
free_field(const struct field *f, void *p)
{
	switch (f->kind) {
	case FIELD_FIXED:
		sodium_memzero(p, f->max);
		break;
	case FIELD_CSTR: {
		char **s = p;
		if (*s != NULL)
			sodium_memzero(*s, strlen(*s));
		free(*s);
		*s = NULL;
		break;
	}
	case FIELD_BYTES:
		*(struct bytes *)p = (struct bytes){0};
		break;
	case FIELD_STRLIST:
		free_strlist(p);
		break;
	case FIELD_CID:
		sodium_memzero(p, sizeof(struct quic_cid));
		break;
	case FIELD_CIDS: {
		struct smsg_cids *c = p;
		if (c->v != NULL)
			sodium_memzero(c->v, c->n * sizeof(*c->v));
		free(c->v);
		*c = (struct smsg_cids){0};
		break;
	}
	case FIELD_ADMIT:
		fields_free(admit_fields, COUNT(admit_fields), p);
		break;
	case FIELD_U8:
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_ADDR:
	case FIELD_PATH:
	case FIELD_LIMITS:
		break;
	}
}

int
fields_put(struct buf *b, const struct field *f, size_t n, const void *m)
{
	for (size_t i = 0; i < n && b->err == 0; i++)
		put_field(b, &f[i], (const uint8_t *)m + f[i].off);
	return b->err;
}

int
fields_get(struct rd *r, const struct field *f, size_t n, void *m, size_t size)
{
	memset(m, 0, size);
	for (size_t i = 0; i < n && r->err == 0; i++)
		get_field(r, &f[i], (uint8_t *)m + f[i].off);
	if (r->err != 0) {
		fields_free(f, n, m);
		memset(m, 0, size);
	}
	return r->err;
}

void
fields_free(const struct field *f, size_t n, void *m)
{
	for (size_t i = 0; i < n; i++)
		free_field(&f[i], (uint8_t *)m + f[i].off);
}
