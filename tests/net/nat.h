/* Source NAT on the emulated link: every flow of side a appears to side b under another address
 * and port, as behind a home router; a rebinding gives each flow a new port (and address). */
#ifndef QSH_TESTS_NET_NAT_H
#define QSH_TESTS_NET_NAT_H

#include <stddef.h>
#include <stdint.h>

struct nat;

struct nat *nat_new(void);
void nat_free(struct nat **nat);
/* IPv4 address (network order) under which flows appear from now on; forgets all mappings, so
 * that live flows continue from new ports. 0 switches translation off. */
void nat_bind(struct nat *nat, uint32_t addr);
/* Translate a packet in place. -1: drop it (side b sent to a mapping that is gone). */
int nat_a2b(struct nat *nat, uint8_t *p, size_t n);
int nat_b2a(struct nat *nat, uint8_t *p, size_t n);

#endif
