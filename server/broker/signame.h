/* Names of signals (RFC 4254 section 6.9). */
#ifndef QSH_SERVER_BROKER_SIGNAME_H
#define QSH_SERVER_BROKER_SIGNAME_H

/* "INT" -> SIGINT, for the signals that a client may send; -1 for another name. */
int signame_to_number(const char *name);
/* A name for any signal that ended a process; "UNKNOWN" where it has none. */
const char *signame_of(int signo);

#endif
