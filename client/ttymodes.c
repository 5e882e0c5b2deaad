#include "client/ttymodes.h"

#include <stddef.h>
#include <unistd.h>

enum { OP_END = 0, OP_ISPEED = 128, OP_OSPEED = 129, CHAR_DISABLED = 255 };

enum field { F_CC, F_IFLAG, F_OFLAG, F_CFLAG, F_LFLAG };

struct row {
	uint8_t op;
	enum field field;
	tcflag_t value; /* index into c_cc, or the flag's mask */
	tcflag_t field_mask; /* for values of a wider field (character size), else 0 */
};

static const struct row rows[] = {
	{1, F_CC, VINTR, 0},
	{2, F_CC, VQUIT, 0},
	{3, F_CC, VERASE, 0},
	{4, F_CC, VKILL, 0},
	{5, F_CC, VEOF, 0},
	{6, F_CC, VEOL, 0},
	{7, F_CC, VEOL2, 0},
	{8, F_CC, VSTART, 0},
	{9, F_CC, VSTOP, 0},
	{10, F_CC, VSUSP, 0},
#ifdef VDSUSP
	{11, F_CC, VDSUSP, 0},
#endif
	{12, F_CC, VREPRINT, 0},
	{13, F_CC, VWERASE, 0},
	{14, F_CC, VLNEXT, 0},
#ifdef VFLUSH
	{15, F_CC, VFLUSH, 0},
#endif
#ifdef VSWTC
	{16, F_CC, VSWTC, 0},
#endif
#ifdef VSTATUS
	{17, F_CC, VSTATUS, 0},
#endif
	{18, F_CC, VDISCARD, 0},
	{30, F_IFLAG, IGNPAR, 0},
	{31, F_IFLAG, PARMRK, 0},
	{32, F_IFLAG, INPCK, 0},
	{33, F_IFLAG, ISTRIP, 0},
	{34, F_IFLAG, INLCR, 0},
	{35, F_IFLAG, IGNCR, 0},
	{36, F_IFLAG, ICRNL, 0},
#ifdef IUCLC
	{37, F_IFLAG, IUCLC, 0},
#endif
	{38, F_IFLAG, IXON, 0},
	{39, F_IFLAG, IXANY, 0},
	{40, F_IFLAG, IXOFF, 0},
#ifdef IMAXBEL
	{41, F_IFLAG, IMAXBEL, 0},
#endif
#ifdef IUTF8
	{42, F_IFLAG, IUTF8, 0},
#endif
	{50, F_LFLAG, ISIG, 0},
	{51, F_LFLAG, ICANON, 0},
#ifdef XCASE
	{52, F_LFLAG, XCASE, 0},
#endif
	{53, F_LFLAG, ECHO, 0},
	{54, F_LFLAG, ECHOE, 0},
	{55, F_LFLAG, ECHOK, 0},
	{56, F_LFLAG, ECHONL, 0},
	{57, F_LFLAG, NOFLSH, 0},
	{58, F_LFLAG, TOSTOP, 0},
	{59, F_LFLAG, IEXTEN, 0},
#ifdef ECHOCTL
	{60, F_LFLAG, ECHOCTL, 0},
#endif
#ifdef ECHOKE
	{61, F_LFLAG, ECHOKE, 0},
#endif
#ifdef PENDIN
	{62, F_LFLAG, PENDIN, 0},
#endif
	{70, F_OFLAG, OPOST, 0},
#ifdef OLCUC
	{71, F_OFLAG, OLCUC, 0},
#endif
	{72, F_OFLAG, ONLCR, 0},
#ifdef OCRNL
	{73, F_OFLAG, OCRNL, 0},
#endif
#ifdef ONOCR
	{74, F_OFLAG, ONOCR, 0},
#endif
#ifdef ONLRET
	{75, F_OFLAG, ONLRET, 0},
#endif
	{90, F_CFLAG, CS7, CSIZE},
	{91, F_CFLAG, CS8, CSIZE},
	{92, F_CFLAG, PARENB, 0},
	{93, F_CFLAG, PARODD, 0},
};

static const struct {
	speed_t speed;
	uint32_t baud;
} speeds[] = {
	{B0, 0}, {B50, 50}, {B75, 75}, {B110, 110}, {B134, 134}, {B150, 150}, {B200, 200},
	{B300, 300}, {B600, 600}, {B1200, 1200}, {B1800, 1800}, {B2400, 2400}, {B4800, 4800},
	{B9600, 9600}, {B19200, 19200}, {B38400, 38400},
#ifdef B57600
	{B57600, 57600},
#endif
#ifdef B115200
	{B115200, 115200},
#endif
#ifdef B230400
	{B230400, 230400},
#endif
#ifdef B460800
	{B460800, 460800},
#endif
#ifdef B921600
	{B921600, 921600},
#endif
};

static uint32_t
baud(speed_t speed)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
		if (speeds[i].speed == speed)
			return speeds[i].baud;
	return 9600;
}

static void
put(struct buf *b, unsigned op, uint32_t value)
{
	buf_put_u8(b, (uint8_t)op);
	buf_put_u32(b, value);
}

static uint32_t
value_of(const struct row *r, const struct termios *t)
{
	tcflag_t word = 0;

	switch (r->field) {
	case F_CC: {
		cc_t c = t->c_cc[r->value];

		return c == (cc_t)_POSIX_VDISABLE ? CHAR_DISABLED : c;
	}
	case F_IFLAG:
		word = t->c_iflag;
		break;
	case F_OFLAG:
		word = t->c_oflag;
		break;
	case F_CFLAG:
		word = t->c_cflag;
		break;
	case F_LFLAG:
		word = t->c_lflag;
		break;
	}
	return (word & (r->field_mask ? r->field_mask : r->value)) == r->value;
}

int
ttymodes_put(struct buf *b, const struct termios *t)
{
	if (t) {
		put(b, OP_OSPEED, baud(cfgetospeed(t)));
		put(b, OP_ISPEED, baud(cfgetispeed(t)));
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			put(b, rows[i].op, value_of(&rows[i], t));
	}
	return buf_put_u8(b, OP_END);
}
