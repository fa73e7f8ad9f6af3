/* SPDX-License-Identifier: ISC */
/* What a flow takes: everything that the table asks for, divided by its flows. */
#include "net/router.h"
#include "tests/bench_net/bench.h"

void bench_memory_use(void)
{
	const double mib = 1024 * 1024;

	bench_row_exact("memory", "an IPv4 flow, table of 100,000", "B",
			(double)flow_table_bytes(100000, 0) / 100000, 0);
	bench_row_exact("memory", "an IPv6 flow, table of 100,000", "B",
			(double)flow_table_bytes(100000, 100000) / 100000, 0);
	bench_row_exact("memory", "the router's table of 16,000 flows", "MiB",
			(double)router_memory_bytes(16000) / mib, 16);
	bench_row_exact("memory", "the router's table of 1,000,000 flows", "MiB",
			(double)router_memory_bytes(1000000) / mib, 0);
	bench_row_exact("memory", "the router itself", "KiB", sizeof(struct router) / 1024.0, 0);
}
