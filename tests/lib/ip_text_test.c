/* SPDX-License-Identifier: ISC */
#include "lib/ip_text.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"

START_TEST(either_version)
{
	static const struct {
		const char *text;
		uint8_t version;
	} good[] = { { "10.137.0.5", 4 }, { "255.255.255.255", 4 }, { "::", 6 }, { "fd09::a", 6 } };
	static const char *const bad[] = {
		"", "10.0.0", "10.0.0.1/8", "fd09::g", "a.example", " ::"
	};
	char text[IP_TEXT_BYTES];
	struct ip_address address;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(ip_text_parse(good[i].text, strlen(good[i].text), &address), 0);
		ck_assert_uint_eq(address.version, good[i].version);
		ck_assert_str_eq(ip_text_format(&address, text), good[i].text);
	}
	memset(&address, 7, sizeof(address));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(ip_text_parse(bad[i], strlen(bad[i]), &address), -EINVAL);
	ck_assert_uint_eq(address.version, 7);
	/* Only what is said to be there is read. */
	ck_assert_int_eq(ip_text_parse("10.0.0.12", 8, &address), 0);
	ck_assert_str_eq(ip_text_format(&address, text), "10.0.0.1");
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, either_version);
}

int main(void)
{
	return unit_main("lib/ip_text", add_cases);
}
