/* Looking a host on a port up in known_hosts. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/keys/knownhosts.h"

/* Keys are often known from before a host's port was changed. */
static int
check_without_port(const char *const *files, size_t nfiles, const char *host,
    const struct pubkey *k, struct kh_result *r)
{
	struct kh_result bare;

	int err = kh_check(files, nfiles, host, NULL, k, &bare);
	if (err) {
		kh_result_free(r);
		return err;
	}
	if (bare.status == KH_OK || bare.status == KH_REVOKED) {
		r->status = bare.status;
		r->path = bare.path;
		r->line = bare.line;
		bare.path = NULL;
	}
	kh_result_free(&bare);
	return 0;
}

int
kh_check_host(const char *const *files, size_t nfiles, const char *host, const char *ip,
    unsigned port, const struct pubkey *k, struct kh_result *r)
{
	char *name = kh_host_name(host, port);
	char *ip_name = ip ? kh_host_name(ip, port) : NULL;
	int err = QERR_NOMEM;

	if (name && (ip_name || !ip))
		err = kh_check(files, nfiles, name, ip_name, k, r);
	if (!err && r->status == KH_NEW && port != 0 && port != 22)
		err = check_without_port(files, nfiles, host, k, r);
	free(ip_name);
	free(name);
	return err;
}
