/* SPDX-License-Identifier: ISC */
#include "configs/metrics_source.h"

#include <string.h>

#define NS_PER_SECOND UINT64_C(1000000000)

static void count_flows(struct metrics_source *source)
{
	const struct flow_table *table = &source->router->flows;

	memset(source->flows, 0, sizeof(source->flows));
	for (uint32_t i = 0; i < table->total; i++)
		source->flows[table->flows[i].state]++;
}

void metrics_source_refresh(struct metrics_source *source)
{
	uint64_t now = source->now_ns();

	if (source->machine)
		source->machine(&source->now);
	if (source->sockets)
		source->use = sockets_use(source->sockets);
	if (!source->router || (source->flows_counted && now - source->flows_ns < NS_PER_SECOND))
		return;
	count_flows(source);
	source->flows_counted = true;
	source->flows_ns = now;
}

const struct router_interface *metrics_interface(const struct metrics_source *source,
						 uint32_t index)
{
	const struct router_interface *interface = &source->router->interfaces[index];

	return interface->netdev ? interface : NULL;
}
