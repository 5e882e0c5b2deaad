/* The local terminal: raw mode and back, whatever happens. */
#ifndef QSH_CLIENT_TTY_H
#define QSH_CLIENT_TTY_H

#include <stdbool.h>
#include <termios.h>

struct tty_size {
	unsigned short cols, rows, xpixel, ypixel;
};

/* Raw mode on fd (bytes go through as typed). The former modes are kept, one terminal at a time; a
 * second call does nothing. While raw, log lines end with CR LF. QERR_SYS. */
int tty_raw(int fd);
/* Puts the former modes back; no-op where the terminal is not raw. Also done at exit and, as far as
 * that is possible, when the process dies by a fault. */
void tty_restore(void);
bool tty_is_raw(void);
/* Is this process in the terminal's foreground? */
bool tty_foreground(int fd);
int tty_size(int fd, struct tty_size *s);   /* QERR_SYS: no terminal */
int tty_modes(int fd, struct termios *t);   /* QERR_SYS */

/* Echo off for a secret, and back; saved NULL: nothing to do. QERR_SYS. */
int tty_echo_off(int fd, struct termios *saved);
void tty_echo_back(int fd, const struct termios *saved);
/* Stops this process as Ctrl-Z does; returns once it goes on. */
void tty_stop_self(void);

/* Text for people on standard error, with line ends that suit the terminal's mode. */
void tty_text(const char *text);

#endif
