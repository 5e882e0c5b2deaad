/* common/conf: lines, expansion, tables, files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/conf/opt.h"
#include "common/conf/src.h"

static void
ignore_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* ---- lines ---------------------------------------------------------------- */

/* Splits, and joins the words with '|' behind the keyword; "!why" for an error. */
static const char *
split(const char *text)
{
	static char out[512];
	struct conf_line l = {.file = "test"};
	const char *why;
	size_t i;

	if (conf_split(&l, text, strlen(text), &why) != 0) {
		snprintf(out, sizeof(out), "!%s", why);
	} else {
		snprintf(out, sizeof(out), "%s", l.keyword != NULL ? l.keyword : "");
		for (i = 0; i < l.args.n; i++) {
			strcat(out, "|");
			strcat(out, l.args.v[i]);
		}
	}
	conf_line_free(&l);
	return out;
}

static void
lines(void **state)
{
	static const char *const cases[][2] = {
	    {"", ""},
	    {"   \t\r\f", ""},
	    {"# comment", ""},
	    {"  Port 22", "Port|22"},
	    {"Port=22", "Port|22"},
	    {"Port = 22  ", "Port|22"},
	    {"Port==22", "Port|=22"},
	    {"\"Port\" 22", "Port|22"},
	    {"Port\"22\"", "Port|22"},
	    {"A b c\td", "A|b|c|d"},
	    {"A \"b c\" 'd \"e'", "A|b c|d \"e"},
	    {"A b\"c d\"e", "A|bc de"},
	    {"A b\\ c \\\\ \\\" \\' \\n", "A|b c|\\|\"|'|\\n"},
	    {"A \"b\\\"c\"", "A|b\"c"},
	    {"A 'b\\ c'", "A|b\\ c"},
	    {"A b # c", "A|b"},
	    {"A b#c", "A|b#c"},
	    {"A \"#b\"", "A|#b"},
	    {"A \"\" x", "A||x"},
	    {"A", "A"},
	    {"A # nothing", "A"},
	    {"A \"b", "!quote that does not end"},
	    {"A 'b\"", "!quote that does not end"},
	    {"\"A b", "!quote that does not end"},
	    {"= x", "!line without a keyword"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(split(cases[i][0]), cases[i][1]);
}

static void
line_with_zero_byte(void **state)
{
	struct conf_line l = {.file = "test"};
	const char *why;

	(void)state;
	assert_int_equal(conf_split(&l, "Port\0 22", 8, &why), QERR_FORMAT);
	assert_string_equal(why, "zero byte");
	conf_line_free(&l);
}

static void
line_rest_is_as_written(void **state)
{
	struct conf_line l = {.file = "test"};
	const char *text = "ForceCommand  echo \"a  b\" # c  ", *why;

	(void)state;
	assert_int_equal(conf_split(&l, text, strlen(text), &why), 0);
	assert_string_equal(l.rest, "echo \"a  b\" # c");
	conf_line_free(&l);
}

/* ---- expansion ------------------------------------------------------------ */

static void
tokens(void **state)
{
	static const struct conf_token t[] = {{'h', "host"}, {'u', "user"}, {'e', ""}};
	char *out, bad;

	(void)state;
	assert_int_equal(conf_expand(&out, "/keys/%u@%h%e.%%h", t, 3, &bad), 0);
	assert_string_equal(out, "/keys/user@host.%h");
	free(out);
	assert_int_equal(conf_expand(&out, "%x", t, 3, &bad), QERR_UNKNOWN);
	assert_int_equal(bad, 'x');
	assert_null(out);
	assert_int_equal(conf_expand(&out, "end%", t, 3, &bad), QERR_UNKNOWN);
	assert_int_equal(bad, '\0');
}

static void
token_bomb(void **state)
{
	char big[4096 + 1], many[512 + 1], *out, bad;
	struct conf_token t = {'h', big};
	size_t i;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < sizeof(many) - 1; i++)
		many[i] = i % 2 == 0 ? '%' : 'h';
	many[sizeof(many) - 1] = '\0';
	assert_int_equal(conf_expand(&out, many, &t, 1, &bad), QERR_TOOBIG);
}

static void
environment(void **state)
{
	char *out;

	(void)state;
	setenv("CONF_TEST", "value", 1);
	unsetenv("CONF_TEST_NOT");
	assert_int_equal(conf_expand_env(&out, "a/${CONF_TEST}/$b/$"), 0);
	assert_string_equal(out, "a/value/$b/$");
	free(out);
	assert_int_equal(conf_expand_env(&out, "${CONF_TEST_NOT}"), QERR_NOTFOUND);
	assert_int_equal(conf_expand_env(&out, "${CONF_TEST"), QERR_FORMAT);
	assert_int_equal(conf_expand_env(&out, "${}"), QERR_FORMAT);
	assert_int_equal(conf_expand_env(&out, "${a b}"), QERR_FORMAT);
}

static void
tildes(void **state)
{
	char *out;

	(void)state;
	assert_int_equal(conf_expand_tilde(&out, "~/x", "/home/me"), 0);
	assert_string_equal(out, "/home/me/x");
	free(out);
	assert_int_equal(conf_expand_tilde(&out, "~", "/home/me"), 0);
	assert_string_equal(out, "/home/me");
	free(out);
	assert_int_equal(conf_expand_tilde(&out, "a~/x", "/home/me"), 0);
	assert_string_equal(out, "a~/x");
	free(out);
	assert_int_equal(conf_expand_tilde(&out, "~root/x", "/home/me"), 0);
	assert_string_not_equal(out, "/home/me/x");
	free(out);
	assert_int_equal(conf_expand_tilde(&out, "~no such user/x", "/h"), QERR_NOTFOUND);
	assert_int_equal(conf_expand_tilde(&out, "~/x", NULL), QERR_NOTFOUND);
}

/* ---- tables --------------------------------------------------------------- */

struct target {
	bool b;
	unsigned u, s;
	int e;
	uint64_t ns, bytes;
	char *string, *rest;
	struct strlist words, each;
};

static const struct conf_name colours[] = {{"red", 1}, {"rouge", 1}, {"blue", 2}, {NULL, 0}};
#define T(n, t, f)                                                                             \
	.name = n, .what = CONF_DONE, .type = CONF_T_##t, .off = offsetof(struct target, f)
static const struct conf_opt rows[] = {
    {T("Bool", BOOL, b), .def = "yes"},
    {T("Number", UINT, u), .min = 2, .max = 9, .def = "3"},
    {T("Colour", ENUM, e), .names = colours, .def = "blue"},
    {T("Time", TIME_NS, ns), .max = 86400, .def = "1m"},
    {T("Wait", TIME_S, s), .min = 1, .max = 86400, .flags = CONF_F_NONE},
    {T("Size", SIZE, bytes), .min = 1 << 20, .max = 1 << 30, .def = "4M"},
    {T("String", STRING, string), .flags = CONF_F_NONE},
    {T("Rest", REST, rest)},
    {T("Words", WORDS, words), .def = "a b", .flags = CONF_F_NONE},
    {T("Each", APPEND, each), .flags = CONF_F_EACH | CONF_F_UNIQUE | CONF_F_ONE},
    {.name = "Other", .what = CONF_ALIAS, .alias = "Colour"},
};
static const struct conf_table table = {
    rows, sizeof(rows) / sizeof(rows[0]), sizeof(struct target)};

static int
set(struct target *t, const char *text, struct conf_why *why)
{
	struct conf_line l = {.file = "test"};
	const char *bad;
	size_t i;
	int r;

	assert_int_equal(conf_split(&l, text, strlen(text), &bad), 0);
	i = conf_opt_find(&table, l.keyword);
	assert_int_not_equal(i, CONF_NO_OPT);
	r = conf_opt_set(&rows[i], t, &l, why);
	assert_int_equal(conf_opt_check(&table, &rows[i], &l, why), r);
	conf_line_free(&l);
	return r;
}

static void
option_find(void **state)
{
	(void)state;
	assert_int_equal(conf_opt_find(&table, "nUMBER"), 1);
	assert_int_equal(conf_opt_find(&table, "other"), 2);
	assert_int_equal(conf_opt_find(&table, "numbe"), CONF_NO_OPT);
}

static void
option_values(void **state)
{
	static const char *const good[] = {"Bool no", "Number 9", "Colour ROUGE", "Time 1h30m",
	    "Wait 5", "Size 2048k", "String \"a b\"", "Rest a  \"b\" # c", "Words x \"y z\"", "Each 1",
	    "Each 2", "Each 1"};
	struct target t = {0};
	struct conf_why why;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(set(&t, good[i], &why), 0);
	assert_false(t.b);
	assert_int_equal(t.u, 9);
	assert_int_equal(t.e, 1);
	assert_true(t.ns == 5400 * NS_PER_S);
	assert_true(t.bytes == 2 << 20);
	buf_init(&b, 10000);
	assert_int_equal(conf_table_dump(&b, &table, &t), 0);
	buf_put_u8(&b, 0);
	assert_string_equal((const char *)buf_data(&b),
	    "bool no\nnumber 9\ncolour red\ntime 5400\nwait 5\nsize 2M\nstring a b\n"
	    "rest a  \"b\" # c\nwords x y z\neach 1\neach 2\n");
	buf_free(&b);
	assert_int_equal(set(&t, "String none", &why), 0);
	assert_null(t.string);
	conf_table_clear(&table, &t);
	assert_null(t.rest);
	assert_int_equal(t.each.n, 0);
}

static void
option_bad_values(void **state)
{
	static const char *const bad[][2] = {
	    {"Bool maybe", "\"maybe\" is none of yes, no, true, false"},
	    {"Bool", "value is missing"},
	    {"Bool yes no", "\"no\" is one word too many"},
	    {"String \"\"", "value is empty"},
	    {"Number 1", "\"1\" is not a number from 2 to 9"},
	    {"Number 10", "\"10\" is not a number from 2 to 9"},
	    {"Number 3x", "\"3x\" is not a number from 2 to 9"},
	    {"Number -3", "\"-3\" is not a number from 2 to 9"},
	    {"Number 99999999999999999999",
		"\"99999999999999999999\" is not a number from 2 to 9"},
	    {"Colour green", "\"green\" is none of red, rouge, blue"},
	    {"Time 2d", "\"2d\" is not from 0 to 86400 seconds"},
	    {"Time soon", "\"soon\" is not a time such as 90, 10m or 1h30m"},
	    {"Size 64Q", "\"64Q\" is not a size such as 4194304, 4096K or 4M"},
	    {"Size none", "\"none\" is not a size such as 4194304, 4096K or 4M"},
	    {"Size 1048575", "\"1048575\" is not from 1M to 1G"},
	    {"Size 1025M", "\"1025M\" is not from 1M to 1G"},
	    {"Wait 0", "\"0\" is not from 1 to 86400 seconds"},
	    {"Each 1 2", "\"2\" is one word too many"},
	    {"Colour \x1b[31m", "\"\\033[31m\" is none of red, rouge, blue"},
	};
	struct target t = {0};
	struct conf_why why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(set(&t, bad[i][0], &why), QERR_FORMAT);
		assert_string_equal(why.text, bad[i][1]);
	}
	conf_table_clear(&table, &t);
}

static void
option_defaults(void **state)
{
	bool done[sizeof(rows) / sizeof(rows[0])] = {[1] = true};
	struct target t = {0};

	(void)state;
	assert_int_equal(conf_table_defaults(&table, &t, done), 0);
	assert_true(t.b);
	assert_int_equal(t.u, 0);
	assert_int_equal(t.e, 2);
	assert_true(t.ns == 60 * NS_PER_S);
	assert_int_equal(t.words.n, 2);
	conf_table_clear(&table, &t);
}

/* ---- files ---------------------------------------------------------------- */

static char dir[64];

static int
make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/conf_test.XXXXXX");
	log_to_sink(ignore_log, NULL);
	return mkdtemp(dir) == NULL;
}

static int
drop_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *
put_file(const char *name, const char *text)
{
	static char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
	return path;
}

/* "{a b=c }" : files in braces, keywords with their first argument; '?' a bad line */
static const char *
shape(const struct conf_src *s)
{
	static char out[1024];
	size_t i, n = 0;

	out[0] = '\0';
	for (i = 0; i < s->n && n < sizeof(out) - 100; i++) {
		const struct conf_item *it = &s->v[i];

		if (it->kind != CONF_I_LINE)
			n += (size_t)snprintf(
			    out + n, sizeof(out) - n, it->kind == CONF_I_PUSH ? "{" : "}");
		else if (it->bad != NULL)
			n += (size_t)snprintf(
			    out + n, sizeof(out) - n, "?%lu ", it->line.lineno);
		else if (strcmp(it->line.keyword, "Include") != 0)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s=%s@%lu ",
			    it->line.keyword, it->line.args.n > 0 ? it->line.args.v[0] : "",
			    it->line.lineno);
	}
	return out;
}

static void
includes(void **state)
{
	struct conf_reader rd = {.dir = dir, .home = dir};
	struct conf_src s;
	struct buf b;
	struct rd r;

	(void)state;
	put_file("10.inc", "B 2\n");
	put_file("20.inc", "# nothing\n\nC 3");
	put_file("other", "D = =4\n");
	conf_src_init(&s);
	assert_int_equal(
	    conf_src_add_file(&s,
		put_file(
		    "main", "A 1\nInclude *.inc nothing*\nInclude \"~/other\"\nE \"\nF 6\n"),
		&rd),
	    0);
	assert_string_equal(shape(&s), "{A=1@1 {B=2@1 }{C=3@3 }{D==4@1 }?4 F=6@5 }");

	buf_init(&b, 10000);
	assert_int_equal(conf_src_put(&b, &s), 0);
	conf_src_free(&s);
	rd_init(&r, buf_data(&b), buf_len(&b));
	assert_int_equal(conf_src_get(&s, &r), 0);
	assert_int_equal(rd_end(&r), 0);
	assert_string_equal(shape(&s), "{A=1@1 {B=2@1 }{C=3@3 }{D==4@1 }F=6@5 }");
	assert_non_null(strstr(s.v[2].line.file, "/main"));
	conf_src_free(&s);
	buf_free(&b);
}

static void
truncated_bytes_are_refused(void **state)
{
	const char *text = "A 1\nB \"2 3\"\n";
	struct conf_reader reader = {0};
	struct conf_src s;
	struct buf b;
	struct rd r;
	size_t n;

	(void)state;
	conf_src_init(&s);
	assert_int_equal(conf_src_add_text(&s, "x", text, strlen(text), &reader), 0);
	buf_init(&b, 10000);
	assert_int_equal(conf_src_put(&b, &s), 0);
	conf_src_free(&s);
	for (n = 0; n < buf_len(&b); n++) {
		rd_init(&r, buf_data(&b), n);
		assert_true(conf_src_get(&s, &r) < 0);
		conf_src_free(&s);
	}
	buf_free(&b);
}

static void
include_of_itself_ends(void **state)
{
	struct conf_reader rd = {.dir = dir};
	struct conf_src s;
	size_t i, bad = 0;

	(void)state;
	conf_src_init(&s);
	assert_int_equal(conf_src_add_file(&s, put_file("loop", "Include loop\n"), &rd), 0);
	for (i = 0; i < s.n; i++)
		bad += s.v[i].bad != NULL;
	assert_int_equal(bad, 1);
	conf_src_free(&s);
	/* twice itself: more files than a configuration may have */
	assert_int_equal(
	    conf_src_add_file(&s, put_file("loop", "Include loop loop\n"), &rd), QERR_TOOBIG);
	conf_src_free(&s);
}

static void
permissions(void **state)
{
	struct conf_reader rd = {.dir = dir, .check_perm = true, .check_included = true};
	struct conf_src s;
	const char *path;

	(void)state;
	conf_src_init(&s);
	path = put_file("perm", "A 1\n");
	assert_int_equal(conf_src_add_file(&s, path, &rd), 0);
	conf_src_free(&s);
	chmod(path, 0620);
	assert_int_equal(conf_src_add_file(&s, path, &rd), QERR_PERM);
	conf_src_free(&s);
	rd.check_perm = false;
	assert_int_equal(conf_src_add_file(&s, path, &rd), 0);
	conf_src_free(&s);
	assert_int_equal(
	    conf_src_add_file(&s, put_file("top", "Include perm\n"), &rd), QERR_PERM);
	conf_src_free(&s);
}

static void
files_that_cannot_be_read(void **state)
{
	struct conf_reader rd = {.dir = dir};
	struct conf_src s;
	char path[160], name[64];

	(void)state;
	conf_src_init(&s);
	errno = 0;
	assert_int_equal(conf_src_add_file(&s, "/nonexistent/file", &rd), QERR_SYS);
	assert_int_equal(errno, ENOENT);
	snprintf(path, sizeof(path), "%s/folder", dir);
	mkdir(path, 0700);
	assert_int_equal(conf_src_add_file(&s, path, &rd), QERR_SYS);
	conf_src_free(&s);
	snprintf(name, sizeof(name), "Include folder\nA 1\n");
	assert_int_equal(conf_src_add_file(&s, put_file("inc", name), &rd), QERR_NOTFOUND);
	conf_src_free(&s);
	rd.lenient = true;
	assert_int_equal(conf_src_add_file(&s, put_file("inc", name), &rd), 0);
	assert_string_equal(shape(&s), "{A=1@2 }");
	conf_src_free(&s);
}

static void
include_refused(void **state)
{
	static const char *const cases[] = {"Include ~/x\n", "Include \"\"\n", "Include\n"};
	struct conf_reader rd = {.dir = dir}, none = {0};
	struct conf_src s;
	size_t i;

	(void)state;
	conf_src_init(&s);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    conf_src_add_text(&s, "x", cases[i], strlen(cases[i]), &rd), 0);
		assert_string_equal(shape(&s), "{?1 }");
		conf_src_free(&s);
	}
	/* variables only where they are asked for */
	put_file("${X}", "A 1\n");
	assert_int_equal(conf_src_add_text(&s, "x", "Include ${X}", 12, &rd), 0);
	assert_string_equal(shape(&s), "{{A=1@1 }}");
	conf_src_free(&s);
	rd.expand_env = true;
	unsetenv("X");
	assert_int_equal(conf_src_add_text(&s, "x", "Include ${X}", 12, &rd), 0);
	assert_string_equal(shape(&s), "{?1 }");
	conf_src_free(&s);
	setenv("X", "{X}", 1);
	assert_int_equal(conf_src_add_text(&s, "x", "Include $${X}", 13, &rd), 0);
	assert_string_equal(shape(&s), "{{A=1@1 }}");
	conf_src_free(&s);
	assert_int_equal(conf_src_add_text(&s, "x", "Include a%h", 11, &rd), 0);
	assert_string_equal(shape(&s), "{?1 }");
	conf_src_free(&s);
	assert_int_equal(conf_src_add_text(&s, "x", "Include /etc/passwd", 19, &none), 0);
	assert_string_equal(shape(&s), "{?1 }");
	conf_src_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(line_with_zero_byte),
	    cmocka_unit_test(line_rest_is_as_written),
	    cmocka_unit_test(tokens),
	    cmocka_unit_test(token_bomb),
	    cmocka_unit_test(environment),
	    cmocka_unit_test(tildes),
	    cmocka_unit_test(option_find),
	    cmocka_unit_test(option_values),
	    cmocka_unit_test(option_bad_values),
	    cmocka_unit_test(option_defaults),
	    cmocka_unit_test(includes),
	    cmocka_unit_test(truncated_bytes_are_refused),
	    cmocka_unit_test(include_of_itself_ends),
	    cmocka_unit_test(permissions),
	    cmocka_unit_test(files_that_cannot_be_read),
	    cmocka_unit_test(include_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
