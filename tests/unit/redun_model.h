/* A receiver of one stream, told by bytes what comes, and an account of what must hold: every offset is
 * given once and in order, nothing beyond the credit, and credit comes back once. Aborts where not. */
#ifndef QSH_TESTS_UNIT_REDUN_MODEL_H
#define QSH_TESTS_UNIT_REDUN_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* Returns how many bytes datagrams brought first. */
size_t redun_model_run(const uint8_t *p, size_t n);

#endif
