/* SPDX-License-Identifier: ISC */
#include "net/tcp_ports.h"

#include <errno.h>

#include "lib/panic.h"

static uint32_t port_count(const struct tcp_ports *ports)
{
	return (uint32_t)ports->last - ports->first + 1;
}

void tcp_ports_init(struct tcp_ports *ports, struct random *random, uint16_t first, uint16_t last)
{
	if (!first || first > last)
		panic("ephemeral ports from %u to %u", first, last);
	*ports = (struct tcp_ports){ .random = random, .first = first, .last = last };
	random_bytes(random, &ports->offset_key, sizeof(ports->offset_key));
	random_bytes(random, &ports->counter_key, sizeof(ports->counter_key));
	for (uint32_t i = 0; i < TCP_PORTS_COUNTERS; i++)
		ports->counters[i] = (uint16_t)random_below(random, port_count(ports));
}

static uint64_t bit_of(uint16_t port)
{
	return 1ull << port % 64;
}

bool tcp_ports_is_reserved(const struct tcp_ports *ports, uint16_t port)
{
	return ports->reserved[port / 64] & bit_of(port);
}

int tcp_ports_reserve(struct tcp_ports *ports, uint16_t port)
{
	if (!port)
		return -EINVAL;
	if (tcp_ports_is_reserved(ports, port))
		return -EADDRINUSE;
	ports->reserved[port / 64] |= bit_of(port);
	return 0;
}

void tcp_ports_release(struct tcp_ports *ports, uint16_t port)
{
	ports->reserved[port / 64] &= ~bit_of(port);
}

int tcp_ports_choose(struct tcp_ports *ports, struct tcp_key *key, tcp_ports_is_free *is_free,
		     void *context)
{
	uint32_t count = port_count(ports), at;
	uint16_t *counter;

	key->own_port = be16_of(0);
	at = (uint32_t)(siphash(&ports->offset_key, key, sizeof(*key)) % count);
	counter = &ports->counters[siphash(&ports->counter_key, key, sizeof(*key)) %
				   TCP_PORTS_COUNTERS];
	for (uint32_t i = 0; i < count; i++) {
		uint16_t port = (uint16_t)(ports->first + (at + *counter + i) % count);

		if (tcp_ports_is_reserved(ports, port))
			continue;
		key->own_port = be16_of(port);
		if (!is_free(context, key))
			continue;
		i += 1 + random_below(ports->random, TCP_PORTS_STEP_MAX);
		*counter = (uint16_t)((*counter + i) % count);
		return 0;
	}
	key->own_port = be16_of(0);
	return -EADDRNOTAVAIL;
}
