/* SPDX-License-Identifier: ISC */
#include "drivers/netback_multicast.h"

#include <errno.h>
#include <string.h>

#define NOT_THERE UINT32_MAX

void netback_multicast_init(struct netback_multicast *multicast, bool controlled)
{
	multicast->controlled = controlled;
	multicast->count = 0;
}

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

static bool is_broadcast(const uint8_t *mac)
{
	static const uint8_t all[NETDEV_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	return memcmp(mac, all, sizeof(all)) == 0;
}

static uint32_t group_find(const struct netback_multicast *multicast, const uint8_t *mac)
{
	for (uint32_t i = 0; i < multicast->count; i++)
		if (memcmp(multicast->groups[i], mac, NETDEV_MAC_BYTES) == 0)
			return i;
	return NOT_THERE;
}

bool netback_multicast_is_change(const struct netback_multicast *multicast,
				 const struct netif_extra_info *extra)
{
	return multicast->controlled && (extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ||
					 extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
}

int netback_multicast_change(struct netback_multicast *multicast,
			     const struct netif_extra_info *extra)
{
	const uint8_t *mac = extra->u.mcast.addr;
	uint32_t place = group_find(multicast, mac);

	if (!is_group(mac))
		return -EINVAL;
	if (extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD) {
		if (place != NOT_THERE)
			return 0;
		if (multicast->count == NETBACK_MULTICAST_MOST)
			return -ENOSPC;
		memcpy(multicast->groups[multicast->count++], mac, NETDEV_MAC_BYTES);
		return 0;
	}
	if (place == NOT_THERE)
		return 0;
	multicast->count--;
	memmove(multicast->groups[place], multicast->groups[multicast->count], NETDEV_MAC_BYTES);
	return 0;
}

bool netback_multicast_wants(const struct netback_multicast *multicast, const struct packet *packet)
{
	if (!multicast->controlled || packet->head_length < NETDEV_MAC_BYTES)
		return true;
	if (!is_group(packet->data) || is_broadcast(packet->data))
		return true;
	return group_find(multicast, packet->data) != NOT_THERE;
}
