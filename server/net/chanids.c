#include "server/net/chanids.h"

#include "common/base/err.h"

static uint64_t
mask(uint64_t index)
{
	return UINT64_C(1) << (index % 64);
}

static bool
bit(const struct chanids *c, uint64_t index)
{
	return (c->bits[index % CHANIDS_SPAN / 64] & mask(index)) != 0;
}

int
chanids_add(struct chanids *c, uint64_t stream_id)
{
	uint64_t index = stream_id / 4;

	if (index < c->low)
		return 0;
	if (index - c->low >= CHANIDS_SPAN)
		return QERR_TOOBIG;
	c->bits[index % CHANIDS_SPAN / 64] |= mask(index);
	for (; bit(c, c->low); c->low++)
		c->bits[c->low % CHANIDS_SPAN / 64] &= ~mask(c->low);
	return 0;
}

bool
chanids_has(const struct chanids *c, uint64_t stream_id)
{
	uint64_t index = stream_id / 4;

	if (index < c->low)
		return true;
	return index - c->low < CHANIDS_SPAN && bit(c, index);
}
