/* Letting go of a stream that lives on in the transport. */
#ifndef QSH_CHAN_DETACH_H
#define QSH_CHAN_DETACH_H

#include "common/net/transport.h"

/* Nobody listens to s any more: what still comes on it is dropped, its credit returned. */
void chan_detach(struct tp_stream *s);

#endif
