/* Strings. */
#ifndef QSH_BASE_STR_H
#define QSH_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes n untrusted bytes printable on one line: control characters, DEL,
 * invalid UTF-8 and backslashes as \ooo; valid UTF-8 stays. dst always ends with a zero
 * byte; a text too long ends with "...". Returns dst. */
char *str_vis(char *dst, size_t dstlen, const void *src, size_t n);
/* The same for multi-line text for people (banners): newlines and tabs stay. */
char *str_vis_text(char *dst, size_t dstlen, const void *src, size_t n);
/* fmt as fresh memory, the caller's to free; NULL where there is none. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Wildcards * and ? as in ssh_config(5) PATTERNS; not anchored to path parts. */
bool str_match(const char *s, const char *pattern);
/* A comma-separated pattern list with negation: 1 matches, 0 does not, -1 a
 * negated pattern matched. lower: compare in lower case. */
int str_match_list(const char *s, const char *list, bool lower);
/* A decimal number in [min, max]: 0, or QERR_FORMAT. */
int str_to_int(const char *s, long long min, long long max, long long *out);
/* A time as in sshd_config(5) TIME FORMATS ("90", "1h30m"), seconds. 0 or QERR_FORMAT. */
int str_to_time(const char *s, uint64_t *seconds);
/* A number of bytes below 2^63: digits, and k, m or g in either case (times 1024, 1024^2, 1024^3) where it is of those. QERR_FORMAT. */
int str_to_size(const char *s, uint64_t *bytes);
#define STR_SIZE_LEN 24
/* The same as text, in the largest unit that leaves nothing over. Returns dst. */
char *str_size(char dst[STR_SIZE_LEN], uint64_t bytes);
/* Base 64 (RFC 4648, padded, strict). encode: fresh memory. decode: fresh
 * memory, *outlen bytes; NULL if malformed. */
char *str_b64(const void *p, size_t n);
uint8_t *str_b64_decode(const char *s, size_t n, size_t *outlen);
void *mem_dup(const void *p, size_t n); /* NULL where there is no memory */

#endif
