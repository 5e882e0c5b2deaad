/* qshd-listener: reads the datagrams that no connection's socket claims. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "common/base/err.h"
#include "common/base/fd.h"
#include "common/base/log.h"
#include "common/ev/ev.h"
#include "server/ipc/role.h"
#include "server/listener/listener.h"

/* The libraries open their files now: the sandbox lets them open none. */
static int
warm_up(void)
{
	uint8_t b[16];

	if (sodium_init() < 0 || gnutls_global_init() < 0 ||
	    gnutls_rnd(GNUTLS_RND_NONCE, b, sizeof(b)) < 0 ||
	    gnutls_rnd(GNUTLS_RND_RANDOM, b, sizeof(b)) < 0)
		return QERR_CRYPTO;
	randombytes_buf(b, sizeof(b));
	return 0;
}

int
main(void)
{
	struct listener *l = NULL;
	struct ev *ev = NULL;
	int chan, err;

	log_init("qshd-listener", LOG_L_INFO);
	if (fd_sanitise_stdio() != 0)
		return 1;
	chan = role_channel();
	if ((err = warm_up()) != 0 || (err = ev_new(&ev)) != 0 ||
	    (err = listener_new(&l, ev, chan)) != 0) {
		log_error("cannot start: %s", qerr_str(err));
	} else {
		err = ev_run(ev);
		if (err == 0)
			err = listener_result(l);
	}
	listener_free(&l);
	ev_free(&ev);
	return err == 0 ? 0 : 1;
}
