/* SPDX-License-Identifier: ISC */
#include "lib/ip6_text.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/host/unit.h"

static const struct {
	const char *text, *canonical; /* NULL: refused */
} addresses[] = {
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
	{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
	{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
	{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
	{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
	{ "", NULL },
	{ ":", NULL },
	{ ":::", NULL },
	{ "1", NULL },
	{ "1::2::3", NULL },
	{ "1:2:3:4:5:6:7", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "1:2:3:4:5:6:7:8::", NULL },
	{ "1::2:3:4:5:6:7:8", NULL },
	{ ":1:2:3:4:5:6:7", NULL },
	{ "1:2:3:4:5:6:7:", NULL },
	{ "12345::", NULL },
	{ "g::", NULL },
	{ "fe80::1%eth0", NULL },
	{ "::1.2.3", NULL },
	{ "::1.2.3.4:5", NULL },
	{ "1:2:3:4:5:6:7:1.2.3.4", NULL },
};

START_TEST(known_addresses)
{
	const char *text = addresses[_i].text;
	uint8_t bytes[16];
	char out[IP6_TEXT_BYTES];
	int result = ip6_text_parse(text, strlen(text), bytes);

	ck_assert_msg((result == 0) == (addresses[_i].canonical != NULL), "\"%s\"", text);
	if (!result)
		ck_assert_str_eq(ip6_text_format(bytes, out), addresses[_i].canonical);
}
END_TEST

START_TEST(prefixes)
{
	uint8_t bytes[16], prefix;

	ck_assert_int_eq(ip6_text_parse_prefix("2001:db8::/32", 13, bytes, &prefix), 0);
	ck_assert_uint_eq(prefix, 32);
	ck_assert_int_eq(ip6_text_parse_prefix("::", 2, bytes, &prefix), 0);
	ck_assert_uint_eq(prefix, 128);
	ck_assert_int_ne(ip6_text_parse_prefix("::/129", 6, bytes, &prefix), 0);
	ck_assert_int_ne(ip6_text_parse_prefix("::/", 3, bytes, &prefix), 0);
}
END_TEST

/* The C library reads the same of random texts, and what we write reads back. */
START_TEST(agrees_with_the_c_library)
{
	static const char letters[] = "0123fF::::..";
	uint64_t state = (unit_seed() + (uint64_t)_i) | 1;
	uint8_t ours[16], theirs[16];
	char text[40], out[IP6_TEXT_BYTES];

	for (unsigned int n = 0; n < 2000; n++) {
		size_t length = unit_random(&state) % 20;

		for (size_t i = 0; i < length; i++)
			text[i] = letters[unit_random(&state) % (sizeof(letters) - 1)];
		text[length] = '\0';
		ck_assert_msg((ip6_text_parse(text, length, ours) == 0) ==
				      (inet_pton(AF_INET6, text, theirs) == 1),
			      "\"%s\"", text);
		for (size_t i = 0; i < 16; i++)
			ours[i] = unit_random(&state) % 3 ? 0 : (uint8_t)unit_random(&state);
		ip6_text_format(ours, out);
		ck_assert_int_eq(ip6_text_parse(out, strlen(out), theirs), 0);
		ck_assert_msg(memcmp(ours, theirs, 16) == 0, "%s", out);
	}
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, known_addresses, 0, sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_test(cases, prefixes);
	tcase_add_loop_test(cases, agrees_with_the_c_library, 0, 10);
}

int main(void)
{
	return unit_main("lib/ip6_text", add_cases);
}
