/* Host keys: decisions and texts; keys of the user: order; questions: which way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/addkeys.h"
#include "client/ask.h"
#include "client/hostkey.h"
#include "client/identity.h"
#include "common/base/err.h"

#define FP "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s"

static void
decisions(void **state)
{
	static const struct {
		enum kh_status status;
		int strict;
		bool batch;
		enum hostkey_action action;
	} cases[] = {
		{KH_OK, CCONF_SHK_YES, true, HOSTKEY_ACCEPT},
		{KH_OK, CCONF_SHK_NO, false, HOSTKEY_ACCEPT},
		{KH_NEW, CCONF_SHK_YES, false, HOSTKEY_REFUSE},
		{KH_NEW, CCONF_SHK_ASK, false, HOSTKEY_ASK},
		{KH_NEW, CCONF_SHK_ASK, true, HOSTKEY_REFUSE},
		{KH_NEW, CCONF_SHK_ACCEPT_NEW, true, HOSTKEY_ADD},
		{KH_NEW, CCONF_SHK_NO, true, HOSTKEY_ADD},
		{KH_NEW, CCONF_SHK_OFF, true, HOSTKEY_ADD},
		{KH_OTHER, CCONF_SHK_YES, false, HOSTKEY_REFUSE},
		{KH_OTHER, CCONF_SHK_ASK, false, HOSTKEY_ASK},
		{KH_OTHER, CCONF_SHK_ACCEPT_NEW, false, HOSTKEY_ASK},
		{KH_OTHER, CCONF_SHK_ACCEPT_NEW, true, HOSTKEY_REFUSE},
		{KH_OTHER, CCONF_SHK_NO, true, HOSTKEY_ADD},
		{KH_CHANGED, CCONF_SHK_YES, false, HOSTKEY_REFUSE},
		{KH_CHANGED, CCONF_SHK_ASK, false, HOSTKEY_REFUSE},
		{KH_CHANGED, CCONF_SHK_ACCEPT_NEW, false, HOSTKEY_REFUSE},
		{KH_CHANGED, CCONF_SHK_NO, false, HOSTKEY_ACCEPT},
		{KH_CHANGED, CCONF_SHK_OFF, true, HOSTKEY_ACCEPT},
		{KH_REVOKED, CCONF_SHK_NO, false, HOSTKEY_REFUSE},
		{KH_REVOKED, CCONF_SHK_ASK, false, HOSTKEY_REFUSE},
		{KH_NEW, 99, false, HOSTKEY_REFUSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(hostkey_decide(cases[i].status, cases[i].strict, cases[i].batch),
		    cases[i].action);
}

static void
answers(void **state)
{
	(void)state;
	assert_int_equal(hostkey_answer("yes", FP), 1);
	assert_int_equal(hostkey_answer(" YES \t", FP), 1);
	assert_int_equal(hostkey_answer(FP, FP), 1);
	assert_int_equal(hostkey_answer("  " FP " ", FP), 1);
	assert_int_equal(hostkey_answer("no", FP), 0);
	assert_int_equal(hostkey_answer("No", FP), 0);
	assert_int_equal(hostkey_answer("", FP), 0);
	assert_int_equal(hostkey_answer(NULL, FP), 0);
	assert_int_equal(hostkey_answer("y", FP), -1);
	assert_int_equal(hostkey_answer("n", FP), -1);
	assert_int_equal(hostkey_answer("yes please", FP), -1);
	assert_int_equal(hostkey_answer("SHA256:", FP), -1);
	assert_int_equal(hostkey_answer(FP "x", FP), -1);
}

static char path[] = "/home/u/.ssh/known_hosts", rsa[] = "RSA", old[] = "SHA256:old";

static struct hostkey_facts
facts(const struct kh_result *found)
{
	return (struct hostkey_facts){.host = "[h]:2222", .ip = "[192.0.2.1]:2222",
	    .type = "ED25519", .fingerprint = FP, .user_file = path, .found = found};
}

static const char *
text(struct buf *b)
{
	buf_put_u8(b, 0);
	return (const char *)buf_data(b);
}

static void
the_question(void **state)
{
	struct kh_result found = {.status = KH_NEW};
	struct hostkey_facts f = facts(&found);
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	assert_int_equal(hostkey_question(&b, &f), 0);
	assert_string_equal(text(&b),
	    "The authenticity of host '[h]:2222 ([192.0.2.1]:2222)' can't be established.\n"
	    "ED25519 key fingerprint is " FP ".\n"
	    "This key is not known by any other names.\n"
	    "Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
	buf_reset(&b);
	f.names = "    ~/.ssh/known_hosts:3: other\n";
	f.art = "+--+\n|  |\n+--+\n";
	found = (struct kh_result){.status = KH_OTHER, .path = path, .line = 7, .other_type = rsa};
	assert_int_equal(hostkey_question(&b, &f), 0);
	assert_non_null(strstr(text(&b), "is " FP ".\n+--+\n|  |\n+--+\nThis host is known by"));
	assert_non_null(strstr((const char *)buf_data(&b), "RSA, in /home/u/.ssh/known_hosts:7"));
	assert_non_null(strstr((const char *)buf_data(&b),
	    "other names/addresses:\n    ~/.ssh/known_hosts:3: other\nAre you sure"));
	buf_free(&b);
}

static void
a_changed_key(void **state)
{
	struct kh_result found = {.status = KH_CHANGED, .path = path, .line = 3, .fingerprint = old};
	struct hostkey_facts f = facts(&found);
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	hostkey_warning(&b, &f, CCONF_SHK_ASK, false);
	assert_non_null(strstr(text(&b),
	    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"));
	assert_non_null(strstr((const char *)buf_data(&b), FP ".\n"));
	assert_non_null(strstr((const char *)buf_data(&b), "SHA256:old.\n"));
	assert_non_null(strstr((const char *)buf_data(&b),
	    "Offending ED25519 key in /home/u/.ssh/known_hosts:3\n"));
	assert_non_null(strstr((const char *)buf_data(&b),
	    "  ssh-keygen -f \"/home/u/.ssh/known_hosts\" -R \"[h]:2222\"\n"));
	assert_non_null(strstr((const char *)buf_data(&b),
	    "Host key for [h]:2222 has changed and you have requested strict checking.\n"));
	buf_reset(&b);
	hostkey_warning(&b, &f, CCONF_SHK_NO, true);
	assert_null(strstr(text(&b), "requested strict checking"));
	assert_non_null(strstr((const char *)buf_data(&b), "HAS CHANGED"));
	buf_free(&b);
}

static void
other_warnings(void **state)
{
	struct kh_result found = {.status = KH_NEW};
	struct hostkey_facts f = facts(&found);
	struct buf b;

	(void)state;
	buf_init(&b, 8192);
	hostkey_warning(&b, &f, CCONF_SHK_YES, false);
	assert_string_equal(text(&b),
	    "No ED25519 host key is known for [h]:2222 and you have requested strict checking.\n");
	buf_reset(&b);
	hostkey_warning(&b, &f, CCONF_SHK_ASK, false);
	assert_string_equal(text(&b), "No ED25519 host key is known for [h]:2222, and there is nobody to ask: "
				      "its fingerprint is " FP ".\n");
	buf_reset(&b);
	hostkey_warning(&b, &f, CCONF_SHK_ASK, true);
	assert_string_equal(text(&b), "");
	buf_reset(&b);
	found = (struct kh_result){.status = KH_REVOKED, .path = path, .line = 9};
	hostkey_warning(&b, &f, CCONF_SHK_NO, false);
	assert_non_null(strstr(text(&b), "REVOKED HOST KEY DETECTED"));
	assert_non_null(strstr((const char *)buf_data(&b), "/home/u/.ssh/known_hosts:9"));
	buf_reset(&b);
	found = (struct kh_result){.status = KH_OTHER, .path = path, .line = 2, .other_type = rsa};
	hostkey_warning(&b, &f, CCONF_SHK_YES, false);
	assert_non_null(strstr(text(&b), "RSA, /home/u/.ssh/known_hosts:2"));
	assert_null(strstr((const char *)buf_data(&b), "CHANGED"));
	buf_free(&b);
}

static void
other_names(void **state)
{
	static const uint8_t pk[32] = {1, 2, 3}, other_pk[32] = {9};
	struct pubkey k, other;
	char *line, *other_line;
	struct buf b, t;

	(void)state;
	assert_int_equal(pubkey_from_ed25519(&k, pk), 0);
	assert_int_equal(pubkey_from_ed25519(&other, other_pk), 0);
	line = pubkey_to_text(&k);
	other_line = pubkey_to_text(&other);
	buf_init(&t, 8192);
	buf_printf(&t, "# %s\nfirst %s comment\nfirst %s\n@revoked x %s\n", line, line, other_line, line);
	buf_printf(&t, "|1|aa|bb %s\r\n\nbad\n  a,b\t%s", line, line);
	buf_put_u8(&t, 0);
	buf_init(&b, 8192);
	assert_int_equal(hostkey_other_names(&b, "kh", (const char *)buf_data(&t), &k), 0);
	assert_string_equal(text(&b),
	    "    kh:2: first\n    kh:5: [hashed name]\n    kh:8: a,b\n");
	buf_free(&b);
	buf_free(&t);
	free(line);
	free(other_line);
	pubkey_free(&k);
	pubkey_free(&other);
}

/* ---- the user's keys ----------------------------------------------------------- */

static struct identity
identity(uint8_t number, const char *file)
{
	uint8_t pk[32] = {0};
	struct identity id = {0};

	pk[0] = number;
	assert_int_equal(pubkey_from_ed25519(&id.pub, pk), 0);
	id.path = file ? strdup(file) : NULL;
	id.in_agent = file == NULL;
	return id;
}

/* files and agent: digits name keys; the result: digits, with a letter: a(gent), f(ile), b(oth). */
static void
order(const char *files, const char *agent, bool only_files, const char *want)
{
	struct identity f[8], a[8], out[16];
	size_t nf = 0, na = 0, n;
	char got[40] = "";

	for (; *files; files++)
		f[nf++] = identity((uint8_t)*files, "file");
	for (; *agent; agent++)
		a[na++] = identity((uint8_t)*agent, NULL);
	n = identity_order(f, nf, a, na, only_files, out);
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(got);

		got[at] = (char)out[i].pub.pk[0];
		got[at + 1] = out[i].path ? out[i].in_agent ? 'b' : 'f' : 'a';
		got[at + 2] = 0;
		identity_free(&out[i]);
	}
	assert_string_equal(got, want);
	for (size_t i = 0; i < nf; i++)
		assert_null(f[i].pub.blob);
	for (size_t i = 0; i < na; i++)
		assert_null(a[i].pub.blob);
}

static void
key_order(void **state)
{
	(void)state;
	order("", "", false, "");
	order("12", "", false, "1f2f");
	order("", "34", false, "3a4a");
	order("12", "34", false, "3a4a1f2f");
	order("12", "32", false, "2b3a1f");
	order("12", "321", false, "2b1b3a");
	order("12", "321", true, "2b1b");
	order("12", "34", true, "1f2f");
}

static void
add_keys_to_agent(void **state)
{
	static const struct {
		const char *value;
		struct addkeys want;
		int rc;
	} cases[] = {
		{NULL, {0}, 0},
		{"no", {0}, 0},
		{"yes", {.add = true}, 0},
		{"ask", {.add = true, .ask = true}, 0},
		{"confirm", {.add = true, .confirm = true}, 0},
		{"1h30m", {.add = true, .lifetime = 5400}, 0},
		{"confirm 10m", {.add = true, .confirm = true, .lifetime = 600}, 0},
		{"confirmed", {0}, QERR_FORMAT},
		{"0", {0}, QERR_FORMAT},
		{"maybe", {0}, QERR_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addkeys k;

		assert_int_equal(addkeys_parse(&k, cases[i].value), cases[i].rc);
		assert_int_equal(k.add, cases[i].want.add);
		assert_int_equal(k.ask, cases[i].want.ask);
		assert_int_equal(k.confirm, cases[i].want.confirm);
		assert_int_equal(k.lifetime, cases[i].want.lifetime);
	}
}

static void
where_a_question_goes(void **state)
{
	static const struct {
		struct ask_env env;
		enum ask_way way;
	} cases[] = {
		{{NULL, false, true}, ASK_TTY},
		{{NULL, true, true}, ASK_TTY},
		{{NULL, true, false}, ASK_PROGRAM},
		{{NULL, false, false}, ASK_NOWHERE},
		{{"never", true, false}, ASK_NOWHERE},
		{{"never", true, true}, ASK_TTY},
		{{"prefer", true, true}, ASK_PROGRAM},
		{{"prefer", false, true}, ASK_TTY},
		{{"force", false, true}, ASK_PROGRAM},
		{{"force", false, false}, ASK_PROGRAM},
		{{"other", true, true}, ASK_TTY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(ask_way(&cases[i].env), cases[i].way);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions),
		cmocka_unit_test(answers),
		cmocka_unit_test(the_question),
		cmocka_unit_test(a_changed_key),
		cmocka_unit_test(other_warnings),
		cmocka_unit_test(other_names),
		cmocka_unit_test(key_order),
		cmocka_unit_test(add_keys_to_agent),
		cmocka_unit_test(where_a_question_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
