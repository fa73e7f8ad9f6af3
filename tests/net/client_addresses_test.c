/* SPDX-License-Identifier: ISC */
#include "net/client_addresses.h"

#include <errno.h>

#include "lib/ip6_text.h"
#include "tests/host/unit.h"

static const struct {
	const char *text;
	uint32_t ip4;	 /* 0: none */
	const char *ip6; /* NULL: none */
} good[] = {
	{ "10.137.0.10", 0x0a89000a, NULL },
	{ "10.137.0.10 fd09::a", 0x0a89000a, "fd09::a" },
	{ "fd09::a 10.137.0.10", 0x0a89000a, "fd09::a" },
	{ "  fd09::a\t", 0, "fd09::a" },
};

static const char *const bad[] = {
	"",
	"  ",
	"10.137.0.10/24",
	"10.137.0.10 10.137.0.11",
	"fd09::a fd09::b",
	"10.137.0.10,fd09::a",
	"fe80::1",
	"ff02::1",
	"224.0.0.1",
	"127.0.0.1",
	"::",
	"10.137.0.10 x",
	"10.137.0.256",
	"0.0.0.0",
	"255.255.255.255",
};

START_TEST(taken)
{
	struct ip6_address ip6;
	char text[IP6_TEXT_BYTES];
	bool has4, has6;
	be32 ip4;

	ck_assert_int_eq(client_addresses_parse(good[_i].text, &ip4, &has4, &ip6, &has6), 0);
	ck_assert_int_eq(has4, good[_i].ip4 != 0);
	ck_assert_int_eq(has6, good[_i].ip6 != NULL);
	if (has4)
		ck_assert_uint_eq(be32_get(ip4), good[_i].ip4);
	if (has6)
		ck_assert_str_eq(ip6_text_format(ip6.bytes, text), good[_i].ip6);
}
END_TEST

START_TEST(refused)
{
	struct ip6_address ip6;
	bool has4 = true, has6 = true;
	be32 ip4;

	ck_assert_int_eq(client_addresses_parse(bad[_i], &ip4, &has4, &ip6, &has6), -EINVAL);
	ck_assert(!has4 && !has6);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, taken, 0, sizeof(good) / sizeof(*good));
	tcase_add_loop_test(cases, refused, 0, sizeof(bad) / sizeof(*bad));
}

int main(void)
{
	return unit_main("net/client_addresses", add_cases);
}
