/* known_hosts: which line speaks of a host, and what it says of a key. */
#include "tests/unit/keys_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/err.h"
#include "common/keys/knownhosts.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtLAAG86h+gOVQoUB/Doa/yzFd+Po4M8CSDkiq7Y9yU"
/* "h.example", hashed by ssh-keygen -H. */
#define HASHED "|1|0dvQIWxFKbgJyzq4+Sgldfz0Zz4=|1Sn4pL/zxRdeuI99ZqhlW3/1h7A="

static struct pubkey key_a;

static int
setup(void **state)
{
	(void)state;
	return pubkey_from_text(&key_a, KEY_A, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	pubkey_free(&key_a);
	return 0;
}

/* Looks key A up. */
static struct kh_result
look(const char *text, const char *host, const char *ip)
{
	struct kh_result r;

	fx_log_start();
	assert_int_equal(kh_check_text("kh", (const uint8_t *)text, strlen(text), host, ip, &key_a, &r),
	    0);
	return r;
}

static void
says(const char *text, const char *host, enum kh_status want, unsigned long line)
{
	struct kh_result r = look(text, host, NULL);

	if (r.status != want || r.line != line)
		print_error("%s for %s\n", text, host);
	assert_int_equal(r.status, want);
	assert_int_equal(r.line, line);
	if (line)
		assert_string_equal(r.path, "kh");
	else
		assert_null(r.path);
	kh_result_free(&r);
}

static void
names(void **state)
{
	static const struct {
		const char *host;
		unsigned port;
		const char *want;
	} rows[] = {{"Host.Example", 22, "host.example"}, {"h", 0, "h"}, {"H", 2222, "[h]:2222"},
	    {"::1", 2222, "[::1]:2222"}, {"fe80::1%eth0", 22, "fe80::1%eth0"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *s = kh_host_name(rows[i].host, rows[i].port);
		assert_string_equal(s, rows[i].want);
		free(s);
	}
}

static void
host_patterns(void **state)
{
	static const struct {
		const char *hosts, *host;
		int want;
	} rows[] = {
		{"a", "a", 1}, {"A", "a", 1}, {"a", "b", 0}, {"a,b", "b", 1}, {"a", "a.b", 0},
		{"*.b", "a.b", 1}, {"a?", "ab", 1}, {"a?", "a", 0}, {"*", "x", 1},
		{"*,!x", "x", -1}, {"!x,*", "x", -1}, {"*,!x", "y", 1}, {"!x", "y", 0},
		{"a", "[a]:2222", 0}, {"[a]:2222", "[a]:2222", 1}, {"[a]:2222", "a", 0},
		{"[*.b]:2222", "[a.b]:2222", 1}, {"192.0.2.*", "192.0.2.7", 1},
		{"*", "[a]:2222", 1}, {"", "a", 0}, {",", "a", 0},
		{"|1|", "a", QERR_FORMAT}, {"|1|AAAA|AAAA", "a", QERR_FORMAT},
		{"|2|0dvQIWxFKbgJyzq4+Sgldfz0Zz4=|1Sn4pL/zxRdeuI99ZqhlW3/1h7A=", "a", QERR_FORMAT},
		{"|1|0dvQIWxFKbgJyzq4+Sgldfz0Zz4=|", "a", QERR_FORMAT},
		{"|1|0dvQIWxFKbgJyzq4+Sgldfz0Zz4=", "a", QERR_FORMAT},
		{HASHED ",a", "a", QERR_FORMAT}, {HASHED, "a", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int m = kh_match_hosts(rows[i].hosts, rows[i].host);
		if (m != rows[i].want)
			print_error("%s of %s\n", rows[i].hosts, rows[i].host);
		assert_int_equal(m, rows[i].want);
	}
}

static void
hashed_by_openssh(void **state)
{
	(void)state;
	assert_int_equal(kh_match_hosts(HASHED, "h.example"), 1);
	assert_int_equal(kh_match_hosts(HASHED, "h.exampl"), 0);
	says(HASHED " " KEY_A "\n", "h.example", KH_OK, 1);
	says(HASHED " " KEY_B "\n", "h.example", KH_CHANGED, 1);
}

static void
statuses(void **state)
{
	(void)state;
	says("", "h", KH_NEW, 0);
	says("\n\n# c\n", "h", KH_NEW, 0);
	says("x " KEY_A "\n", "h", KH_NEW, 0);
	says("h " KEY_A "\n", "h", KH_OK, 1);
	says("h " KEY_A "\n", "H", KH_OK, 1); /* a HostKeyAlias as it was written */
	says("H " KEY_A, "h", KH_OK, 1);
	says("h " KEY_A " comment # and more\r\n", "h", KH_OK, 1);
	says("  \th \t " KEY_A "\n", "h", KH_OK, 1);
	says("h " KEY_B "\n", "h", KH_CHANGED, 1);
	says("h " KEY_B "\nh " KEY_B "\n", "h", KH_CHANGED, 2); /* ssh names the last */
	says("h " KEY_B "\nh " KEY_A "\n", "h", KH_OK, 2);
	says("h " KEY_A "\nh " KEY_B "\n", "h", KH_OK, 1);
	says("*,!h " KEY_A "\n", "h", KH_NEW, 0);
	says("[h]:2222 " KEY_A "\n", "[h]:2222", KH_OK, 1);
	says("h " KEY_A "\n", "[h]:2222", KH_NEW, 0);
}

static void
other_types(void **state)
{
	char text[2048];

	(void)state;
	snprintf(text, sizeof(text), "h %s\nh %s\n", fx_rsa_pub, fx_ecdsa_pub);
	struct kh_result r = look(text, "h", NULL);
	assert_int_equal(r.status, KH_OTHER);
	assert_string_equal(r.other_type, "RSA");
	assert_int_equal(r.line, 1);
	assert_null(r.fingerprint);
	kh_result_free(&r);
	assert_null(r.other_type);
	snprintf(text, sizeof(text), "h %s\nh " KEY_B "\n", fx_rsa_pub);
	r = look(text, "h", NULL);
	assert_int_equal(r.status, KH_CHANGED); /* one of our type counts for more */
	assert_int_equal(r.line, 2);
	assert_null(r.other_type);
	char *fp = pubkey_fingerprint(&key_a, NULL);
	assert_string_not_equal(r.fingerprint, fp);
	free(fp);
	kh_result_free(&r);
}

static void
markers(void **state)
{
	(void)state;
	says("@revoked h " KEY_A "\n", "h", KH_REVOKED, 1);
	says("@revoked * " KEY_A "\nh " KEY_A "\n", "h", KH_REVOKED, 1);
	says("h " KEY_A "\n@revoked\th\t" KEY_A "\n", "h", KH_REVOKED, 2);
	says("@revoked h " KEY_B "\n", "h", KH_NEW, 0);
	says("@revoked h " KEY_B "\nh " KEY_A "\n", "h", KH_OK, 2);
	says("@revoked x " KEY_A "\nh " KEY_A "\n", "h", KH_OK, 2);
	says("@cert-authority h " KEY_A "\n", "h", KH_NEW, 0);
	says("@cert-authority * " KEY_B "\n", "h", KH_NEW, 0);
	says("@revoked @cert-authority h " KEY_A "\n", "h", KH_NEW, 0);
	assert_string_equal(fx_log(), "kh:1: line ignored: unknown marker\n");
	says("@frob h " KEY_A "\nh " KEY_A "\n", "h", KH_OK, 2);
	assert_string_equal(fx_log(), "kh:1: line ignored: unknown marker\n");
}

static void
malformed(void **state)
{
	(void)state;
	says("h\nh " KEY_A "\n", "h", KH_OK, 2);
	assert_string_equal(fx_log(), "kh:1: line ignored: no key behind the host names\n");
	says("h ssh-ed25519\n", "h", KH_NEW, 0);
	assert_string_equal(fx_log(), "kh:1: line ignored: malformed key\n");
	says("h ssh-rsa AAAAC3NzaC1lZDI1NTE5\n", "h", KH_NEW, 0);
	assert_string_equal(fx_log(), "kh:1: line ignored: malformed key\n");
	says("h 1024 35 1234567890\n", "h", KH_NEW, 0); /* of SSH 1 */
	assert_string_equal(fx_log(), "kh:1: line ignored: malformed key\n");
	says("|1|x|y " KEY_A "\n", "h", KH_NEW, 0);
	assert_string_equal(fx_log(), "kh:1: line ignored: malformed hashed host name\n");
	says("x garbage\n", "h", KH_NEW, 0); /* not our host: not looked at */
	assert_string_equal(fx_log(), "");
	struct kh_result r;
	static const char nul[] = "h " KEY_A "\0\nh " KEY_B;
	fx_log_start();
	assert_int_equal(kh_check_text("kh", (const uint8_t *)nul, sizeof(nul) - 1, "h", NULL, &key_a,
			     &r), 0);
	assert_int_equal(r.status, KH_CHANGED);
	assert_int_equal(r.line, 2);
	assert_string_equal(fx_log(), "kh:1: line ignored: zero byte inside\n");
	kh_result_free(&r);
}

static void
addresses(void **state)
{
	static const struct {
		const char *text;
		enum kh_status host, ip;
		unsigned long line, ip_line;
	} rows[] = {
		{"h,192.0.2.1 " KEY_A, KH_OK, KH_OK, 1, 1},
		{"h " KEY_A, KH_OK, KH_NEW, 1, 0},
		{"h " KEY_A "\n192.0.2.1 " KEY_B, KH_OK, KH_CHANGED, 1, 2},
		{"192.0.2.1 " KEY_A, KH_NEW, KH_OK, 0, 1},
		{"h " KEY_B "\n192.0.2.1 " KEY_A, KH_CHANGED, KH_OK, 1, 2},
		{"h " KEY_A "\n@revoked 192.0.2.* " KEY_A, KH_REVOKED, KH_REVOKED, 2, 2},
		{"h " KEY_B "\n@revoked 192.0.2.* " KEY_A, KH_REVOKED, KH_REVOKED, 2, 2},
		{"@revoked h " KEY_A "\n192.0.2.1 " KEY_A, KH_REVOKED, KH_OK, 1, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kh_result r = look(rows[i].text, "h", "192.0.2.1");
		assert_int_equal(r.status, rows[i].host);
		assert_int_equal(r.ip_status, rows[i].ip);
		assert_int_equal(r.line, rows[i].line);
		assert_int_equal(r.ip_line, rows[i].ip_line);
		assert_int_equal(r.ip_path != NULL, rows[i].ip_line != 0);
		kh_result_free(&r);
	}
}

static void
several_files(void **state)
{
	struct kh_result r;

	(void)state;
	fx_write(fx_path("one"), "h " KEY_B "\n");
	fx_write(fx_path("two"), "\nh " KEY_A "\n");
	fx_write(fx_path("three"), "@revoked * " KEY_A "\n");
	const char *files[] = {fx_path("one"), fx_path("none"), fx_path("two"), fx_path("three")};
	assert_int_equal(kh_check(files, 1, "h", NULL, &key_a, &r), 0);
	assert_int_equal(r.status, KH_CHANGED);
	kh_result_free(&r);
	assert_int_equal(kh_check(files, 3, "h", NULL, &key_a, &r), 0);
	assert_int_equal(r.status, KH_OK); /* in any file */
	assert_string_equal(r.path, files[2]);
	assert_int_equal(r.line, 2);
	kh_result_free(&r);
	assert_int_equal(kh_check(files, 4, "h", NULL, &key_a, &r), 0);
	assert_int_equal(r.status, KH_REVOKED);
	assert_string_equal(r.path, files[3]);
	kh_result_free(&r);
	assert_int_equal(kh_check(NULL, 0, "h", NULL, &key_a, &r), 0);
	assert_int_equal(r.status, KH_NEW);
	kh_result_free(&r);
	const char *odd[] = {"/dev/null", fx_path("")}; /* a folder */
	assert_int_equal(kh_check(odd, 1, "h", NULL, &key_a, &r), 0);
	fx_log_start();
	assert_int_equal(kh_check(odd, 2, "h", NULL, &key_a, &r), QERR_SYS);
	assert_non_null(strstr(fx_log(), "cannot read known hosts file"));
}

static void
ports(void **state)
{
	static const struct {
		const char *text;
		unsigned port;
		enum kh_status want;
		unsigned long line;
	} rows[] = {
		{"h " KEY_A, 22, KH_OK, 1},
		{"[h]:2222 " KEY_A, 2222, KH_OK, 1},
		{"[h]:2222 " KEY_A, 22, KH_NEW, 0},
		{"[h]:2222 " KEY_A, 2223, KH_NEW, 0},
		{"h " KEY_A, 2222, KH_OK, 1},
		{"h " KEY_B, 2222, KH_NEW, 0}, /* no contradiction: another port, another server */
		{"h " KEY_A "\n[h]:2222 " KEY_B, 2222, KH_CHANGED, 2},
		{"@revoked h " KEY_A, 2222, KH_REVOKED, 1},
	};
	const char *path = fx_path("ports");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kh_result r;
		fx_write(path, rows[i].text);
		assert_int_equal(kh_check_host(&path, 1, "H", NULL, rows[i].port, &key_a, &r), 0);
		assert_int_equal(r.status, rows[i].want);
		assert_int_equal(r.line, rows[i].line);
		assert_int_equal(r.path != NULL, rows[i].line != 0);
		kh_result_free(&r);
	}
	struct kh_result r;
	fx_write(path, "[h]:2222,[192.0.2.1]:2222 " KEY_A "\n");
	assert_int_equal(kh_check_host(&path, 1, "h", "192.0.2.1", 2222, &key_a, &r), 0);
	assert_int_equal(r.status, KH_OK);
	assert_int_equal(r.ip_status, KH_OK);
	kh_result_free(&r);
}

static void
adding(void **state)
{
	const char *path = fx_path("new/known_hosts");
	struct kh_result r;
	struct stat st;

	(void)state;
	assert_int_equal(kh_add(path, "[H]:2222", &key_a, false), 0);
	assert_int_equal(stat(fx_path("new"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	char *text = fx_read(path);
	assert_string_equal(text, "[h]:2222 " KEY_A "\n");
	free(text);
	fx_write(path, "x y z"); /* a line without an end stays a line of its own */
	assert_int_equal(kh_add(path, "Secret", &key_a, true), 0);
	assert_int_equal(kh_add(path, "secret2", &key_a, true), 0);
	text = fx_read(path);
	assert_memory_equal(text, "x y z\n|1|", 9);
	assert_null(strstr(text, "ecret"));
	free(text);
	assert_int_equal(kh_check(&path, 1, "secret", NULL, &key_a, &r), 0);
	assert_int_equal(r.status, KH_OK);
	assert_int_equal(r.line, 2);
	kh_result_free(&r);
	assert_int_equal(kh_check(&path, 1, "secret2", NULL, &key_a, &r), 0);
	assert_int_equal(r.line, 3);
	kh_result_free(&r);
	assert_int_equal(kh_add(fx_path("no/such/known_hosts"), "h", &key_a, false), QERR_SYS);
	static const char *const bad[] = {"", "a b", "a,b", "*", "h?", "!h", "@revoked", "#h", "|1|a|b",
	    "a\nb", "a\tb", "\x7f", "\xc3\xa9", "a\"b", "a\\b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(kh_add(fx_path("bad"), bad[i], &key_a, false), QERR_INVAL);
	assert_int_equal(stat(fx_path("bad"), &st), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(host_patterns),
		cmocka_unit_test(hashed_by_openssh),
		cmocka_unit_test(statuses),
		cmocka_unit_test(other_types),
		cmocka_unit_test(markers),
		cmocka_unit_test(malformed),
		cmocka_unit_test(addresses),
		cmocka_unit_test(several_files),
		cmocka_unit_test(ports),
		cmocka_unit_test(adding),
	};
	fx_folder();
	int failed = cmocka_run_group_tests(tests, setup, teardown);
	fx_done();
	return failed;
}
