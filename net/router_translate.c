/* SPDX-License-Identifier: ISC */
/*
 * What a new flow's translation is, after what the rules said and where it goes; and the
 * flow itself.
 */
#include <errno.h>
#include <string.h>

#include "net/flow_follow.h"
#include "net/router_parts.h"

/* ---- the destination ---- */

static struct router_destination written(const struct packet_info *info)
{
	return (struct router_destination){ .address = router_destination(info) };
}

static struct ip_address uplink_address(const struct router *router, uint8_t version)
{
	if (version == 4)
		return router->has4 ? ip_address_of4(router->ip4.address)
				    : (struct ip_address){ 0 };
	return router->has6 ? ip_address_of6(router->ip6.address.bytes) : (struct ip_address){ 0 };
}

/* The target's prefix before what is behind the packet's own. */
static struct ip_address with_prefix(const struct rules_target *target,
				     const struct ip_address *written)
{
	struct ip_address head = target->address, prefix = *written, result = *written;

	ip_address_mask(&head, target->prefix);
	ip_address_mask(&prefix, target->prefix);
	for (unsigned int i = 0; i < sizeof(result.bytes); i++)
		result.bytes[i] ^= prefix.bytes[i] ^ head.bytes[i];
	return result;
}

/*
 * The same so that no checksum changes (RFC 6296). The other prefix is the packet's own, for
 * the rule is for none that is shorter or longer. Version 0: the address has no image.
 */
static struct ip_address with_nptv6(const struct rules_target *target,
				    const struct ip_address *written, bool inward)
{
	struct ip_address prefix = *written, head = target->address;
	struct ip6_address packets, targets, from, to;
	struct nptv6 nptv6;
	int error;

	ip_address_mask(&prefix, target->prefix);
	ip_address_mask(&head, target->prefix);
	memcpy(&from, written->bytes, sizeof(from));
	memcpy(&packets, prefix.bytes, sizeof(packets));
	memcpy(&targets, head.bytes, sizeof(targets));
	error = inward ? nptv6_init(&nptv6, &targets, target->prefix, &packets, target->prefix)
		       : nptv6_init(&nptv6, &packets, target->prefix, &targets, target->prefix);
	if (error ||
	    !(inward ? nptv6_inward(&nptv6, &from, &to) : nptv6_outward(&nptv6, &from, &to)))
		return (struct ip_address){ 0 };
	return ip_address_of6(to.bytes);
}

/* What a target makes of the address that the sender wrote; version 0: nothing. */
static struct ip_address translated(const struct router *router, const struct rules_target *target,
				    const struct ip_address *written, bool inward)
{
	if (!target->address.version)
		return uplink_address(router, written->version);
	if (target->address.version != written->version)
		return (struct ip_address){ 0 };
	if (target->mode == RULES_TARGET_BITMASK)
		return with_prefix(target, written);
	if (target->mode == RULES_TARGET_NPTV6)
		return with_nptv6(target, written, inward);
	return target->address;
}

/* A client that addresses another one by the name that it has outside (RFC 4787 REQ-9). */
static bool find_hairpin(const struct router *router, const struct packet_info *info,
			 struct router_destination *destination)
{
	struct nat_endpoint external = nat_destination_of(&info->tuple), internal;
	uint8_t interface;

	if (info->key.protocol != IP_PROTOCOL_TCP && info->key.protocol != IP_PROTOCOL_UDP)
		return false;
	if (!nat_find_internal(&router->nat, &external, &internal, &interface))
		return false;
	destination->address = internal.version == 6 ? ip_address_of6(internal.address.bytes)
						     : (struct ip_address){ .version = 4 };
	if (internal.version == 4)
		memcpy(destination->address.bytes, internal.address.bytes, 4);
	destination->port_low = destination->port_high = be16_get(internal.port);
	destination->changed = true;
	return true;
}

/* Do clients have another name than their own for somebody behind us? */
static bool is_outer(struct router *router, const struct router_interface *in,
		     const struct ip_address *address)
{
	return router_is_own(router, in, address) || router_claims(router, address);
}

struct router_destination router_new_destination(struct router *router,
						 const struct router_interface *in,
						 const struct packet_info *info,
						 const struct rules_verdict *verdict)
{
	struct router_destination destination = written(info);
	const struct rules_target *target = verdict->rdr_to;
	const struct router_redirect *redirect = router_redirect_of(router, info);

	if (target) {
		destination.address = translated(router, target, &destination.address, true);
		destination.port_low = target->port_low;
		destination.port_high = target->port_high;
		destination.port_base = verdict->rdr_port;
		destination.changed = true;
	} else if (redirect) {
		destination.address = redirect->to;
		destination.changed = true;
	} else if (in->kind == ROUTER_CLIENT && is_outer(router, in, &destination.address)) {
		find_hairpin(router, info, &destination);
	}
	return destination;
}

/* ---- the source ---- */

static enum nat_mode mode_of(const struct rules_target *target)
{
	if (target->static_port)
		return NAT_STATIC_PORT;
	return target->mode == RULES_TARGET_SYMMETRIC ? NAT_SYMMETRIC : NAT_ENDPOINT_INDEPENDENT;
}

static void take_target(const struct router *router, const struct rules_target *target,
			struct nat_request *request)
{
	const struct ip_address source = router_tuple_source(request->original);

	request->mode = mode_of(target);
	request->source = translated(router, target, &source, false);
	request->source_port_low = target->port_low;
	request->source_port_high = target->port_high;
}

void router_translation(const struct router *router, const struct router_interface *in,
			const struct router_interface *out, const struct flow_tuple *original,
			const struct router_verdicts *verdicts,
			const struct router_destination *destination, struct nat_request *request)
{
	static const struct rules_target ours;
	uint8_t version = original->key.version;
	const struct rules_target *target = verdicts->out.nat_to;
	bool masquerade = version == 4 ? router->masquerade4 : router->masquerade6;

	*request = (struct nat_request){ .original = original, .out_interface = out->index };
	if (!target)
		target = verdicts->in.nat_to;
	if (!target && in->kind == ROUTER_CLIENT &&
	    (out->kind == ROUTER_UPLINK ? masquerade : destination->changed))
		target = &ours;
	if (target)
		take_target(router, target, request);
	if (destination->changed) {
		request->destination = destination->address;
		request->destination_port_low = destination->port_low;
		request->destination_port_high = destination->port_high;
		request->destination_port_base = destination->port_base;
	}
}

/* ---- the flow ---- */

static enum drop_reason choice_reason(int error)
{
	switch (error) {
	case -EDQUOT:
		return DROP_QUOTA;
	case -ENOSPC:
		return DROP_FLOW_TABLE_FULL;
	case -EADDRINUSE:
		return DROP_NAT_PORTS;
	default:
		return DROP_NO_TRANSLATION;
	}
}

uint16_t router_max_mss(const struct router_verdicts *verdicts)
{
	uint16_t in = verdicts->in.max_mss, out = verdicts->out.max_mss;

	return in == 0 || (out && out < in) ? out : in;
}

static bool is_translated(const struct nat_request *request)
{
	return request->source.version || request->destination.version || request->mode != NAT_NONE;
}

/* The flow after its translation has been chosen. 0 or a negative errno. */
static int create(struct router *router, const struct router_interface *in,
		  const struct packet_info *info, const struct router_verdicts *verdicts,
		  const struct flow_tuple *reply, struct flow **flow)
{
	bool inbound = in->kind == ROUTER_UPLINK;
	struct router_quota quota = router_quota(router, inbound);
	const struct flow_request request = {
		.original = &info->tuple,
		.reply = reply,
		.owner = inbound ? flow_owner_inbound(reply->key.interface) : in->index,
		.state = flow_first_state(info),
		.quota = quota.flows,
		.quota6 = quota.flows6,
		.limit = { { verdicts->in.limits, verdicts->in.rule },
			   { verdicts->out.limits, verdicts->out.rule } },
		.max_mss = router_max_mss(verdicts),
	};

	return flow_create(&router->flows, &request, router->now_ns, flow);
}

int router_make_flow(struct router *router, const struct router_interface *in,
		     const struct router_interface *out, const struct packet_info *info,
		     const struct router_verdicts *verdicts,
		     const struct router_destination *destination, struct flow **flow,
		     enum drop_reason *reason)
{
	struct nat_request request;
	struct flow_tuple reply;
	int error;

	router_translation(router, in, out, &info->tuple, verdicts, destination, &request);
	/* One more than flows: an old flow goes only after the new one has its mapping. */
	request.quota = router_quota(router, in->kind == ROUTER_UPLINK).flows + 1;
	*reason = DROP_NO_TRANSLATION;
	if (request.mode != NAT_NONE && request.source.version == 0)
		return -EINVAL; /* no address of ours to go with */
	if (is_translated(&request) && !nat_may_translate(info))
		return -EINVAL;
	error = nat_choose(&router->nat, &request, &reply);
	if (error) {
		*reason = choice_reason(error);
		return error;
	}
	error = create(router, in, info, verdicts, &reply, flow);
	if (error) {
		nat_cancel(&router->nat, &info->tuple, &reply);
		*reason = flow_drop_reason(error);
		return error;
	}
	if (is_translated(&request))
		nat_prepare(*flow);
	return 0;
}
