/* SPDX-License-Identifier: ISC */
/*
 * The addresses that QubesDB gives us. dom0 writes them anew before it gives us another net
 * VM, and without one there are none. The command line, and after it /vm-config, say what
 * shall hold instead: a net VM that is not of QubesOS may have another network.
 */
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/firewall/clients.h"
#include "configs/firewall/host_names.h"
#include "configs/firewall/qubes_parts.h"
#include "lib/ip4_text.h"
#include "lib/ip_text.h"
#include "lib/log.h"
#include "net/martian6.h"

#define PREFIX4 32u
#define PREFIX6 128u

static struct qubes_dns dns;

static const char *const read_paths[] = {
	"/qubes-ip",
	"/qubes-gateway",
	"/qubes-ip6",
	"/qubes-gateway6",
	"/qubes-primary-dns",
	"/qubes-secondary-dns",
	"/qubes-netvm-primary-dns",
	"/qubes-netvm-secondary-dns",
	"/vm-config/ringwall-ip",
	"/vm-config/ringwall-gateway",
	"/vm-config/ringwall-dns",
};

bool qubes_uplink_reads(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(read_paths); i++)
		if (strcmp(path, read_paths[i]) == 0)
			return true;
	return false;
}

/* ---- addresses ---- */

static struct router_uplink4 wanted4(void)
{
	const struct params *params = qubes.config.params;
	struct router_uplink4 ip4 = { .prefix = PREFIX4 };
	const struct qubesdb_entry *given = qubesdb_get(qubes.db, "/vm-config/ringwall-ip");
	struct ip_address address;

	if (params->has_ip) {
		ip4.address = params->ip;
		ip4.prefix = params->prefix;
	} else if (given && ip4_text_parse_prefix(given->value, given->length, &ip4.address,
						  &ip4.prefix) == 0) {
	} else if (qubes_read_address("/qubes-ip", 4, &address)) {
		ip4.address = ip_address_get4(&address);
	}
	if (params->has_gateway)
		ip4.gateway = params->gateway;
	else if (qubes_read_address("/vm-config/ringwall-gateway", 4, &address) ||
		 qubes_read_address("/qubes-gateway", 4, &address))
		ip4.gateway = ip_address_get4(&address);
	return ip4;
}

static struct router_uplink6 wanted6(void)
{
	const struct params *params = qubes.config.params;
	struct router_uplink6 ip6 = { .prefix = PREFIX6 };
	struct ip_address address;

	if (params->has_ip6) {
		memcpy(ip6.address.bytes, params->ip6.bytes, sizeof(ip6.address.bytes));
		memcpy(ip6.gateway.bytes, params->gateway6.bytes, sizeof(ip6.gateway.bytes));
		ip6.prefix = params->prefix6;
		return ip6;
	}
	if (qubes_read_address("/qubes-ip6", 6, &address))
		memcpy(ip6.address.bytes, address.bytes, sizeof(ip6.address.bytes));
	if (qubes_read_address("/qubes-gateway6", 6, &address))
		memcpy(ip6.gateway.bytes, address.bytes, sizeof(ip6.gateway.bytes));
	return ip6;
}

static void apply4(void)
{
	struct router *router = qubes.config.router;
	struct router_uplink4 ip4 = wanted4();
	char address[IP4_TEXT_BYTES], gateway[IP4_TEXT_BYTES];

	if (be32_equal(ip4.address, router->ip4.address) &&
	    be32_equal(ip4.gateway, router->ip4.gateway) && ip4.prefix == router->ip4.prefix)
		return;
	ip4_text_format(ip4.address, address);
	ip4_text_format(ip4.gateway, gateway);
	if (router_set_uplink4(router, &ip4))
		log_line(LOG_ERROR, "qubes", "%s/%u by %s cannot be used", address, ip4.prefix,
			 gateway);
	else if (be32_get(ip4.address))
		log_line(LOG_INFO, "qubes", "uplink: %s/%u by %s", address, ip4.prefix, gateway);
	else
		log_line(LOG_INFO, "qubes", "uplink: no IPv4 address");
}

static void apply6(void)
{
	struct router *router = qubes.config.router;
	struct router_uplink6 ip6 = wanted6();
	char address[IP6_TEXT_BYTES], gateway[IP6_TEXT_BYTES];

	if (ip6_address_equal(&ip6.address, &router->ip6.address) &&
	    ip6_address_equal(&ip6.gateway, &router->ip6.gateway) &&
	    ip6.prefix == router->ip6.prefix)
		return;
	ip6_text_format(ip6.address.bytes, address);
	ip6_text_format(ip6.gateway.bytes, gateway);
	if (router_set_uplink6(router, &ip6))
		log_line(LOG_ERROR, "qubes", "%s/%u by %s cannot be used", address, ip6.prefix,
			 gateway);
	else if (!ip6_address_is_unspecified(&ip6.address))
		log_line(LOG_INFO, "qubes", "uplink: %s/%u by %s", address, ip6.prefix, gateway);
}

/* ---- resolvers ---- */

static void dns_add(struct ip_address *list, uint32_t *count, const struct ip_address *address)
{
	for (uint32_t i = 0; i < *count; i++)
		if (ip_address_equal(&list[i], address))
			return;
	if (*count < QUBES_DNS_MAX)
		list[(*count)++] = *address;
}

/* One address, or some with commas between them. */
static void dns_read(struct ip_address *list, uint32_t *count, const char *path)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, path);
	const char *at = entry ? entry->value : "";
	struct ip_address address;

	while (*at) {
		size_t length = strcspn(at, ",");

		if (ip_text_parse(at, length, &address) == 0)
			dns_add(list, count, &address);
		else
			log_line(LOG_WARNING, "qubes", "%s: \"%.46s\" is no address", path, at);
		at += length + (at[length] == ',');
	}
}

static struct qubes_dns wanted_dns(void)
{
	const struct params *params = qubes.config.params;
	struct qubes_dns now;

	memset(&now, 0, sizeof(now));
	for (uint32_t i = 0; i < params->dns_count; i++)
		dns_add(now.own, &now.own_count, &params->dns[i]);
	if (!now.own_count)
		dns_read(now.own, &now.own_count, "/vm-config/ringwall-dns");
	if (!now.own_count) {
		dns_read(now.own, &now.own_count, "/qubes-primary-dns");
		dns_read(now.own, &now.own_count, "/qubes-secondary-dns");
	}
	dns_read(now.shown, &now.shown_count, "/qubes-netvm-primary-dns");
	dns_read(now.shown, &now.shown_count, "/qubes-netvm-secondary-dns");
	return now;
}

static void apply_dns(void)
{
	struct qubes_dns now = wanted_dns();

	if (memcmp(&now, &dns, sizeof(dns)) == 0)
		return;
	dns = now;
	host_names_set_servers(dns.own, dns.own_count);
	router_set_now(qubes.config.router, clock_now_ns());
	if (router_set_dns(qubes.config.router, dns.shown, dns.shown_count, dns.own, dns.own_count))
		log_line(LOG_ERROR, "qubes", "clients' name servers cannot be used");
	qubes_lists_compile_again();
}

const struct qubes_dns *qubes_uplink_dns(void)
{
	return &dns;
}

void qubes_uplink_apply(void)
{
	/* Every net VM of QubesOS has it (vif scripts); another one says so itself. */
	static const uint8_t gateway_mac[NETDEV_MAC_BYTES] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };

	router_set_gateway_mac(qubes.config.router, gateway_mac);
	apply4();
	apply6();
	apply_dns();
	clients_refresh(); /* one may have been refused the address that was ours */
}
