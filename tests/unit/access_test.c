/* Who may log in from where: AllowUsers and its kin, AuthenticationMethods, what key lines grant, what a
 * request comes to, and how long a failure takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "server/monitor/access.h"
#include "server/monitor/decide.h"
#include "server/monitor/delay.h"
#include "server/monitor/grant.h"
#include "server/monitor/methods.h"
#include "server/monitor/rate.h"

static struct addr
addr(const char *ip)
{
	struct addr a;
	assert_int_equal(addr_parse(&a, ip, 1234), 0);
	return a;
}

static void
list(struct strlist *l, const char *words)
{
	char *copy = strdup(words), *save = NULL;
	for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		assert_int_equal(strlist_add(l, p), 0);
	free(copy);
}

/* ---- patterns --------------------------------------------------------------------------- */

static void
test_match_user(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *user, *ip;
		int want;
	} rows[] = {
	    {"alice", "alice", "192.0.2.1", 1},
	    {"alice", "alicex", "192.0.2.1", 0},
	    {"al*", "alice", "192.0.2.1", 1},
	    {"*", "alice", "192.0.2.1", 1},
	    {"Alice", "alice", "192.0.2.1", 0},
	    {"alice@192.0.2.1", "alice", "192.0.2.1", 1},
	    {"alice@192.0.2.1", "alice", "192.0.2.2", 0},
	    {"alice@192.0.2.*", "alice", "192.0.2.2", 1},
	    {"alice@192.0.2.0/24", "alice", "192.0.2.2", 1},
	    {"alice@192.0.2.0/24", "alice", "192.0.3.2", 0},
	    {"alice@192.0.2.0/24", "bob", "192.0.2.2", 0},
	    {"*@2001:db8::/32", "bob", "2001:db8:1::7", 1},
	    {"*@2001:db8::/32", "bob", "2001:db9::7", 0},
	    {"alice@!192.0.2.1,*", "alice", "192.0.2.1", 0},
	    {"alice@!192.0.2.1,*", "alice", "192.0.2.2", 1},
	    {"alice@!192.0.2.0/24,*", "alice", "192.0.2.2", 0},
	    {"alice@10.0.0.0/33", "alice", "192.0.2.1", QERR_FORMAT},
	    /* a name with an @ in it: the host is what follows the last one */
	    {"alice@corp@192.0.2.0/24", "alice@corp", "192.0.2.9", 1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct addr a = addr(rows[i].ip);
		int got = access_match_user(rows[i].user, &a, rows[i].pattern);
		if (got != rows[i].want)
			fail_msg("%s against %s from %s: %d", rows[i].pattern, rows[i].user, rows[i].ip, got);
	}
}

/* ---- access ------------------------------------------------------------------------------- */

struct row {
	const char *deny_users, *allow_users, *deny_groups, *allow_groups;
	const char *groups;
	enum access want;
};

static enum access
judge(const struct row *r)
{
	char name[] = "alice", home[] = "/", shell[] = "/bin/sh";
	struct account a = {.name = name, .home = home, .shell = shell, .uid = 1000, .exists = true};
	struct sconf c = {0};
	struct addr from = addr("192.0.2.1");
	list(&c.deny_users, r->deny_users);
	list(&c.allow_users, r->allow_users);
	list(&c.deny_groups, r->deny_groups);
	list(&c.allow_groups, r->allow_groups);
	list(&a.groups, r->groups);
	enum access got = access_check(&a, &c, &from, (uid_t)-1);
	strlist_free(&c.deny_users);
	strlist_free(&c.allow_users);
	strlist_free(&c.deny_groups);
	strlist_free(&c.allow_groups);
	strlist_free(&a.groups);
	return got;
}

static void
test_lists(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"", "", "", "", "", ACCESS_OK},
	    {"bob", "", "", "", "users", ACCESS_OK},
	    {"bob alice", "", "", "", "users", ACCESS_DENY_USERS},
	    {"alice@192.0.2.1", "alice", "", "", "users", ACCESS_DENY_USERS},
	    {"alice@192.0.2.2", "alice", "", "", "users", ACCESS_OK},
	    {"", "bob carol", "", "", "users", ACCESS_ALLOW_USERS},
	    {"", "bob al*", "", "", "users", ACCESS_OK},
	    {"", "alice@10.0.0.0/8", "", "", "users", ACCESS_ALLOW_USERS},
	    {"", "alice@1/99 alice", "", "", "users", ACCESS_BAD_PATTERN},
	    {"alice@1/99", "", "", "", "users", ACCESS_BAD_PATTERN},
	    {"", "", "wheel", "", "users wheel", ACCESS_DENY_GROUPS},
	    {"", "", "wheel", "", "users", ACCESS_OK},
	    {"", "", "", "wheel", "users", ACCESS_ALLOW_GROUPS},
	    {"", "", "", "wheel us*", "users", ACCESS_OK},
	    {"", "", "users", "users", "users", ACCESS_DENY_GROUPS},
	    {"", "", "", "wheel", "", ACCESS_NO_GROUP},
	    {"", "alice", "wheel", "", "wheel", ACCESS_DENY_GROUPS},
	    {"alice", "alice", "wheel", "", "wheel", ACCESS_DENY_USERS},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum access got = judge(&rows[i]);
		if (got != rows[i].want)
			fail_msg("row %zu: %d", i, (int)got);
	}
}

static void
test_account(void **state)
{
	(void)state;
	char name[] = "alice";
	struct account a = {.name = name, .uid = 1000, .exists = true};
	struct sconf c = {0};
	struct addr from = addr("192.0.2.1");
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_OK);
	assert_int_equal(access_check(&a, &c, &from, 1000), ACCESS_OK);
	assert_int_equal(access_check(&a, &c, &from, 1001), ACCESS_OTHER_USER);
	a.locked = true;
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_LOCKED);
	a.expired = true;
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_EXPIRED);
	c.use_pam = true; /* which has its own view of both */
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_OK);
	a.shell_state = SHELL_MISSING;
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_NO_SHELL);
	a.shell_state = SHELL_NOT_EXECUTABLE;
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_BAD_SHELL);
	a.exists = false;
	assert_int_equal(access_check(&a, &c, &from, (uid_t)-1), ACCESS_NO_USER);
}

static void
test_root(void **state)
{
	(void)state;
	assert_true(access_root_permitted(SCONF_ROOT_YES, false));
	assert_true(access_root_permitted(SCONF_ROOT_PROHIBIT_PASSWORD, false));
	assert_false(access_root_permitted(SCONF_ROOT_NO, true));
	assert_false(access_root_permitted(SCONF_ROOT_FORCED_COMMANDS, false));
	assert_true(access_root_permitted(SCONF_ROOT_FORCED_COMMANDS, true));
}

/* ---- methods --------------------------------------------------------------------------------- */

static void
test_methods_any(void **state)
{
	(void)state;
	struct strlist conf = {0};
	struct methods m;
	char text[64];
	assert_int_equal(methods_init(&m, &conf, "publickey"), 0);
	assert_true(methods_allowed(&m, "publickey"));
	assert_false(methods_allowed(&m, "password"));
	assert_false(methods_allowed(&m, "public"));
	assert_false(methods_allowed(&m, ""));
	assert_string_equal(methods_continue(&m, text, sizeof text), "publickey");
	assert_int_equal(methods_succeeded(&m, "publickey"), 1);
	methods_free(&m);
	list(&conf, "any");
	assert_int_equal(methods_init(&m, &conf, "publickey"), 0);
	assert_true(m.any);
	methods_free(&m);
	assert_int_equal(methods_init(&m, &conf, ""), 0);
	assert_string_equal(methods_continue(&m, text, sizeof text), "");
	assert_false(methods_allowed(&m, "publickey"));
	methods_free(&m);
	strlist_free(&conf);
}

static void
test_methods_lists(void **state)
{
	(void)state;
	struct strlist conf = {0};
	struct methods m;
	char text[64];
	/* the second list cannot be fulfilled, so one key alone is not enough */
	list(&conf, "publickey,publickey publickey,keyboard-interactive:pam");
	assert_int_equal(methods_init(&m, &conf, "publickey"), 0);
	assert_int_equal(m.lists.n, 1);
	assert_true(methods_allowed(&m, "publickey"));
	assert_int_equal(methods_succeeded(&m, "publickey"), 0);
	assert_string_equal(methods_continue(&m, text, sizeof text), "publickey");
	assert_int_equal(methods_succeeded(&m, "publickey"), 1);
	methods_free(&m);
	strlist_free(&conf);

	list(&conf, "publickey,password publickey");
	assert_int_equal(methods_init(&m, &conf, "publickey,password"), 0);
	assert_false(methods_allowed(&m, "password")); /* not first */
	assert_string_equal(methods_continue(&m, text, sizeof text), "publickey");
	assert_int_equal(methods_succeeded(&m, "publickey"), 1);
	methods_free(&m);
	strlist_free(&conf);

	list(&conf, "publickey,password");
	assert_int_equal(methods_init(&m, &conf, "publickey,password"), 0);
	assert_int_equal(methods_succeeded(&m, "publickey"), 0);
	assert_string_equal(methods_continue(&m, text, sizeof text), "password");
	assert_false(methods_allowed(&m, "publickey"));
	assert_int_equal(methods_succeeded(&m, "password"), 1);
	methods_free(&m);

	assert_int_equal(methods_init(&m, &conf, "publickey"), QERR_DENIED);
	assert_false(methods_allowed(&m, "publickey"));
	assert_string_equal(methods_continue(&m, text, sizeof text), "");
	methods_free(&m);
	strlist_free(&conf);
}

/* ---- key lines ---------------------------------------------------------------------------------- */

static void
test_grant_check(void **state)
{
	(void)state;
	char from[] = "10.0.0.0/8,!10.0.0.9", bad[] = "10.0.0.0/77";
	struct addr in = addr("10.0.0.1"), out = addr("10.0.0.9"), far = addr("192.0.2.1");
	struct authkey_opts o = {0};
	assert_int_equal(grant_check(&o, &far, 1000), GRANT_OK);
	o.from = from;
	assert_int_equal(grant_check(&o, &in, 1000), GRANT_OK);
	assert_int_equal(grant_check(&o, &out, 1000), GRANT_FROM);
	assert_int_equal(grant_check(&o, &far, 1000), GRANT_FROM);
	o.from = bad;
	assert_int_equal(grant_check(&o, &in, 1000), GRANT_FROM);
	o.from = NULL;
	o.expiry = 1001;
	assert_int_equal(grant_check(&o, &in, 1000), GRANT_OK);
	assert_int_equal(grant_check(&o, &in, 1001), GRANT_EXPIRED);
	o.expiry = 0;
	o.verify_required = true;
	assert_int_equal(grant_check(&o, &in, 1000), GRANT_VERIFY);
	o.cert_authority = true;
	assert_int_equal(grant_check(&o, &in, 1000), GRANT_CERT_AUTHORITY);
}

static void
test_grant_add(void **state)
{
	(void)state;
	char cmd[] = "one", other[] = "two", net[] = "10.*", host[] = "*.1", e1[] = "A=1", e2[] = "B=2";
	char *env[] = {e1, e2};
	struct addr a = addr("10.0.0.1"), b = addr("10.0.0.2");
	struct authkey_opts one = {.command = cmd, .from = net, .env = env, .nenv = 2};
	struct authkey_opts two = {.no_pty = true, .from = host};
	struct authkey_opts three = {.command = other};
	struct grant g = {0};
	assert_int_equal(grant_add(&g, &one, false, NULL), 0);
	assert_int_equal(g.env.n, 0);
	assert_true(grant_permits(&g, &b));
	assert_int_equal(grant_add(&g, &two, true, NULL), 0);
	assert_string_equal(g.command, "one");
	assert_true(g.no_pty);
	assert_true(grant_permits(&g, &a));
	assert_false(grant_permits(&g, &b)); /* both lines have to permit it */
	assert_int_equal(grant_add(&g, &three, true, NULL), QERR_DENIED);
	grant_free(&g);
	assert_int_equal(grant_add(&g, &one, true, "B*"), 0);
	assert_int_equal(g.env.n, 1);
	assert_string_equal(g.env.v[0], "B=2");
	grant_free(&g);
	assert_int_equal(grant_add(&g, &one, true, NULL), 0);
	assert_int_equal(g.env.n, 2);
	grant_free(&g);
}

/* ---- decision ------------------------------------------------------------------------------------- */

static void
test_decide(void **state)
{
	(void)state;
	/* of all combinations of facts just one lets in, and one says that a key would do */
	for (unsigned bits = 0; bits < 256; bits++) {
		struct auth_facts f = {.user_ok = bits & 1,
		    .method_ok = bits & 2,
		    .key_ok = bits & 4,
		    .key_fresh = bits & 8,
		    .has_sig = bits & 16,
		    .sig_ok = bits & 32,
		    .root_ok = bits & 64,
		    .grants_agree = bits & 128};
		enum auth_decision want = bits == 255 ? AUTH_PROVED :
		    (bits & 31) == 15             ? AUTH_KEY_WOULD_DO :
						    AUTH_FAILED;
		assert_int_equal(auth_decide(&f), want);
	}
}

static void
test_count(void **state)
{
	(void)state;
	struct auth_count c = {.max = 2};
	assert_true(auth_count_attempt(&c));
	assert_false(auth_count_failure(&c, true)); /* "none" first is free */
	assert_true(auth_count_attempt(&c));
	assert_false(auth_count_loud(&c));
	assert_false(auth_count_failure(&c, true)); /* later it is not */
	assert_true(auth_count_loud(&c));
	assert_true(auth_count_attempt(&c));
	assert_true(auth_count_failure(&c, false));
	c = (struct auth_count){.max = 1};
	assert_true(auth_count_attempt(&c));
	assert_true(auth_count_failure(&c, false));
	c = (struct auth_count){.max = 100000};
	for (int i = 0; i < AUTH_ATTEMPTS_MAX; i++)
		assert_true(auth_count_attempt(&c));
	assert_false(auth_count_attempt(&c));
}

static void
test_delay(void **state)
{
	(void)state;
	uint8_t k1[DELAY_SECRET_LEN] = {1}, k2[DELAY_SECRET_LEN] = {2};
	uint64_t alice = delay_for("alice", k1, 0);
	assert_true(alice >= 5 * NS_PER_MS && alice < 10 * NS_PER_MS);
	assert_int_equal(delay_for("alice", k1, 0), alice);
	assert_int_not_equal(delay_for("bob", k1, 0), alice);
	assert_int_not_equal(delay_for("alice", k2, 0), alice);
	/* work that takes a little longer or shorter does not show */
	assert_int_equal(delay_for("alice", k1, alice - 1), alice);
	assert_int_equal(delay_for("alice", k1, alice), 2 * alice);
	assert_int_equal(delay_for("alice", k1, 3 * alice), 4 * alice);
	assert_true(delay_for("alice", k1, UINT64_MAX) < 60 * NS_PER_S);
}

static void
test_rate(void **state)
{
	(void)state;
	struct rate r = {0};
	uint64_t before = 99;
	for (int i = 0; i < 5; i++)
		assert_true(rate_take(&r, 1000, 10, 5, &before));
	assert_int_equal(before, 0);
	assert_false(rate_take(&r, 1000, 10, 5, &before));
	assert_false(rate_take(&r, 1009, 10, 5, &before));
	assert_true(rate_take(&r, 1010, 10, 5, &before));
	assert_int_equal(before, 2);
	assert_false(rate_take(&r, 1019, 10, 5, NULL));
	/* a pause gives the whole burst back, and no more */
	for (int i = 0; i < 5; i++)
		assert_true(rate_take(&r, 1000000, 10, 5, NULL));
	assert_false(rate_take(&r, 1000000, 10, 5, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_match_user),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_account),
	    cmocka_unit_test(test_root),
	    cmocka_unit_test(test_methods_any),
	    cmocka_unit_test(test_methods_lists),
	    cmocka_unit_test(test_grant_check),
	    cmocka_unit_test(test_grant_add),
	    cmocka_unit_test(test_decide),
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_delay),
	    cmocka_unit_test(test_rate),
	};
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
