/* SPDX-License-Identifier: ISC */
/*
 * What the command line asks for: one word, `iperf=` and iperf3's options between commas, as
 * iperf=-s  iperf=-s,-1,-p,5202  iperf=-c,10.0.0.1,-R,-P,4,-t,10
 */
#pragma once

#include "configs/iperf/iperf.h"

struct iperf_options {
	bool server;
	bool once;		    /* -1: a server ends after one test */
	struct socket_address peer; /* of a client; of a server the port alone */
	uint32_t interval_s;	    /* between lines; 0: none */
	struct iperf_settings settings;
};

/*
 * 0; -EINVAL: an option is wrong, which *wrong names with up to `*wrong_bytes` bytes; -ENOENT:
 * there is no such word.
 */
must_check int iperf_options_parse(const char *arguments, struct iperf_options *options,
				   const char **wrong, size_t *wrong_bytes);
