/* Keys, files and folders for the tests of common/keys. */
#include "tests/unit/keys_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fd.h"

const char fx_plain[] =
	"-----BEGIN OPENSSH PRIVATE KEY-----\n"
	"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
	"QyNTUxOQAAACAZqekhx3V29OliWwxUQ7Nst+g0Kj0r+XpBNNXTdtxfgAAAAJBaJxWGWicV\n"
	"hgAAAAtzc2gtZWQyNTUxOQAAACAZqekhx3V29OliWwxUQ7Nst+g0Kj0r+XpBNNXTdtxfgA\n"
	"AAAEDDgk46a9FgB+AfCw1vgeolkLurFMb78vYmj/es5mHGmhmp6SHHdXb06WJbDFRDs2y3\n"
	"6DQqPSv5ekE01dN23F+AAAAADWZpeHR1cmUgcGxhaW4=\n"
	"-----END OPENSSH PRIVATE KEY-----\n";
const char fx_plain_pub[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmp6SHHdXb06WJbDFRDs2y36DQqPSv5ekE01dN23F+A fixture plain";
const char fx_enc[] =
	"-----BEGIN OPENSSH PRIVATE KEY-----\n"
	"b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCLnwvbkE\n"
	"nwvurqlf6C61bvAAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIGtLAAG86h+gOVQo\n"
	"UB/Doa/yzFd+Po4M8CSDkiq7Y9yUAAAAkJQCOA17ydiCgGZmEPFAAYwQjGIzwg3Ewh6Vme\n"
	"hx6ZQqiwU1K6NP0mn5KFgB7mCcazYsofIHEAqe6yF6kBtEi8U00Xc3x/JwlSPigsR0u0bZ\n"
	"TriWUXRyr0BS4AIfkVWx+25L4Tvk7NjeImDaCcYTh0j6Xn7FhjzoUcjGasAHzQlShLsV+1\n"
	"hyiBxGOXthf37ULg==\n"
	"-----END OPENSSH PRIVATE KEY-----\n";
const char fx_enc_pub[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtLAAG86h+gOVQoUB/Doa/yzFd+Po4M8CSDkiq7Y9yU fixture enc";
const char fx_enc_pass[] = "open sesame";
const char fx_rsa_pub[] =
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCqj3RAqdwwfuhrnYOynZRXPX2yRm+QP7NBUf0FaWLJ"
	"lZDBq0wkAiWUMZLQ7+MSW0UfdFdbhv4yAgfLyXYmgskXkPqBUpV3jb9DOBUYbkie1hWalnGT5ogPhJyV"
	"79UaLvSuC1ng7zbKMyersjRHOHrBBiwiOPRNpXvjrHDhvYOccviNzUhLx2DWhCroR3lf+z/62zkgOYEL"
	"r5ye3ZMYndIxFugrN3TL/PDReGLpc3psdQlN8525M4BrtgD6PMckFNBnQYY+wAGVtKs7LQyRk4X9iC6D"
	"VmEuanFe0BUx3TRtd7N0ntlPVRzx2y47gwvN6VdiAog2f7EKa79kmwu+p/JZf+lZZLZ7Mrdsda6T6SCl"
	"Zf9TcMo7/d+hR31IKI8yA0gAHc3q+wpnbL3CK0MZIid254ZCQ6Z2jvdCAIZbLrmEdGKnv+yXM5/Zcx04"
	"OsNupfjedP3uVKhSzOKLZPO71eEA0rfhBZHwipgRns7Ywm6+QIg5IZ0Nt4SU/jvvtM78918= f";
const char fx_ecdsa_pub[] =
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHNWPJBH"
	"/sRyGy18+VMTnyUDizocW8GPLLzHHefyfTrsCR9a7EaSGx6woeH6+8xRGQ73i1EvUZt+moKzavHL5rk="
	" f";

static char folder[64];
static char log_text[8192];

void
fx_folder(void)
{
	strcpy(folder, "/tmp/qsh-keys.XXXXXX");
	assert_non_null(mkdtemp(folder));
}

const char *
fx_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *p = paths[next++ % 8];

	snprintf(p, sizeof(paths[0]), "%s/%s", folder, name);
	return p;
}

void
fx_done(void)
{
	if (folder[0])
		fx_run("rm -rf '%s'", folder);
	folder[0] = '\0';
}

void
fx_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

char *
fx_read(const char *path)
{
	uint8_t *p;
	size_t n;

	assert_int_equal(fd_read_file(path, 1 << 20, &p, &n), 0);
	return (char *)p;
}

static void
format(char *cmd, size_t n, const char *fmt, va_list ap)
{
	int len = vsnprintf(cmd, n, fmt, ap);

	assert_true(len > 0 && (size_t)len < n);
}

int
fx_run(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	format(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	int st = system(cmd);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

char *
fx_output(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	char *text = calloc(1, 65536);

	assert_non_null(text);
	va_start(ap, fmt);
	format(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	FILE *f = popen(cmd, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 65535, f) < 65535);
	assert_int_equal(pclose(f), 0);
	return text;
}

void
fx_need(const char *program)
{
	if (fx_run("command -v %s >/dev/null 2>&1", program) == 0)
		return;
	printf("skipped: %s is not installed\n", program);
	exit(77);
}

void
fx_log_sink(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(log_text);

	(void)arg;
	(void)level;
	snprintf(log_text + n, sizeof(log_text) - n, "%s\n", line);
}

void
fx_log_start(void)
{
	log_text[0] = '\0';
	log_to_sink(fx_log_sink, NULL);
}

const char *
fx_log(void)
{
	return log_text;
}
