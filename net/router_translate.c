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

static struct ip_address target_address(const struct router *router,
					const struct rules_target *target, uint8_t version)
{
	if (target->address.version)
		return target->address;
	if (version == 4)
		return router->has4 ? ip_address_of4(router->ip4.address)
				    : (struct ip_address){ 0 };
	return router->has6 ? ip_address_of6(router->ip6.address.bytes) : (struct ip_address){ 0 };
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

struct router_destination router_new_destination(const struct router *router,
						 const struct router_interface *in,
						 const struct packet_info *info,
						 const struct rules_verdict *verdict)
{
	struct router_destination destination = written(info);
	const struct rules_target *target = verdict->rdr_to;

	if (target) {
		destination.address = target_address(router, target, info->key.version);
		destination.port_low = target->port_low;
		destination.port_high = target->port_high;
		destination.changed = true;
	} else if (in->kind == ROUTER_CLIENT && router_is_own(router, in, &destination.address)) {
		find_hairpin(router, info, &destination);
	}
	return destination;
}

/* ---- the source ---- */

static enum nat_mode mode_of(const struct rules_target *target)
{
	return target->static_port ? NAT_STATIC_PORT : NAT_ENDPOINT_INDEPENDENT;
}

static void take_target(const struct router *router, const struct rules_target *target,
			uint8_t version, struct nat_request *request)
{
	request->mode = mode_of(target);
	request->source = target_address(router, target, version);
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
		take_target(router, target, version, request);
	if (destination->changed) {
		request->destination = destination->address;
		request->destination_port_low = destination->port_low;
		request->destination_port_high = destination->port_high;
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

static uint16_t max_mss_of(const struct router_verdicts *verdicts)
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
		.max_mss = max_mss_of(verdicts),
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
