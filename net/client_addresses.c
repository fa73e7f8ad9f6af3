/* SPDX-License-Identifier: ISC */
#include "net/client_addresses.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "net/martian6.h"
#include "net/parse.h"

static int word_take(const char *word, size_t length, be32 *ip4, bool *has4,
		     struct ip6_address *ip6, bool *has6)
{
	struct ip6_address six;
	be32 four;

	if (ip4_text_parse(word, length, &four) == 0) {
		if (*has4 || address_is_martian(four))
			return -EINVAL;
		*ip4 = four;
		*has4 = true;
		return 0;
	}
	if (*has6 || ip6_text_parse(word, length, six.bytes) || ip6_address_is_martian(&six))
		return -EINVAL;
	*ip6 = six;
	*has6 = true;
	return 0;
}

int client_addresses_parse(const char *text, be32 *ip4, bool *has4, struct ip6_address *ip6,
			   bool *has6)
{
	int error = 0;

	*has4 = *has6 = false;
	for (text += strspn(text, " \t"); *text && !error; text += strspn(text, " \t")) {
		size_t length = strcspn(text, " \t");

		error = word_take(text, length, ip4, has4, ip6, has6);
		text += length;
	}
	if (!error && (*has4 || *has6))
		return 0;
	*has4 = *has6 = false;
	return -EINVAL;
}
