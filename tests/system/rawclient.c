/* A QUIC client that says what it is told, byte by byte, to see how a server takes it.
 *
 *   rawclient ADDRESS PORT
 *
 * Lines on standard input: "bidi", "uni" (opens a stream), "send ID HEX", "fin ID", "reset ID CODE", "stop ID CODE",
 * "auth KEYFILE USER" (a correct AUTH_REQUEST on the control stream, stream 0), "sign KEYFILE USER" (the same, only
 * printed: "signed HEX"), "datagram HEX", "close CODE".
 * Lines on standard output: "handshake", "stream ID" (opened by us), "peer ID" (by the server), "none" (no credit), "data ID HEX",
 * "fin ID", "reset ID CODE", "stopped ID CODE", "closed BY CODE REASON". */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "common/keys/keys.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"
#include "quic/quic.h"

#define STREAMS 1024

struct raw {
	struct ev *ev;
	struct ev_io *input;
	struct tp_conn *conn;
	struct tp_stream *stream[STREAMS];
	char line[1 << 20];
	size_t len;
	bool handshake, closed;
};

static size_t
on_data(void *arg, struct tp_stream *s, const uint8_t *p, size_t n, bool fin)
{
	(void)arg;
	if (n > 0) {
		printf("data %llu ", (unsigned long long)tp_stream_id(s));
		for (size_t i = 0; i < n; i++)
			printf("%02x", p[i]);
		putchar('\n');
	}
	if (fin)
		printf("fin %llu\n", (unsigned long long)tp_stream_id(s));
	fflush(stdout);
	return n;
}

static void
on_reset(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)arg;
	printf("reset %llu %llu\n", (unsigned long long)tp_stream_id(s), (unsigned long long)code);
	fflush(stdout);
}

static void
on_stopped(void *arg, struct tp_stream *s, uint64_t code)
{
	(void)arg;
	printf("stopped %llu %llu\n", (unsigned long long)tp_stream_id(s), (unsigned long long)code);
	fflush(stdout);
}

static void
on_stream_closed(void *arg, struct tp_stream *s)
{
	struct raw *r = arg;

	for (size_t i = 0; i < STREAMS; i++)
		if (r->stream[i] == s)
			r->stream[i] = NULL;
}

static const struct tp_stream_ops stream_ops = {.data = on_data, .reset = on_reset, .stopped = on_stopped,
    .closed = on_stream_closed};

static void
keep(struct raw *r, struct tp_stream *s, const char *word)
{
	for (size_t i = 0; i < STREAMS; i++) {
		if (r->stream[i] == NULL) {
			r->stream[i] = s;
			break;
		}
	}
	printf("%s %llu\n", word, (unsigned long long)tp_stream_id(s));
	fflush(stdout);
}

static void
on_handshake(void *arg)
{
	struct raw *r = arg;

	r->handshake = true;
	puts("handshake");
	fflush(stdout);
	ev_io_set(r->input, EV_RD);
}

static void
on_peer_stream(void *arg, struct tp_stream *s)
{
	tp_stream_set_ops(s, &stream_ops, arg);
	keep(arg, s, "peer");
}

static void
on_closed(void *arg, const struct tp_close *why)
{
	struct raw *r = arg;

	printf("closed %d %llu %s\n", (int)why->by, (unsigned long long)why->code, why->reason);
	fflush(stdout);
	r->closed = true;
	ev_stop(r->ev);
}

static const struct tp_conn_ops conn_ops = {.handshake_done = on_handshake, .stream_opened = on_peer_stream,
    .closed = on_closed};

static struct tp_stream *
find(struct raw *r, const char *id)
{
	uint64_t want = strtoull(id, NULL, 10);

	for (size_t i = 0; i < STREAMS; i++)
		if (r->stream[i] != NULL && tp_stream_id(r->stream[i]) == want)
			return r->stream[i];
	return NULL;
}

static size_t
unhex(char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned v;

	for (; sscanf(hex, "%2x", &v) == 1; hex += 2)
		out[n++] = (uint8_t)v;
	return n;
}

/* A correct AUTH_REQUEST, as qsh would send it. */
static int
put_auth(struct raw *r, struct buf *msg, const char *keyfile, char *user)
{
	struct privkey key = {0};
	struct pubkey host = {0};
	struct buf m, tbs, sig, body;
	uint8_t exporter[WIRE_EXPORTER_LEN], hostpk[32];
	struct wire_auth_request req = {0};
	char service[] = WIRE_SERVICE, method[] = "publickey";
	int rc;

	buf_init(&m, 65536);
	buf_init(&tbs, 65536);
	buf_init(&sig, 65536);
	buf_init(&body, 65536);
	if ((rc = privkey_load(&key, keyfile, false, NULL, NULL)) != 0 ||
	    (rc = tp_conn_peer_key(r->conn, hostpk)) != 0 || (rc = pubkey_from_ed25519(&host, hostpk)) != 0 ||
	    (rc = tp_conn_export(r->conn, WIRE_EXPORTER_LABEL, exporter, sizeof(exporter))) != 0)
		goto out;
	req.user = user;
	req.service = service;
	req.method = method;
	req.key = (struct bytes){key.pub.blob, key.pub.bloblen};
	req.has_sig = true;
	wire_put_auth_message(&m, exporter, (struct bytes){host.blob, host.bloblen}, user, service, method, req.key);
	sshsig_tbs(&tbs, WIRE_SSHSIG_NAMESPACE, buf_data(&m), buf_len(&m));
	sshsig_sign(&sig, &key, buf_data(&tbs), buf_len(&tbs));
	req.sig = (struct bytes){buf_data(&sig), buf_len(&sig)};
	wire_put_auth_request(&body, &req);
	rc = wire_put_msg(msg, WIRE_AUTH_REQUEST, &body);
out:
	privkey_free(&key);
	pubkey_free(&host);
	buf_free(&m);
	buf_free(&tbs);
	buf_free(&sig);
	buf_free(&body);
	return rc;
}

static void
write_all(struct tp_stream *s, const uint8_t *p, size_t n)
{
	ssize_t took = tp_stream_write(s, p, n);

	if (took != (ssize_t)n)
		printf("short %zd of %zu\n", took, n);
	fflush(stdout);
}

static void
print_hex(const uint8_t *p, size_t n)
{
	printf("signed ");
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
	putchar('\n');
	fflush(stdout);
}

static void
command(struct raw *r, char *line)
{
	static uint8_t bytes[1 << 19];
	char *save = NULL, *word = strtok_r(line, " ", &save), *a = strtok_r(NULL, " ", &save),
	     *b = strtok_r(NULL, " ", &save);
	struct tp_stream *s = NULL;

	if (word == NULL)
		return;
	if (strcmp(word, "bidi") == 0 || strcmp(word, "uni") == 0) {
		if (tp_stream_open(r->conn, word[0] == 'u', &stream_ops, r, TP_PRIO_BULK, &s) == 0)
			keep(r, s, "stream");
		else
			puts("none");
		fflush(stdout);
		return;
	}
	if (strcmp(word, "close") == 0) {
		tp_conn_close(r->conn, a != NULL ? strtoull(a, NULL, 10) : 0, "");
		return;
	}
	if (strcmp(word, "datagram") == 0 && a != NULL) {
		tp_conn_datagram(r->conn, bytes, unhex(a, bytes));
		return;
	}
	if ((strcmp(word, "auth") == 0 || strcmp(word, "sign") == 0) && a != NULL && b != NULL) {
		struct buf msg;

		buf_init(&msg, 65536);
		s = find(r, "0");
		if (s == NULL || put_auth(r, &msg, a, b) != 0)
			puts("auth: no control stream or key");
		else if (word[0] == 's')
			print_hex(buf_data(&msg), buf_len(&msg));
		else
			write_all(s, buf_data(&msg), buf_len(&msg));
		buf_free(&msg);
		return;
	}
	if (a == NULL || (s = find(r, a)) == NULL) {
		puts("no such stream or command");
		fflush(stdout);
		return;
	}
	if (strcmp(word, "send") == 0 && b != NULL)
		write_all(s, bytes, unhex(b, bytes));
	else if (strcmp(word, "fin") == 0)
		tp_stream_fin(s);
	else if (strcmp(word, "reset") == 0)
		tp_stream_reset(s, b != NULL ? strtoull(b, NULL, 10) : 0);
	else if (strcmp(word, "stop") == 0)
		tp_stream_stop(s, b != NULL ? strtoull(b, NULL, 10) : 0);
}

static void
on_input(void *arg, int fd, unsigned what)
{
	struct raw *r = arg;
	ssize_t n = read(fd, r->line + r->len, sizeof(r->line) - r->len - 1);
	char *nl;

	(void)what;
	if (n <= 0) {
		ev_io_free(&r->input);
		return;
	}
	r->len += (size_t)n;
	while ((nl = memchr(r->line, '\n', r->len)) != NULL) {
		*nl = '\0';
		command(r, r->line);
		r->len -= (size_t)(nl + 1 - r->line);
		memmove(r->line, nl + 1, r->len);
	}
}

int
main(int argc, char **argv)
{
	struct raw *r = calloc(1, sizeof(*r));
	struct quic_client_cfg cfg = {0};
	int rc = 1;

	log_init("rawclient", LOG_L_INFO);
	if (r == NULL || argc != 3 || addr_parse(&cfg.remote, argv[1], (uint16_t)atoi(argv[2])) != 0) {
		fprintf(stderr, "usage: rawclient ADDRESS PORT\n");
		free(r);
		return 2;
	}
	quic_limits_client(&cfg.limits);
	if (quic_init() != 0 || ev_new(&r->ev) != 0 || ev_io_new(&r->input, r->ev, 0, 0, on_input, r) != 0 ||
	    quic_client_new(&r->conn, r->ev, &cfg, &conn_ops, r) != 0)
		fprintf(stderr, "rawclient: cannot start\n");
	else
		rc = ev_run(r->ev) != 0;
	ev_io_free(&r->input);
	tp_conn_free(&r->conn);
	ev_free(&r->ev);
	free(r);
	return rc;
}
