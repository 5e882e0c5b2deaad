/* Initial state of Blowfish: the P array (18 words), then the four S boxes. */
#ifndef QSH_KEYS_BLOWFISH_PI_H
#define QSH_KEYS_BLOWFISH_PI_H

#include <stdint.h>

#define BLOWFISH_P_WORDS  18
#define BLOWFISH_S_WORDS  (4 * 256)
#define BLOWFISH_PI_WORDS (BLOWFISH_P_WORDS + BLOWFISH_S_WORDS)

extern const uint32_t blowfish_pi[BLOWFISH_PI_WORDS];

#endif
