/* SPDX-License-Identifier: ISC */
#include "lib/params.h"

#include <errno.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "lib/ip_text.h"
#include "tests/host/unit.h"

START_TEST(a_good_line)
{
	struct params params;
	char text[IP4_TEXT_BYTES];

	ck_assert_int_eq(params_parse("ip=10.137.0.5/24 gw=10.137.0.1 dns=10.139.1.1,10.139.1.2 "
				      "log=debug fault=null root=/dev/xvda ro console=hvc0",
				      &params),
			 0);
	ck_assert_str_eq(ip4_text_format(params.ip, text), "10.137.0.5");
	ck_assert_uint_eq(params.prefix, 24);
	ck_assert_str_eq(ip4_text_format(params.gateway, text), "10.137.0.1");
	ck_assert_uint_eq(params.dns_count, 2);
	ck_assert_str_eq(ip4_text_format(ip_address_get4(&params.dns[1]), text), "10.139.1.2");
	ck_assert_int_eq(params.log, LOG_DEBUG);
	ck_assert_str_eq(params.fault, "null");
}
END_TEST

START_TEST(what_the_network_tells)
{
	struct params params;

	ck_assert_int_eq(params_parse("ip=dhcp ip6=auto", &params), 0);
	ck_assert(params.dhcp && params.ip6_auto);
	ck_assert(!params.has_ip && !params.has_gateway && !params.has_ip6);
	ck_assert_int_eq(params_parse("ip=10.0.0.5 gw=10.0.0.1", &params), 0);
	ck_assert(!params.dhcp && !params.ip6_auto && !params.has_ip6);
}
END_TEST

START_TEST(nat)
{
	static const struct {
		const char *line;
		bool ip4, ip6;
	} cases[] = {
		{ "ip=dhcp", true, false },	    { "ip=dhcp nat=none", false, false },
		{ "ip=dhcp nat=ip6", false, true }, { "nat=both ip=dhcp", true, true },
		{ "ip=dhcp nat=ip4", true, false },
	};
	struct params params;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ck_assert_int_eq(params_parse(cases[i].line, &params), 0);
		ck_assert_int_eq(params.masquerade4, cases[i].ip4);
		ck_assert_int_eq(params.masquerade6, cases[i].ip6);
	}
	ck_assert_int_ne(params_parse("ip=dhcp nat=ip5", &params), 0);
}
END_TEST

START_TEST(ipv6)
{
	struct params params;
	char text[IP6_TEXT_BYTES];

	ck_assert_int_eq(params_parse("ip=dhcp ip6=2001:db8::5/64,fe80::1 dns=2001:db8::53,9.9.9.9",
				      &params),
			 0);
	ck_assert(params.has_ip6 && !params.ip6_auto);
	ck_assert_str_eq(ip6_text_format(params.ip6.bytes, text), "2001:db8::5");
	ck_assert_uint_eq(params.prefix6, 64);
	ck_assert_str_eq(ip6_text_format(params.gateway6.bytes, text), "fe80::1");
	ck_assert_uint_eq(params.dns_count, 2);
	ck_assert_str_eq(ip6_text_format(params.dns[0].bytes, text), "2001:db8::53");
	ck_assert_uint_eq(params.dns[1].version, 4);
}
END_TEST

/* What dom0 gives without no-default-kernelopts, and words of ours behind it. */
START_TEST(qubesos)
{
	struct params params;

	ck_assert_int_eq(params_parse_qubes("root=/dev/mapper/dmroot ro nomodeset console=hvc0 "
					    "rd_NO_PLYMOUTH xen_privcmd.unrestricted word=new",
					    &params),
			 0);
	ck_assert(!params.has_ip && !params.has_gateway && params.qubes);
	ck_assert_uint_eq(params.unknown, 2);
	ck_assert_int_eq(params_parse_qubes("ip=10.137.0.5 gw=10.137.0.1 log=debug", &params), 0);
	ck_assert(params.has_ip && params.has_gateway && params.log == LOG_DEBUG);
	ck_assert_int_eq(params_parse_qubes("", &params), 0);
	ck_assert_int_eq(params_parse_qubes("ip=10.137.0 word", &params), -EINVAL);
	ck_assert_int_eq(params_parse_qubes("ip=dhcp", &params), -EINVAL);
	ck_assert_int_eq(params_parse("ip=dhcp qubes=no", &params), 0);
	ck_assert(!params.qubes);
	ck_assert_int_eq(params_parse("ip=dhcp qubes=auto", &params), 0);
	ck_assert(params.qubes);
	ck_assert_int_eq(params_parse("ip=dhcp qubes=yes", &params), -EINVAL);
}
END_TEST

START_TEST(disks)
{
	struct params params;

	ck_assert_int_eq(params_parse("ip=dhcp", &params), 0);
	ck_assert_str_eq(params.rules_disk, "");
	ck_assert_str_eq(params.log_disk, "");
	ck_assert_int_eq(params_parse("ip=dhcp rules=xvdb logdisk=xvda", &params), 0);
	ck_assert_str_eq(params.rules_disk, "xvdb");
	ck_assert_str_eq(params.log_disk, "xvda");
	ck_assert_int_eq(params_parse("ip=dhcp logdisk=vbd123456789abc", &params), 0);
	ck_assert_str_eq(params.log_disk, "vbd123456789abc");
	ck_assert(!params.log_disk_format);
	ck_assert_int_eq(params_parse("ip=dhcp logdisk=xvda,format", &params), 0);
	ck_assert_str_eq(params.log_disk, "xvda");
	ck_assert(params.log_disk_format);
	/* Rules are QubesDB's there, and no end point has any. */
	ck_assert_int_eq(params_parse_qubes("logdisk=xvdb", &params), 0);
	ck_assert_str_eq(params.log_disk, "xvdb");
	ck_assert_int_eq(params_parse_qubes("rules=xvdb", &params), -EINVAL);
	ck_assert_int_eq(params_parse_station("ip=dhcp rules=xvdb", "httpd", &params), -EINVAL);
	ck_assert_int_eq(params_parse_station("ip=dhcp logdisk=xvdb", "httpd", &params), -EINVAL);
}
END_TEST

static const struct {
	const char *line;
	uint32_t column; /* of the first error */
} mistakes[] = {
	{ "", 1 },
	{ "ip=10.0.0.5/24", 15 },
	{ "ip=10.0.0.5/33 gw=10.0.0.1", 4 },
	{ "ip=10.0.0.05 gw=10.0.0.1", 4 },
	{ "ip=10.0.0.256 gw=10.0.0.1", 4 },
	{ "ip=10.0.0 gw=10.0.0.1", 4 },
	{ "ip=10.0.0.5x gw=10.0.0.1", 4 },
	{ "ip=224.0.0.1 gw=10.0.0.1", 4 },
	{ "ip=127.0.0.1 gw=10.0.0.1", 4 },
	{ "ip=0.0.0.0 gw=10.0.0.1", 4 },
	{ "ip=10.0.0.5 gw=", 16 },
	{ "ip gw=10.0.0.1", 1 },
	{ "ip=10.0.0.5 gw=10.0.0.5", 1 },
	{ "ip=10.0.0.5 gw=10.0.0.1 ip=10.0.0.6", 25 },
	{ "ip=10.0.0.5 gw=10.0.0.1 colour=blue", 25 },
	{ "ip=10.0.0.5 gw=10.0.0.1 log=loud", 29 },
	{ "ip=10.0.0.5 gw=10.0.0.1 dns=1.1.1.1,,2.2.2.2", 37 },
	{ "ip=10.0.0.5 gw=10.0.0.1 dns=1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5", 61 },
	{ "ip=10.0.0.5 gw=10.0.0.1 fault=", 31 },
	{ "ip=dhcp gw=10.0.0.1", 1 },
	{ "ip=dhcpd", 4 },
	{ "ip=dhcp ip6=2001:db8::5/64", 27 },
	{ "ip=dhcp ip6=2001:db8::5/64,", 27 },
	{ "ip=dhcp ip6=2001:db8::5/129,fe80::1", 13 },
	{ "ip=dhcp ip6=fe80::5/64,fe80::1", 13 },
	{ "ip=dhcp ip6=ff02::5/64,fe80::1", 13 },
	{ "ip=dhcp ip6=::1,fe80::1", 13 },
	{ "ip=dhcp ip6=2001:db8::5/64,ff02::2", 27 },
	{ "ip=dhcp ip6=2001:db8::5/64,2001:db8::5", 13 },
	{ "ip=dhcp ip6=auto ip6=auto", 18 },
	{ "ip=dhcp dns=::", 13 },
	{ "ip=dhcp rules=", 15 },
	{ "ip=dhcp rules=/dev/xvdb", 15 },
	{ "ip=dhcp rules=xvdb rules=xvdc", 20 },
	{ "ip=dhcp logdisk=1a", 17 },
	{ "ip=dhcp logdisk=x", 17 },
	{ "ip=dhcp logdisk=,format", 17 },
	{ "ip=dhcp logdisk=xvda,make", 17 },
	{ "ip=dhcp rules=xvda,format", 15 },
	{ "ip=dhcp logdisk=XVDA", 17 },
	{ "ip=dhcp logdisk=vbd123456789abcd", 17 },
	{ "ip=dhcp logdisk=xvda rules=xvda", 1 },
};

START_TEST(mistake)
{
	struct params params;

	ck_assert_msg(params_parse(mistakes[_i].line, &params) == -EINVAL, "%s", mistakes[_i].line);
	ck_assert_msg(params.errors[0].column == mistakes[_i].column, "%s: %u: %s",
		      mistakes[_i].line, params.errors[0].column, params.errors[0].message);
}
END_TEST

START_TEST(who_manages)
{
	static const struct {
		const char *value, *address;
		uint16_t port;
		bool uplink;
	} good[] = {
		{ "10.137.1.10", "10.137.1.10", 80, false },
		{ "10.137.1.10:8080", "10.137.1.10", 8080, false },
		{ "192.0.2.7,uplink", "192.0.2.7", 80, true },
		{ "192.0.2.7:65535,uplink", "192.0.2.7", 65535, true },
		{ "fd00::9", "fd00::9", 80, false },
		{ "[fd00::9]", "fd00::9", 80, false },
		{ "[fd00::9]:1", "fd00::9", 1, false },
		{ "fd00::9,uplink", "fd00::9", 80, true },
	};
	static const char *const bad[] = {
		"",
		"x",
		"0.0.0.0",
		"127.0.0.1",
		"224.0.0.1",
		"10.0.0.1:",
		"10.0.0.1:0",
		"10.0.0.1:65536",
		"10.0.0.1:080000",
		"10.0.0.1:8x",
		"10.0.0.1/24",
		"10.0.0.1,client",
		",uplink",
		"10.0.0.1,",
		"[10.0.0.1]",
		"[fd00::9",
		"[fd00::9]80",
		"[fd00::9]:",
		"fd00::9]",
		"ff02::1",
		"fe80::1",
		"::",
		"10.0.0.1,uplink,uplink",
	};
	struct params params;
	struct params_manage manage;
	char line[100], text[IP_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "ip=dhcp manage=%s", good[i].value);
		ck_assert_int_eq(params_parse(line, &params), 0);
		ck_assert_str_eq(ip_text_format(&params.manage.peer, text), good[i].address);
		ck_assert_uint_eq(params.manage.port, good[i].port);
		ck_assert_int_eq(params.manage.uplink, good[i].uplink);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_msg(params_parse_manage(bad[i], strlen(bad[i]), &manage), "%s", bad[i]);
		snprintf(line, sizeof(line), "ip=dhcp manage=%s", bad[i]);
		ck_assert_int_eq(params_parse(line, &params), -EINVAL);
		ck_assert_uint_eq(params.manage.peer.version, 0);
	}
	/* Nobody, when nothing is said. */
	ck_assert_int_eq(params_parse("ip=dhcp", &params), 0);
	ck_assert_uint_eq(params.manage.peer.version, 0);
}
END_TEST

START_TEST(words_of_an_application)
{
	static const char line[] = "ip=10.0.0.2/24 iperf=-s,-1 gw=10.0.0.1 iperf-more";
	struct params params;

	ck_assert_int_eq(params_parse_station(line, "iperf", &params), 0);
	ck_assert(params.has_ip && params.has_gateway);
	ck_assert_int_eq(params_parse_station(line, "httpd", &params), -EINVAL);
	ck_assert_int_eq(params_parse(line, &params), -EINVAL);
}
END_TEST

START_TEST(many_errors_are_bounded)
{
	struct params params;

	ck_assert_int_eq(params_parse("a b c d e f g h i j k l m n o p q r s t", &params), -EINVAL);
	ck_assert_uint_gt(params.error_count, PARAMS_ERRORS_MAX);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, a_good_line);
	tcase_add_test(cases, what_the_network_tells);
	tcase_add_test(cases, nat);
	tcase_add_test(cases, ipv6);
	tcase_add_test(cases, qubesos);
	tcase_add_test(cases, disks);
	tcase_add_test(cases, who_manages);
	tcase_add_loop_test(cases, mistake, 0, sizeof(mistakes) / sizeof(mistakes[0]));
	tcase_add_test(cases, words_of_an_application);
	tcase_add_test(cases, many_errors_are_bounded);
}

int main(void)
{
	return unit_main("lib/params", add_cases);
}
