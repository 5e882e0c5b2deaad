/* Records of connections: the keys open the packets, the events are there, and nothing that goes wrong with a
 * file touches the connection. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/base/tracefile.h"
#include "quic/protect/protect.h"
#include "tests/sim/simpeer.h"

static char dir[] = "/tmp/qsh-trace-test-XXXXXX";
static unsigned lines; /* logged */

/* ---- a disk that is slow, and signals ---- */

static uint64_t ahead, write_takes; /* ns */
static bool interrupt;

uint64_t __real_clock_mono(void);
uint64_t __wrap_clock_mono(void);
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);

uint64_t
__wrap_clock_mono(void)
{
	return __real_clock_mono() + ahead;
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	ahead += write_takes;
	if (!interrupt)
		return __real_write(fd, p, n);
	interrupt = false;
	errno = EINTR;
	return -1;
}

static void
count_line(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
	lines++;
}

static const char *
in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* What is in the file, with a zero byte behind it; the caller's to free. */
static void
content(uint8_t **text, const char *name)
{
	size_t n;

	assert_int_equal(fd_read_file(in_dir(name), 1 << 27, text, &n), 0);
}

/* ---- keys ---- */

struct capture {
	uint8_t p[2048];
	size_t n;
};

/* The server's last packet with a short header. */
static bool
keep_last(void *arg, int from, uint8_t *p, size_t *n)
{
	struct capture *c = arg;

	if (from == SIM_SERVER && (p[0] & 0x80) == 0 && *n <= sizeof(c->p)) {
		memcpy(c->p, p, *n);
		c->n = *n;
	}
	return true;
}

static void
expand(uint8_t *out, uint8_t n, const uint8_t secret[32], const char *label)
{
	uint8_t info[64] = {0, n, (uint8_t)(6 + strlen(label))}, copy[32];
	gnutls_datum_t key = {copy, 32}, in = {info, (unsigned)(4 + 6 + strlen(label))};

	memcpy(copy, secret, 32);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	assert_int_equal(gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &in, out, n), 0);
}

/* As Wireshark would: header protection off, number, nonce, payload. First payload bytes to out. */
static int
open_packet(struct capture *c, size_t cidlen, const uint8_t secret[32], uint8_t *out)
{
	uint8_t key[16], hp_key[16], iv[12], mask[PROTECT_MASK];
	const size_t at = 1 + cidlen;
	struct protect_aead *a;
	struct protect_hp *h;
	size_t len, i;
	int r;

	expand(key, 16, secret, "quic key");
	expand(hp_key, 16, secret, "quic hp");
	expand(iv, 12, secret, "quic iv");
	assert_int_equal(protect_aead_new(&a, PROTECT_AES_128_GCM, key), 0);
	assert_int_equal(protect_hp_new(&h, PROTECT_AES_128_GCM, hp_key), 0);
	assert_int_equal(protect_mask(h, mask, c->p + at + 4), 0);
	c->p[0] ^= mask[0] & 0x1f;
	len = (c->p[0] & 3u) + 1;
	for (i = 0; i < len; i++) {
		c->p[at + i] ^= mask[1 + i];
		iv[12 - len + i] ^= c->p[at + i];
	}
	r = protect_open(a, out, c->p + at + len, c->n - at - len, iv, c->p, at + len);
	protect_aead_free(&a);
	protect_hp_free(&h);
	return r;
}

static void
secret_of(uint8_t out[32], const char *log, const char *label)
{
	const char *line = strstr(log, label);
	size_t n;

	assert_non_null(line);
	assert_int_equal(sodium_hex2bin(out, 32, line + strlen(label) + 1 + 64 + 1, 64, NULL, &n, NULL), 0);
	assert_int_equal(n, 32);
}

static void
record(struct simpair *p, int side, const char *keys, int qlog)
{
	int fd = keys != NULL ? tracefile_keys(in_dir(keys)) : -1;

	assert_true(keys == NULL || fd >= 0);
	assert_int_equal(quic_trace_new(&p->net.end[side].trace, fd, qlog, NULL), 0);
}

static void
test_keys(void **state)
{
	static const uint8_t text[] = "what Wireshark is to show";
	uint8_t secret[32], plain[2048];
	struct capture last = {.n = 0};
	struct simstream *st;
	uint8_t *ours, *theirs;
	struct simpair p;
	size_t i, cidlen;

	(void)state;
	protect_init(PROTECT_CPU_AES);
	simpair_init(&p, 1);
	record(&p, SIM_CLIENT, "client", -1);
	record(&p, SIM_SERVER, "server", -1);
	simpair_connect(&p);
	simpair_run(&p, NS_PER_S);
	p.net.tap = keep_last;
	p.net.tap_arg = &last;
	assert_int_equal(simpeer_open(&p.sv, true, TP_PRIO_BULK, &st), 0);
	assert_int_equal(tp_stream_write(st->s, text, sizeof(text)), sizeof(text));
	simpair_run(&p, 5 * NS_PER_MS);
	cidlen = 8; /* of our clients */
	simpair_free(&p);
	content(&ours, "client");
	content(&theirs, "server");
	assert_string_equal((const char *)ours, (const char *)theirs);
	/* The client's random is there for the reader to tell connections apart. */
	assert_true(strspn(strchr((const char *)ours, ' ') + 1, "0") < 32);
	assert_true(last.n > 0);
	secret_of(secret, (const char *)ours, "SERVER_TRAFFIC_SECRET_0");
	assert_int_equal(open_packet(&last, cidlen, secret, plain), 0);
	for (i = 0; i + sizeof(text) < last.n && memcmp(plain + i, text, sizeof(text)) != 0; i++)
		;
	assert_memory_equal(plain + i, text, sizeof(text));
	free(ours);
	free(theirs);
	protect_init(protect_cpu());
}

/* ---- qlog ---- */

static int
fresh(const char *name)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void
run_recorded(int qlog, bool slowly)
{
	struct simpair p;

	simpair_init(&p, 1);
	record(&p, SIM_CLIENT, NULL, qlog);
	simpair_connect(&p);
	simpair_run(&p, NS_PER_S);
	assert_int_equal(p.cl.done, 1);
	if (slowly)
		simpair_run(&p, NS_PER_S);
	assert_int_equal(p.cl.closed, 0);
	simpair_free(&p);
}

static void
test_qlog(void **state)
{
	const char *log;
	uint8_t *text;

	(void)state;
	run_recorded(fresh("log"), true);
	content(&text, "log");
	log = (const char *)text;
	assert_memory_equal(log, "\x1e{\"qlog_format\":\"JSON-SEQ\"", 26);
	assert_non_null(strstr(log, "\"transport:packet_sent\""));
	assert_non_null(strstr(log, "\"transport:packet_received\""));
	assert_int_equal(log[strlen(log) - 1], '\n');
	free(text);
}

static uint64_t
size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(in_dir(name), &st), 0);
	return (uint64_t)st.st_size;
}

/* Records of a size; what is in the file after so long. */
static void
test_flush(void **state)
{
	static const uint8_t r[1000];
	struct quic_trace *t;
	int i;

	(void)state;
	assert_int_equal(quic_trace_new(&t, -1, fresh("flush"), NULL), 0);
	assert_true(quic_trace_begin(t, r, 8, false));
	quic_trace_qlog(t, r, 1000, 10 * NS_PER_S); /* the first one is written at once */
	for (i = 0; i < 3; i++)
		quic_trace_qlog(t, r, 1000, 10 * NS_PER_S);
	assert_int_equal(size_of("flush"), 1000);
	quic_trace_qlog(t, r, 1000, 11 * NS_PER_S);
	assert_int_equal(size_of("flush"), 5000);
	for (i = 0; i < 66; i++)
		quic_trace_qlog(t, r, 1000, 11 * NS_PER_S);
	assert_int_equal(size_of("flush"), 70000);
	quic_trace_free(&t);
	assert_int_equal(size_of("flush"), 71000);
}

static void
test_bounded(void **state)
{
	static uint8_t r[60000];
	struct quic_trace *t;
	int i;

	(void)state;
	lines = 0;
	assert_int_equal(quic_trace_new(&t, -1, fresh("long"), NULL), 0);
	for (i = 0; i < 1200; i++)
		quic_trace_qlog(t, r, sizeof(r), 0);
	assert_int_equal(lines, 1);
	assert_true(size_of("long") <= QUIC_TRACE_MAX);
	assert_true(size_of("long") > QUIC_TRACE_MAX - sizeof(r));
	quic_trace_free(&t);
	unlink(in_dir("long"));
}

/* A disk that stops the connection for seconds at each write does so once. */
static void
test_slow(void **state)
{
	static const uint8_t r[1000];
	struct quic_trace *t;

	(void)state;
	lines = 0;
	assert_int_equal(quic_trace_new(&t, -1, fresh("slow"), NULL), 0);
	quic_trace_qlog(t, r, 1000, 10 * NS_PER_S);
	assert_true(quic_trace_begin(t, r, 8, false));
	write_takes = 3 * NS_PER_S;
	quic_trace_qlog(t, r, 1000, 11 * NS_PER_S);
	write_takes = 0;
	assert_int_equal(lines, 1);
	assert_false(quic_trace_begin(t, r, 8, false));
	quic_trace_qlog(t, r, 1000, 12 * NS_PER_S);
	quic_trace_free(&t);
	assert_int_equal(size_of("slow"), 2000);
}

/* A signal costs nothing. */
static void
test_interrupted(void **state)
{
	static const uint8_t r[1000];
	struct quic_trace *t;

	(void)state;
	lines = 0;
	assert_int_equal(quic_trace_new(&t, -1, fresh("signal"), NULL), 0);
	interrupt = true;
	quic_trace_qlog(t, r, 1000, 10 * NS_PER_S);
	assert_false(interrupt);
	assert_int_equal(size_of("signal"), 0);
	quic_trace_qlog(t, r, 1000, 10 * NS_PER_S);
	assert_int_equal(size_of("signal"), 2000);
	assert_int_equal(lines, 0);
	quic_trace_free(&t);
}

/* Secrets are as long as hashes; what is longer is none. */
static void
test_long_secret(void **state)
{
	static const uint8_t secret[65];
	struct quic_trace *t;

	(void)state;
	assert_int_equal(quic_trace_new(&t, fresh("secrets"), -1, NULL), 0);
	quic_trace_key(t, "LABEL", secret, secret, 65);
	assert_int_equal(size_of("secrets"), 0);
	quic_trace_key(t, "LABEL", secret, secret, 64);
	assert_int_equal(size_of("secrets"), 6 + 65 + 129);
	quic_trace_free(&t);
}

/* A file that takes nothing: told once, and the connection lives. */
static void
test_full(void **state)
{
	int fd;

	(void)state;
	lines = 0;
	fd = open("/dev/full", O_WRONLY);
	if (fd < 0)
		skip();
	run_recorded(fd, true);
	assert_int_equal(lines, 1);
}

/* ---- files ---- */

static void
test_key_files(void **state)
{
	int fd;

	(void)state;
	fd = tracefile_keys(in_dir("keys"));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a\n", 2), 2);
	fd_close(&fd);
	fd = tracefile_keys(in_dir("keys")); /* appends */
	assert_true(fd >= 0);
	fd_close(&fd);
	assert_int_equal(size_of("keys"), 2);
	assert_int_equal(chmod(in_dir("keys"), 0640), 0);
	assert_int_equal(tracefile_keys(in_dir("keys")), QERR_PERM);
	assert_int_equal(symlink("log", in_dir("link")), 0);
	assert_int_equal(tracefile_keys(in_dir("link")), QERR_SYS);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(tracefile_keys(in_dir("fifo")), QERR_SYS); /* and does not wait */
	assert_int_equal(tracefile_keys(in_dir("none/keys")), QERR_SYS);
}

static void
test_qlog_files(void **state)
{
	uint8_t cid[3] = {0xab, 0, 0};
	int fd, i;

	(void)state;
	assert_int_equal(mkdir(in_dir("q"), 0700), 0);
	fd = tracefile_qlog(in_dir("q"), cid, 3, "client");
	assert_true(fd >= 0);
	fd_close(&fd);
	assert_int_equal(size_of("q/ab0000-client.sqlog"), 0);
	assert_int_equal(tracefile_qlog(in_dir("q"), cid, 3, "client"), QERR_EXISTS);
	for (i = 1; i < TRACEFILE_FILES; i++) {
		cid[1] = (uint8_t)(i >> 8);
		cid[2] = (uint8_t)i;
		fd = tracefile_qlog(in_dir("q"), cid, 3, "client");
		assert_true(fd >= 0);
		fd_close(&fd);
	}
	cid[0] = 0;
	assert_int_equal(tracefile_qlog(in_dir("q"), cid, 3, "client"), QERR_TOOBIG);
	assert_int_equal(tracefile_qlog(in_dir("nowhere"), cid, 3, "client"), QERR_SYS);
}

static int
setup(void **state)
{
	(void)state;
	log_to_sink(count_line, NULL);
	return mkdtemp(dir) != NULL && quic_init() == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_qlog),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_long_secret),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_key_files),
		cmocka_unit_test(test_qlog_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
