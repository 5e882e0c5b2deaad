/* Terminal modes (RFC 4254 section 8). */
#include "server/broker/ttymodes.h"

#include <stdbool.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { OP_END = 0, OP_ISPEED = 128, OP_OSPEED = 129, OP_UNDEFINED = 160 };
enum kind { CHARACTER, IFLAG, OFLAG, CFLAG, LFLAG, CSIZE_BITS };

struct mode {
	uint8_t op;
	enum kind kind;
	tcflag_t bits; /* or the index of a control character */
};

static const struct mode modes[] = {
	{1, CHARACTER, VINTR},
	{2, CHARACTER, VQUIT},
	{3, CHARACTER, VERASE},
	{4, CHARACTER, VKILL},
	{5, CHARACTER, VEOF},
	{6, CHARACTER, VEOL},
#ifdef VEOL2
	{7, CHARACTER, VEOL2},
#endif
	{8, CHARACTER, VSTART},
	{9, CHARACTER, VSTOP},
	{10, CHARACTER, VSUSP},
#ifdef VDSUSP
	{11, CHARACTER, VDSUSP},
#endif
#ifdef VREPRINT
	{12, CHARACTER, VREPRINT},
#endif
#ifdef VWERASE
	{13, CHARACTER, VWERASE},
#endif
#ifdef VLNEXT
	{14, CHARACTER, VLNEXT},
#endif
#ifdef VSTATUS
	{17, CHARACTER, VSTATUS},
#endif
#ifdef VDISCARD
	{18, CHARACTER, VDISCARD},
#endif
	{30, IFLAG, IGNPAR},
	{31, IFLAG, PARMRK},
	{32, IFLAG, INPCK},
	{33, IFLAG, ISTRIP},
	{34, IFLAG, INLCR},
	{35, IFLAG, IGNCR},
	{36, IFLAG, ICRNL},
#ifdef IUCLC
	{37, IFLAG, IUCLC},
#endif
	{38, IFLAG, IXON},
	{39, IFLAG, IXANY},
	{40, IFLAG, IXOFF},
#ifdef IMAXBEL
	{41, IFLAG, IMAXBEL},
#endif
#ifdef IUTF8
	{42, IFLAG, IUTF8}, /* RFC 8160 */
#endif
	{50, LFLAG, ISIG},
	{51, LFLAG, ICANON},
#ifdef XCASE
	{52, LFLAG, XCASE},
#endif
	{53, LFLAG, ECHO},
	{54, LFLAG, ECHOE},
	{55, LFLAG, ECHOK},
	{56, LFLAG, ECHONL},
	{57, LFLAG, NOFLSH},
	{58, LFLAG, TOSTOP},
	{59, LFLAG, IEXTEN},
#ifdef ECHOCTL
	{60, LFLAG, ECHOCTL},
#endif
#ifdef ECHOKE
	{61, LFLAG, ECHOKE},
#endif
#ifdef PENDIN
	{62, LFLAG, PENDIN},
#endif
	{70, OFLAG, OPOST},
#ifdef OLCUC
	{71, OFLAG, OLCUC},
#endif
	{72, OFLAG, ONLCR},
#ifdef OCRNL
	{73, OFLAG, OCRNL},
#endif
#ifdef ONOCR
	{74, OFLAG, ONOCR},
#endif
#ifdef ONLRET
	{75, OFLAG, ONLRET},
#endif
	{90, CSIZE_BITS, CS7},
	{91, CSIZE_BITS, CS8},
	{92, CFLAG, PARENB},
	{93, CFLAG, PARODD},
};

struct speed {
	uint32_t baud;
	speed_t code;
};

static const struct speed speeds[] = {
	{0, B0}, {50, B50}, {75, B75}, {110, B110}, {134, B134}, {150, B150}, {200, B200},
	{300, B300}, {600, B600}, {1200, B1200}, {1800, B1800}, {2400, B2400}, {4800, B4800},
	{9600, B9600}, {19200, B19200}, {38400, B38400},
#ifdef B57600
	{57600, B57600},
#endif
#ifdef B115200
	{115200, B115200},
#endif
#ifdef B230400
	{230400, B230400},
#endif
#ifdef B460800
	{460800, B460800},
#endif
#ifdef B921600
	{921600, B921600},
#endif
#ifdef B1000000
	{1000000, B1000000},
#endif
#ifdef B2000000
	{2000000, B2000000},
#endif
#ifdef B4000000
	{4000000, B4000000},
#endif
};

static void
set_bits(tcflag_t *flags, tcflag_t bits, bool on)
{
	if (on)
		*flags |= bits;
	else
		*flags &= ~bits;
}

static void
apply(struct termios *t, const struct mode *m, uint32_t v)
{
	switch (m->kind) {
	case CHARACTER:
		/* 255 says "no character" whatever the systems on both sides use for that */
		t->c_cc[m->bits] = v >= 255 ? (cc_t)_POSIX_VDISABLE : (cc_t)v;
		break;
	case IFLAG:
		set_bits(&t->c_iflag, m->bits, v != 0);
		break;
	case OFLAG:
		set_bits(&t->c_oflag, m->bits, v != 0);
		break;
	case CFLAG:
		set_bits(&t->c_cflag, m->bits, v != 0);
		break;
	case LFLAG:
		set_bits(&t->c_lflag, m->bits, v != 0);
		break;
	case CSIZE_BITS:
		if (v != 0)
			t->c_cflag = (t->c_cflag & ~(tcflag_t)CSIZE) | m->bits;
		break;
	}
}

/* Speeds that are not known here are left as they are. */
static void
set_speed(struct termios *t, uint8_t op, uint32_t baud)
{
	for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
		if (speeds[i].baud != baud)
			continue;
		if (op == OP_ISPEED)
			cfsetispeed(t, speeds[i].code);
		else
			cfsetospeed(t, speeds[i].code);
		return;
	}
}

static void
set_mode(struct termios *t, uint8_t op, uint32_t v)
{
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (modes[i].op == op) {
			apply(t, &modes[i], v);
			return;
		}
	}
}

int
ttymodes_decode(struct termios *t, const uint8_t *p, size_t n)
{
	struct rd r;
	rd_init(&r, p, n);
	while (r.n > 0) {
		uint8_t op = rd_u8(&r);
		if (op == OP_END || op >= OP_UNDEFINED)
			return 0;
		uint32_t v = rd_u32(&r);
		if (r.err)
			return r.err;
		if (op == OP_ISPEED || op == OP_OSPEED)
			set_speed(t, op, v);
		else
			set_mode(t, op, v);
	}
	return 0;
}
