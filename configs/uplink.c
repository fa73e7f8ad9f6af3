/* SPDX-License-Identifier: ISC */
#include "configs/uplink.h"

#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "lib/log.h"
#include "net/martian6.h"
#include "net/ndp_dad.h"
#include "net/uplink_config.h"

static struct {
	struct router *router;
	struct random *random;
	struct uplink_config config;
	struct uplink_address now; /* as told last */
	struct ndp_dad dad_link, dad_address;
	struct router_uplink6 candidate; /* in use when nobody else has its addresses */
	void (*dns_changed)(const struct ip_address *servers, uint32_t count);
} uplink;

/* Neighbours decide how often addresses change. */
static struct log_limit change_log = LOG_LIMIT_INIT;

/* ---- IPv4 ---- */

static bool same4(const struct router_uplink4 *a, const struct router_uplink4 *b)
{
	return be32_equal(a->address, b->address) && be32_equal(a->gateway, b->gateway) &&
	       a->prefix == b->prefix && a->mtu == b->mtu;
}

static void use4(const struct uplink_address *now)
{
	struct router_uplink4 ip4 = { 0 };
	char address[IP4_TEXT_BYTES], gateway[IP4_TEXT_BYTES];

	if (now->has4)
		ip4 = (struct router_uplink4){ now->address, now->prefix, now->gateway, now->mtu4 };
	if (same4(&ip4, &uplink.router->ip4))
		return;
	if (router_set_uplink4(uplink.router, &ip4)) {
		log_limited(&change_log, LOG_WARNING, "uplink", "%s/%u by %s cannot be used",
			    ip4_text_format(ip4.address, address), ip4.prefix,
			    ip4_text_format(ip4.gateway, gateway));
		return;
	}
	if (now->has4)
		log_limited(&change_log, LOG_INFO, "uplink", "%s/%u by %s",
			    ip4_text_format(ip4.address, address), ip4.prefix,
			    ip4_text_format(ip4.gateway, gateway));
	else
		log_limited(&change_log, LOG_WARNING, "uplink", "no IPv4 address");
}

/* ---- IPv6 ---- */

static bool same6(const struct router_uplink6 *a, const struct router_uplink6 *b)
{
	return ip6_address_equal(&a->address, &b->address) &&
	       ip6_address_equal(&a->gateway, &b->gateway) &&
	       ip6_address_equal(&a->link_local, &b->link_local) && a->prefix == b->prefix &&
	       a->mtu == b->mtu;
}

static void set6(const struct router_uplink6 *ip6)
{
	char address[IP6_TEXT_BYTES], gateway[IP6_TEXT_BYTES];

	if (same6(ip6, &uplink.router->ip6))
		return;
	if (router_set_uplink6(uplink.router, ip6)) {
		log_limited(&change_log, LOG_WARNING, "uplink", "%s/%u by %s cannot be used",
			    ip6_text_format(ip6->address.bytes, address), ip6->prefix,
			    ip6_text_format(ip6->gateway.bytes, gateway));
		return;
	}
	if (ip6_address_is_unspecified(&ip6->address))
		return;
	log_limited(&change_log, LOG_INFO, "uplink", "%s/%u by %s",
		    ip6_text_format(ip6->address.bytes, address), ip6->prefix,
		    ip6_text_format(ip6->gateway.bytes, gateway));
}

static void dad_done(struct ndp_dad *dad, bool unique, uint64_t now_ns)
{
	char text[IP6_TEXT_BYTES];

	if (!unique) {
		log_limited(&change_log, LOG_WARNING, "uplink", "somebody else has %s",
			    ip6_text_format(dad->address.bytes, text));
		uplink_config_conflict6(&uplink.config, now_ns);
		return;
	}
	if (!ndp_dad_is_running(&uplink.dad_link) && !ndp_dad_is_running(&uplink.dad_address))
		set6(&uplink.candidate);
}

static void dad_begin(struct ndp_dad *dad, const struct ip6_address *address, bool known,
		      uint64_t now_ns)
{
	ndp_dad_stop(dad);
	if (!known && !ip6_address_is_unspecified(address))
		ndp_dad_start(dad, uplink.config.netdev, address, uplink.random, now_ns);
}

static void use6(const struct uplink_address *now, uint64_t now_ns)
{
	const struct router_uplink6 *used = &uplink.router->ip6;
	struct router_uplink6 *wanted = &uplink.candidate;

	memset(wanted, 0, sizeof(*wanted));
	if (now->has6) {
		wanted->address = now->address6;
		wanted->prefix = now->prefix6;
		wanted->mtu = now->mtu6;
	}
	if (now->has_router)
		wanted->gateway = now->router6;
	if (now->has_link6)
		wanted->link_local = now->link6;
	dad_begin(&uplink.dad_link, &wanted->link_local,
		  ip6_address_equal(&wanted->link_local, &used->link_local), now_ns);
	dad_begin(&uplink.dad_address, &wanted->address,
		  ip6_address_equal(&wanted->address, &used->address), now_ns);
	if (!ndp_dad_is_running(&uplink.dad_link) && !ndp_dad_is_running(&uplink.dad_address))
		set6(wanted);
}

/* ---- all of it ---- */

static bool same_dns(const struct uplink_address *a, const struct uplink_address *b)
{
	return a->dns_count == b->dns_count && memcmp(a->dns, b->dns, sizeof(a->dns)) == 0;
}

/* While the link is away the addresses stay, so that flows find them when it returns. */
static void changed(void *context, const struct uplink_address *now)
{
	(void)context;
	if (!uplink.config.netdev)
		return;
	if (!same_dns(now, &uplink.now))
		uplink.dns_changed(now->dns, now->dns_count);
	uplink.now = *now;
	use4(now);
	use6(now, uplink.router->now_ns);
}

void uplink_make(struct router *router, struct random *random, const struct params *params,
		 void (*dns_changed)(const struct ip_address *servers, uint32_t count))
{
	struct uplink_config_setup setup = {
		.own = &router->own,
		.random = random,
		.changed = changed,
	};

	uplink.router = router;
	uplink.random = random;
	uplink.dns_changed = dns_changed;
	uplink_config_from_params(&setup, params);
	random_bytes(random, &setup.secret, sizeof(setup.secret));
	uplink_config_init(&uplink.config, &setup);
	ndp_dad_init(&uplink.dad_link, &router->ndp, dad_done, NULL);
	ndp_dad_init(&uplink.dad_address, &router->ndp, dad_done, NULL);
	router->uplink_config = &uplink.config;
}

void uplink_up(struct netdev *netdev)
{
	uplink_config_up(&uplink.config, netdev, uplink.router->now_ns);
	/* A search for others with our addresses may have ended with the link. */
	use6(&uplink.now, uplink.router->now_ns);
}

void uplink_down(void)
{
	ndp_dad_stop(&uplink.dad_link);
	ndp_dad_stop(&uplink.dad_address);
	uplink_config_down(&uplink.config);
}

void uplink_release(void)
{
	uplink_config_release(&uplink.config, uplink.router->now_ns);
	router_run_timers(uplink.router); /* sends it: the links are about to go */
}

void uplink_slept(void)
{
	uplink_config_time_jumped(&uplink.config, uplink.router->now_ns);
}

void uplink_run(uint64_t now_ns)
{
	uplink_config_run(&uplink.config, now_ns);
}

uint64_t uplink_next_ns(void)
{
	return uplink_config_next_ns(&uplink.config);
}
