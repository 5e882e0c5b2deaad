/* A simulated client with several addresses, of which some are there, and some of those work, and with the path
 * manager that decides over which of them its connection goes. */
#ifndef QSH_TESTS_SIM_SIMMACHINE_H
#define QSH_TESTS_SIM_SIMMACHINE_H

#include "quic/user/roam.h"
#include "tests/sim/simpeer.h"

/* Its addresses. The first that is here has the route. */
enum { WLAN, CABLE, PHONE, SIX, NADDRS };

struct machine {
	struct simpair pair;         /* limits may be changed before machine_start */
	struct roam *roam;
	struct ev_timer *timer;
	struct tp_path link[ROAM_LINKS];
	bool open[ROAM_LINKS];
	struct {
		struct addr host;
		bool here, works;
	} addr[NADDRS];
	uint16_t port;
	uint16_t binding;            /* of an address translator before all of them: machine_rebind */
	unsigned opened;
	struct tp_conn_ops ops;
	unsigned events[TP_PATH_KEPT + 1], silences;
	bool silent;
	struct simstream *up, *down; /* these are the test's: a stream of the client's as both ends have it, */
	size_t sent, back;           /* and how far it had come at some time */
};

/* A network of 10 ms each way without faults; the address WLAN is there and works. stay: as roam_new has it. */
void machine_init(struct machine *m, uint64_t seed);
void machine_connect(struct machine *m, bool stay);
void machine_free(struct machine *m);
/* An address comes, goes, or ceases to work; nobody is told. */
void machine_here(struct machine *m, int i, bool is_here, bool works);
/* The system tells. resumed: it was asleep. */
void machine_news(struct machine *m, bool resumed);
/* The translator forgets: what the client sends comes from other ports, and what was for the old ones is lost. */
void machine_rebind(struct machine *m);
/* Runs what is due after something outside has changed. */
void machine_arm(struct machine *m);
/* Links that are open. */
unsigned machine_links(const struct machine *m);

#endif
