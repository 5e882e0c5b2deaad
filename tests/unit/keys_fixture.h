/* Keys, files and folders for the tests of common/keys. */
#ifndef QSH_TESTS_KEYS_FIXTURE_H
#define QSH_TESTS_KEYS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/log.h"
#include "common/keys/keys.h"

/* Made by ssh-keygen. */
extern const char fx_plain[], fx_plain_pub[], fx_enc[], fx_enc_pub[], fx_enc_pass[];
extern const char fx_rsa_pub[], fx_ecdsa_pub[];

/* A fresh folder; fx_path gives a path in it, in one of eight rotating buffers. fx_done removes it. */
void fx_folder(void);
const char *fx_path(const char *name);
void fx_done(void);
void fx_write(const char *path, const char *text);
char *fx_read(const char *path); /* fresh memory */
/* Runs a shell command; its exit status. */
int fx_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The standard output of a command that has to succeed; fresh memory. */
char *fx_output(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program as skipped, with a reason, where a program is not there. */
void fx_need(const char *program);

/* Log lines since fx_log_start, one after the other. */
void fx_log_start(void);
const char *fx_log(void);
void fx_log_sink(void *arg, enum log_level level, const char *line);

#endif
