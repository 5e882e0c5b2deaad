/* Authentication over a transport in memory: what is signed, which key comes when, and what a server
 * may not do. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "client/auth.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/wire/wire.h"
#include "tests/unit/fake_transport.h"
#include "tests/unit/keys_fixture.h"
#include "tests/unit/loop.h"

struct fixture {
	struct ev *ev;
	struct tp_conn *client, *server;
	struct tp_stream *control;
	struct buf got;
	struct cconf conf;
	struct keyring keys;
	struct pubkey hostkey;
	struct auth *auth;
	int granted, denied;
	bool closed;
	struct tp_close why;
	char log[2048];
};

static void
on_log(void *arg, enum log_level level, const char *line)
{
	struct fixture *f = arg;
	size_t n = strlen(f->log);

	(void)level;
	snprintf(f->log + n, sizeof(f->log) - n, "%s\n", line);
}

static size_t
got_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	struct fixture *f = arg;

	(void)s, (void)fin;
	assert_int_equal(buf_put(&f->got, p, n), 0);
	return n;
}

static const struct tp_stream_ops control_ops = {.data = got_data};

static void
server_opened(void *arg, struct tp_stream *s)
{
	struct fixture *f = arg;

	assert_null(f->control);
	f->control = s;
	tp_stream_set_ops(s, &control_ops, f);
}

static void
client_closed(void *arg, const struct tp_close *why)
{
	struct fixture *f = arg;

	f->closed = true;
	f->why = *why;
}

static const struct tp_conn_ops server_ops = {.stream_opened = server_opened};
static const struct tp_conn_ops client_ops = {.closed = client_closed};

static void
on_granted(void *arg)
{
	((struct fixture *)arg)->granted++;
}

static void
on_denied(void *arg)
{
	((struct fixture *)arg)->denied++;
}

static const struct auth_ops auth_ops = {on_granted, on_denied};

static char user[] = "u", host[] = "h";

static int
setup(void **state)
{
	static const uint8_t pk[32] = {7};
	struct fixture *f = calloc(1, sizeof(*f));
	struct fake_limits limits;

	*state = f;
	fx_folder();
	log_to_sink(on_log, f);
	log_set_level(LOG_L_INFO);
	buf_init(&f->got, 1 << 20);
	f->conf = (struct cconf){.user = user, .hostname = host, .pubkey_auth = true,
	    .password_prompts = 3};
	assert_int_equal(pubkey_from_ed25519(&f->hostkey, pk), 0);
	assert_int_equal(ev_new(&f->ev), 0);
	fake_limits_default(&limits);
	assert_int_equal(fake_pair(f->ev, &limits, &limits, &f->client, &f->server), 0);
	tp_conn_set_ops(f->client, &client_ops, f);
	tp_conn_set_ops(f->server, &server_ops, f);
	fake_handshake(f->client);
	fake_handshake(f->server);
	loop_settle(f->ev);
	f->keys.v = calloc(4, sizeof(*f->keys.v));
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	auth_free(&f->auth);
	keyring_free(&f->keys);
	pubkey_free(&f->hostkey);
	tp_conn_free(&f->client);
	tp_conn_free(&f->server);
	ev_free(&f->ev);
	buf_free(&f->got);
	log_to_stderr();
	free(f);
	fx_done();
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------- */

static struct identity *
add_key(struct fixture *f, uint8_t number)
{
	struct identity *id = &f->keys.v[f->keys.n++];
	uint8_t seed[32] = {0};

	seed[0] = number;
	assert_int_equal(privkey_from_seed(&id->priv, seed), 0);
	assert_int_equal(pubkey_from_ed25519(&id->pub, id->priv.pub.pk), 0);
	id->path = str_printf("key%u", number);
	id->parsed = true;
	return id;
}

static struct identity *
add_encrypted(struct fixture *f)
{
	struct identity *id = &f->keys.v[f->keys.n++];
	char *path = strdup(fx_path("enc"));

	fx_write(path, fx_enc);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(pubkey_load(&id->pub, path, &id->comment), 0);
	id->path = path;
	return id;
}

/* A program that answers: prints the text, and counts its calls in the file "asked". */
static void
set_askpass(const char *answer)
{
	char *path = strdup(fx_path("askpass"));
	char *text = str_printf("#!/bin/sh\necho \"$1\" >>%s\necho '%s'\n", fx_path("asked"), answer);

	fx_write(path, text);
	assert_int_equal(chmod(path, 0700), 0);
	setenv("SSH_ASKPASS", path, 1);
	setenv("SSH_ASKPASS_REQUIRE", "force", 1);
	free(text);
	free(path);
}

/* ---- the server's end ----------------------------------------------------------------- */

/* The next message that the client sent; false: none. */
static bool
next_request(struct fixture *f, struct wire_auth_request *m)
{
	struct bytes body;
	struct rd r, b;

	loop_settle(f->ev);
	if (buf_len(&f->got) == 0)
		return false;
	rd_init(&r, buf_data(&f->got), buf_len(&f->got));
	assert_int_equal(rd_varint(&r), WIRE_AUTH_REQUEST);
	body = rd_str(&r, WIRE_CONTROL_MAX);
	assert_int_equal(r.err, 0);
	rd_init(&b, body.p, body.n);
	assert_int_equal(wire_get_auth_request(&b, m), 0);
	assert_string_equal(m->user, "u");
	assert_string_equal(m->service, WIRE_SERVICE);
	/* m's bytes point into got: they stay where they are until the next call */
	f->got.off += buf_len(&f->got) - r.n;
	return true;
}

static void
say(struct fixture *f, uint64_t type, const struct buf *body)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	assert_int_equal(wire_put_msg(&b, type, body), 0);
	assert_int_equal(tp_stream_write(f->control, buf_data(&b), buf_len(&b)), buf_len(&b));
	buf_free(&b);
}

static void
say_failure(struct fixture *f, const char *methods)
{
	char *s = strdup(methods);
	struct wire_auth_failure m = {.methods = s};
	struct buf b;

	buf_init(&b, 1024);
	assert_int_equal(wire_put_auth_failure(&b, &m), 0);
	say(f, WIRE_AUTH_FAILURE, &b);
	buf_free(&b);
	free(s);
	loop_settle(f->ev);
}

static void
say_pk_ok(struct fixture *f, const struct pubkey *k)
{
	struct wire_pk_ok m = {.key = {k->blob, k->bloblen}};
	struct buf b;

	buf_init(&b, 1024);
	assert_int_equal(wire_put_pk_ok(&b, &m), 0);
	say(f, WIRE_AUTH_PK_OK, &b);
	buf_free(&b);
}

static bool
answered(void *arg)
{
	struct fixture *f = arg;

	return buf_len(&f->got) > 0 || f->denied > 0 || f->closed;
}

static void
check_signature(struct fixture *f, const struct wire_auth_request *m, const struct pubkey *k)
{
	uint8_t exporter[WIRE_EXPORTER_LEN];
	struct buf msg, tbs;

	assert_true(m->has_sig);
	assert_string_equal(m->method, "publickey");
	assert_int_equal(m->key.n, k->bloblen);
	assert_memory_equal(m->key.p, k->blob, k->bloblen);
	assert_int_equal(tp_conn_export(f->server, WIRE_EXPORTER_LABEL, exporter, sizeof(exporter)), 0);
	buf_init(&msg, 65536);
	buf_init(&tbs, 65536);
	assert_int_equal(wire_put_auth_message(&msg, exporter,
	    (struct bytes){f->hostkey.blob, f->hostkey.bloblen}, "u", WIRE_SERVICE, "publickey",
	    m->key), 0);
	assert_int_equal(sshsig_tbs(&tbs, WIRE_SSHSIG_NAMESPACE, buf_data(&msg), buf_len(&msg)), 0);
	assert_int_equal(sshsig_verify(k, buf_data(&tbs), buf_len(&tbs), m->sig.p, m->sig.n), 0);
	buf_free(&msg);
	buf_free(&tbs);
}

static void
start(struct fixture *f)
{
	assert_int_equal(auth_new(&f->auth, f->ev, f->client, &f->conf, &f->keys, &f->hostkey,
	    &auth_ops, f), 0);
	loop_settle(f->ev);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void
a_key_signs_at_once(void **state)
{
	struct fixture *f = *state;
	struct identity *id = add_key(f, 1);
	struct wire_auth_request m;

	start(f);
	assert_true(next_request(f, &m));
	check_signature(f, &m, &id->pub);
	wire_free_auth_request(&m);
	assert_int_equal(f->granted, 0);
	say(f, WIRE_AUTH_OK, NULL);
	loop_settle(f->ev);
	assert_int_equal(f->granted, 1);
	assert_int_equal(f->denied, 0);
	assert_string_equal(f->log, "");
}

static void
one_key_after_the_other(void **state)
{
	struct fixture *f = *state;
	struct identity *first = add_key(f, 1), *second = add_key(f, 2);
	struct wire_auth_request m;

	start(f);
	assert_true(next_request(f, &m));
	check_signature(f, &m, &first->pub);
	wire_free_auth_request(&m);
	assert_false(next_request(f, &m)); /* waits for the answer */
	say_failure(f, "publickey");
	assert_true(next_request(f, &m));
	check_signature(f, &m, &second->pub);
	wire_free_auth_request(&m);
	say_failure(f, "publickey,password");
	assert_int_equal(f->denied, 1);
	assert_string_equal(f->log, "u@h: Permission denied (publickey,password).\n");
}

static void
keys_of_other_types_are_named_at_the_end(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	strlist_add(&f->keys.skipped, "RSA key x was not offered");
	start(f);
	assert_true(next_request(f, &m));
	assert_string_equal(m.method, "none");
	wire_free_auth_request(&m);
	say_failure(f, "publickey");
	assert_int_equal(f->denied, 1);
	assert_string_equal(f->log,
	    "RSA key x was not offered\nu@h: Permission denied (publickey).\n");
}

static void
no_more_keys_where_the_server_takes_none(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	add_key(f, 1);
	add_key(f, 2);
	start(f);
	assert_true(next_request(f, &m));
	wire_free_auth_request(&m);
	say_failure(f, "password");
	assert_int_equal(f->denied, 1);
	assert_string_equal(f->log, "u@h: Permission denied (password).\n");
	assert_false(next_request(f, &m));
}

static void
no_key_where_the_configuration_forbids_it(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	add_key(f, 1);
	f->conf.pubkey_auth = false;
	start(f);
	assert_true(next_request(f, &m));
	assert_string_equal(m.method, "none");
	assert_false(m.has_sig);
	wire_free_auth_request(&m);
}

static void
a_passphrase_is_asked_for_when_the_server_takes_the_key(void **state)
{
	struct fixture *f = *state;
	struct identity *id = add_encrypted(f);
	struct wire_auth_request m;
	char *asked;

	set_askpass(fx_enc_pass);
	start(f);
	assert_true(next_request(f, &m));
	assert_false(m.has_sig);
	assert_memory_equal(m.key.p, id->pub.blob, id->pub.bloblen);
	wire_free_auth_request(&m);
	say_pk_ok(f, &id->pub);
	assert_true(loop_until(f->ev, answered, f));
	assert_true(next_request(f, &m));
	check_signature(f, &m, &id->pub);
	wire_free_auth_request(&m);
	asked = fx_read(fx_path("asked"));
	assert_non_null(strstr(asked, "Enter passphrase for key '"));
	free(asked);
	say(f, WIRE_AUTH_OK, NULL);
	loop_settle(f->ev);
	assert_int_equal(f->granted, 1);
}

static void
no_passphrase_for_a_key_that_is_not_wanted(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	add_encrypted(f);
	set_askpass(fx_enc_pass);
	start(f);
	assert_true(next_request(f, &m));
	wire_free_auth_request(&m);
	say_failure(f, "publickey");
	assert_int_equal(f->denied, 1);
	assert_int_not_equal(fx_run("test -e %s", fx_path("asked")), 0);
}

static void
three_wrong_passphrases_and_then_the_next_key(void **state)
{
	struct fixture *f = *state;
	struct identity *enc = add_encrypted(f), *plain = add_key(f, 1);
	struct wire_auth_request m;

	set_askpass("wrong");
	start(f);
	assert_true(next_request(f, &m));
	wire_free_auth_request(&m);
	say_pk_ok(f, &enc->pub);
	assert_true(loop_until(f->ev, answered, f));
	assert_true(next_request(f, &m));
	check_signature(f, &m, &plain->pub);
	wire_free_auth_request(&m);
	assert_int_equal(fx_run("test $(wc -l <%s) = 3", fx_path("asked")), 0);
	assert_non_null(strstr(f->log, "wrong passphrase"));
}

static void
an_empty_passphrase_gives_up(void **state)
{
	struct fixture *f = *state;
	struct identity *enc = add_encrypted(f);
	struct wire_auth_request m;

	set_askpass("");
	start(f);
	assert_true(next_request(f, &m));
	wire_free_auth_request(&m);
	say_pk_ok(f, &enc->pub);
	assert_true(loop_until(f->ev, answered, f));
	assert_true(next_request(f, &m)); /* for the list of methods */
	assert_string_equal(m.method, "none");
	wire_free_auth_request(&m);
	assert_int_equal(fx_run("test $(wc -l <%s) = 1", fx_path("asked")), 0);
}

static void
nothing_is_asked_in_a_batch(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	add_encrypted(f);
	f->conf.batch_mode = true;
	start(f);
	assert_true(next_request(f, &m));
	assert_string_equal(m.method, "none");
	wire_free_auth_request(&m);
}

/* ---- a server that breaks the rules ---------------------------------------------------- */

static void
expect_broken(struct fixture *f)
{
	loop_settle(f->ev);
	assert_true(f->closed);
	assert_int_equal(f->why.by, TP_CLOSED_LOCAL);
	assert_int_equal(f->why.code, TP_E_PROTOCOL);
	assert_int_equal(f->granted, 0);
}

static void
consent_for_another_key(void **state)
{
	struct fixture *f = *state;
	struct wire_auth_request m;

	add_encrypted(f);
	start(f);
	assert_true(next_request(f, &m));
	wire_free_auth_request(&m);
	say_pk_ok(f, &f->hostkey);
	expect_broken(f);
}

static void
consent_that_was_not_asked_for(void **state)
{
	struct fixture *f = *state;
	struct identity *id = add_key(f, 1);

	start(f);
	say_pk_ok(f, &id->pub);
	expect_broken(f);
}

static void
success_for_a_mere_query(void **state)
{
	struct fixture *f = *state;

	add_encrypted(f);
	start(f);
	say(f, WIRE_AUTH_OK, NULL);
	expect_broken(f);
}

static void
two_answers(void **state)
{
	struct fixture *f = *state;
	struct identity *id;

	id = add_encrypted(f);
	set_askpass(fx_enc_pass);
	start(f);
	say_pk_ok(f, &id->pub);
	say_pk_ok(f, &id->pub);
	loop_settle(f->ev);
	assert_true(f->closed);
	assert_int_equal(f->why.code, TP_E_PROTOCOL);
}

static void
anything_after_success(void **state)
{
	struct fixture *f = *state;

	add_key(f, 1);
	start(f);
	say(f, WIRE_AUTH_OK, NULL);
	loop_settle(f->ev);
	assert_int_equal(f->granted, 1);
	say_failure(f, "publickey");
	assert_true(f->closed);
	assert_int_equal(f->why.code, TP_E_PROTOCOL);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_key_signs_at_once),
		T(one_key_after_the_other),
		T(keys_of_other_types_are_named_at_the_end),
		T(no_more_keys_where_the_server_takes_none),
		T(no_key_where_the_configuration_forbids_it),
		T(a_passphrase_is_asked_for_when_the_server_takes_the_key),
		T(no_passphrase_for_a_key_that_is_not_wanted),
		T(three_wrong_passphrases_and_then_the_next_key),
		T(an_empty_passphrase_gives_up),
		T(nothing_is_asked_in_a_batch),
		T(consent_for_another_key),
		T(consent_that_was_not_asked_for),
		T(success_for_a_mere_query),
		T(two_answers),
		T(anything_after_success),
	};

	log_init("", LOG_L_INFO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
