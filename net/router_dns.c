/* SPDX-License-Identifier: ISC */
/* Name servers that clients know by other addresses than ours. */
#include <errno.h>

#include "net/router_parts.h"

#define DNS_PORT 53u

/* The n-th of a version, over again from the first; version 0: there is none. */
static struct ip_address nth_of(const struct ip_address *own, uint32_t count, uint8_t version,
				uint32_t n)
{
	uint32_t of_version = 0;

	for (uint32_t i = 0; i < count; i++)
		of_version += own[i].version == version;
	if (of_version == 0)
		return (struct ip_address){ 0 };
	n %= of_version;
	for (uint32_t i = 0; i < count; i++)
		if (own[i].version == version && n-- == 0)
			return own[i];
	return (struct ip_address){ 0 };
}

int router_set_dns(struct router *router, const struct ip_address *seen, uint32_t seen_count,
		   const struct ip_address *own, uint32_t own_count)
{
	uint32_t four = 0, six = 0;

	if (seen_count > ROUTER_DNS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < seen_count; i++) {
		uint32_t n = seen[i].version == 4 ? four++ : six++;

		router->redirects[i] = (struct router_redirect){
			.from = seen[i],
			.to = nth_of(own, own_count, seen[i].version, n),
		};
	}
	router->redirect_count = seen_count;
	router_rejudge(router);
	return 0;
}

const struct router_redirect *router_redirect_of(const struct router *router,
						 const struct packet_info *info)
{
	struct ip_address to;

	if (router->redirect_count == 0 || be16_get(info->key.destination_port) != DNS_PORT ||
	    (info->key.protocol != IP_PROTOCOL_TCP && info->key.protocol != IP_PROTOCOL_UDP) ||
	    router->interfaces[info->key.interface].kind != ROUTER_CLIENT)
		return NULL;
	to = router_destination(info);
	for (uint32_t i = 0; i < router->redirect_count; i++) {
		const struct router_redirect *redirect = &router->redirects[i];

		if (!ip_address_equal(&redirect->from, &to))
			continue;
		return ip_address_equal(&redirect->to, &to) ? NULL : redirect;
	}
	return NULL;
}
