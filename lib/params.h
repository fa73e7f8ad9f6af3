/* SPDX-License-Identifier: ISC */
/*
 * The kernel command line: words "key=value" separated by blanks.
 *
 *	ip=10.137.0.5/24	our address on the uplink (a bare address means /32)
 *	ip=dhcp			the address, gateway and resolvers by DHCP
 *	gw=10.137.0.1		the gateway there; may lie outside the prefix; not with DHCP
 *	ip6=A/LEN,GATEWAY	our IPv6 address there and its gateway
 *	ip6=auto		both by router advertisements; without ip6= there is no IPv6
 *	dns=A[,B...]		resolvers of either version, up to PARAMS_DNS_MAX; with them
 *				those that DHCP or routers name do not count
 *	nat=ip4|ip6|both|none	of which version what goes to the uplink has our address when
 *				no rule says anything else; ip4 when it is not said
 *	log=error|warn|info|debug
 *	manage=ADDRESS[:PORT][,uplink]
 *				the one client, or with ",uplink" the one host out there, that is
 *				shown the firewall's counters by HTTP on that port, 80 when it is
 *				not said; an IPv6 address with a port stands in brackets
 *	rules=DISK		the disk that the rule file is on, as Linux would call it: xvdb;
 *				then there is no ramdisk (configs/rules_disk.h tells its format)
 *	logdisk=DISK[,format]	the disk that keeps the log: xvda; an empty one, or one that has a
 *				log already; with ",format" also any other, whose content is lost
 *	qubes=auto|no		no: not as a qube of QubesOS, though its dom0 offers to be one
 *	fault=WORD		fault on purpose after start (see arch/x86/fault.h)
 *
 * Words that QubesOS and xl give to every Linux kernel are tolerated. Everything else
 * that is not understood is an error, and all errors are collected. Under QubesOS, which adds
 * words of its own from one release to the next, unknown ones are tolerated too, and addresses
 * are not needed: what is given here then counts instead of what QubesDB says. Rules come from
 * QubesDB alone there. Disks that are not named are not touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/ip_address.h"
#include "lib/log.h"

#define PARAMS_DNS_MAX 4u
#define PARAMS_FAULT_BYTES 16u
#define PARAMS_ERRORS_MAX 8u
#define PARAMS_DISK_BYTES 16u

struct params_error {
	uint32_t column; /* from 1 */
	char message[96];
};

/* peer.version 0: nobody. */
struct params_manage {
	struct ip_address peer;
	uint16_t port;
	bool uplink;
};

struct params {
	bool has_ip, has_gateway;
	bool dhcp; /* ip=dhcp: has_ip and has_gateway are false */
	be32 ip;
	uint8_t prefix;
	be32 gateway;
	bool ip6_auto, has_ip6; /* at most one of them */
	uint8_t prefix6;
	struct ip_address ip6, gateway6;
	bool masquerade4, masquerade6;
	bool qubes;	  /* not qubes=no */
	uint32_t unknown; /* words that were tolerated though nobody knows them */
	struct ip_address dns[PARAMS_DNS_MAX];
	uint32_t dns_count;
	enum log_level log;
	struct params_manage manage;
	char rules_disk[PARAMS_DISK_BYTES]; /* "": none */
	char log_disk[PARAMS_DISK_BYTES];   /* the same */
	bool log_disk_format;
	char fault[PARAMS_FAULT_BYTES]; /* "" : none */
	uint32_t error_count;		/* of errors[], at most PARAMS_ERRORS_MAX are kept */
	struct params_error errors[PARAMS_ERRORS_MAX];
};

/* Parses all of it. 0, or -EINVAL with error_count > 0; what was good is filled in. */
must_check int params_parse(const char *cmdline, struct params *params);

/* The same, where words that begin with `own` are the application's and not looked at. */
must_check int params_parse_station(const char *cmdline, const char *own, struct params *params);

/* The same under QubesOS. */
must_check int params_parse_qubes(const char *cmdline, struct params *params);

/* The value of manage=, `length` bytes. 0 or -EINVAL. */
must_check int params_parse_manage(const char *text, size_t length, struct params_manage *manage);
