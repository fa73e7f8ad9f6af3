/* SPDX-License-Identifier: ISC */
#include "configs/iperf/greeting.h"

#include <string.h>

const uint8_t iperf_greeting[] = { '9', '8', '7', '6' };
const uint8_t iperf_greeting_answer[] = { '6', '7', '8', '9' };
static const uint8_t greeting_of_old[] = { 0x15, 0xcd, 0x5b, 0x07 }; /* 123456789 */

bool iperf_is_greeting(const uint8_t *data, int bytes)
{
	return bytes == (int)IPERF_GREETING_BYTES &&
	       (memcmp(data, iperf_greeting, IPERF_GREETING_BYTES) == 0 ||
		memcmp(data, greeting_of_old, IPERF_GREETING_BYTES) == 0);
}

void iperf_cookie_make(struct random *random, char *cookie)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (uint32_t i = 0; i < IPERF_COOKIE_BYTES - 1; i++)
		cookie[i] = letters[random_below(random, sizeof(letters) - 1)];
	cookie[IPERF_COOKIE_BYTES - 1] = '\0';
}
