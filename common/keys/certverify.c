/* The one form of input that a host key signs. */
#include <string.h>

#include "common/keys/keys.h"

#define PAD_LEN 64
#define CONTEXT "TLS 1.3, server CertificateVerify" /* the zero byte behind it belongs to it */

bool
certverify_wellformed(const uint8_t *p, size_t n)
{
	const size_t head = PAD_LEN + sizeof(CONTEXT);

	if (n != head + 32 && n != head + 48)
		return false;
	for (size_t i = 0; i < PAD_LEN; i++)
		if (p[i] != ' ')
			return false;
	return memcmp(p + PAD_LEN, CONTEXT, sizeof(CONTEXT)) == 0;
}
