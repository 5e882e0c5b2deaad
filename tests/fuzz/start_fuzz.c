/* A session's start request: what it becomes, and its environment. The policy comes from the first byte. */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "server/broker/env.h"
#include "server/broker/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
check(const struct smsg_binit *init, const struct smsg_start *s)
{
	struct plan plan;
	struct strlist env = {0};
	struct tp_path path;
	const char *why = NULL;
	memset(&path, 0, sizeof path);
	int r = plan_make(&plan, init, s, 0, &why);
	if (r < 0) {
		if (r == QERR_DENIED && !why)
			abort();
		return;
	}
	if (plan.pty && !init->permit_tty)
		abort();
	if (init->force_command[0] && strcmp(plan.command, init->force_command) != 0)
		abort();
	if (addr_parse(&path.remote, "192.0.2.1", 1) < 0 || addr_parse(&path.local, "192.0.2.2", 2) < 0)
		abort();
	const struct env_in in = {.init = init, .start = s, .path = &path, .original = plan.original};
	if (env_build(&env, &in) == 0) {
		/* only what AcceptEnv names, and nothing over what the server says */
		if (env_get(&env, "LD_PRELOAD") || strcmp(env_get(&env, "USER"), init->user) != 0)
			abort();
		for (size_t i = 0; i < env.n; i++) {
			const char *eq = strchr(env.v[i], '=');
			if (!eq || eq == env.v[i])
				abort();
		}
	}
	strlist_free(&env);
	plan_free(&plan);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char user[] = "alice", home[] = "/home/alice", shell[] = "/bin/sh", none[] = "";
	char forced[] = "forced", pat1[] = "LC_*", pat2[] = "USER", sub1[] = "sftp /usr/lib/sftp-server";
	char sub2[] = "in internal-sftp", *pats[] = {pat1, pat2}, *subs[] = {sub1, sub2};
	struct smsg_start s;
	struct rd r;
	if (n < 1)
		return 0;
	struct smsg_binit init = {.user = user,
	    .home = home,
	    .shell = shell,
	    .uid = 1000,
	    .force_command = p[0] & 1 ? forced : none,
	    .permit_tty = p[0] >> 1 & 1,
	    .max_sessions = 1,
	    .accept_env = {pats, 2},
	    .subsystems = {subs, 2}};
	rd_init(&r, p + 1, n - 1);
	if (smsg_get_start(&r, &s) == 0) {
		check(&init, &s);
		smsg_free_start(&s);
	}
	return 0;
}
