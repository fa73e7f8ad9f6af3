/* SPDX-License-Identifier: ISC */
/*
 * The kernel command line: words "key=value" separated by blanks.
 *
 *	ip=10.137.0.5/24	our address on the uplink (a bare address means /32)
 *	gw=10.137.0.1		the gateway there; may lie outside the prefix
 *	dns=A[,B...]		resolvers, up to PARAMS_DNS_MAX
 *	log=error|warn|info|debug
 *	fault=WORD		fault on purpose after start (see arch/x86/fault.h)
 *
 * Words that QubesOS and xl give to every Linux kernel are tolerated. Everything else
 * that is not understood is an error, and all errors are collected.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/byteorder.h"
#include "lib/compiler.h"
#include "lib/log.h"

#define PARAMS_DNS_MAX 4u
#define PARAMS_FAULT_BYTES 16u
#define PARAMS_ERRORS_MAX 8u

struct params_error {
	uint32_t column; /* from 1 */
	char message[96];
};

struct params {
	bool has_ip, has_gateway;
	be32 ip;
	uint8_t prefix;
	be32 gateway;
	be32 dns[PARAMS_DNS_MAX];
	uint32_t dns_count;
	enum log_level log;
	char fault[PARAMS_FAULT_BYTES]; /* "" : none */
	uint32_t error_count;		/* of errors[], at most PARAMS_ERRORS_MAX are kept */
	struct params_error errors[PARAMS_ERRORS_MAX];
};

/* Parses all of it. 0, or -EINVAL with error_count > 0; what was good is filled in. */
must_check int params_parse(const char *cmdline, struct params *params);
