/* SPDX-License-Identifier: ISC */
#include "net/nat_choose.h"

#include <errno.h>

/* What is being chosen. */
struct choice {
	struct nat *nat;
	const struct nat_request *request;
	struct flow_tuple *reply;
	struct nat_endpoint internal;
	bool own;	    /* the port must be nobody else's, whatever the destination */
	bool any;	    /* nobody has said where it is to be */
	uint16_t port;	    /* that the flow came with */
	uint16_t low, high; /* where its new one may be */
};

static bool tuple_is_free(const struct flow_table *table, const struct flow_tuple *tuple)
{
	enum flow_direction direction;

	return !flow_find(table, tuple, flow_hash(table, tuple), &direction);
}

/* Can it be that of answers to a flow's packets? */
static bool reply_is_free(const struct nat *nat, const struct flow_tuple *reply)
{
	return tuple_is_free(nat->flows, reply) &&
	       !(nat->is_ours && nat->is_ours(nat->context, reply));
}

static bool is_icmp(const struct flow_key *key)
{
	return key->protocol == (key->version == 6 ? IP_PROTOCOL_ICMP6 : IP_PROTOCOL_ICMP);
}

static bool has_ports(const struct flow_key *key)
{
	return key->protocol == IP_PROTOCOL_TCP || key->protocol == IP_PROTOCOL_UDP || is_icmp(key);
}

size_t nat_memory_bytes(uint32_t mappings)
{
	return nat_mappings_bytes(mappings);
}

void nat_init(struct nat *nat, void *memory, uint32_t mappings, const struct flow_table *flows,
	      struct random *random)
{
	nat_mappings_init(&nat->mappings, memory, mappings, random);
	nat->flows = flows;
	nat->random = random;
	nat->is_ours = NULL;
}

/* The answer's destination: the new source. */
static void reply_set_destination(struct flow_tuple *reply, const struct ip6_address *address)
{
	if (reply->key.version == 6)
		flow_tuple_set_destination6(reply, address);
	else
		__builtin_memcpy(&reply->key.destination, address->bytes, sizeof(be32));
}

/* The answer's source: the new destination. */
static void reply_set_source(struct flow_tuple *reply, const struct ip_address *address)
{
	struct ip6_address six;

	if (address->version == 4) {
		reply->key.source = ip_address_get4(address);
		return;
	}
	__builtin_memcpy(six.bytes, address->bytes, sizeof(six.bytes));
	flow_tuple_set_source6(reply, &six);
}

be16 nat_redirected_port(const struct nat_request *request, be16 port)
{
	uint16_t nth = (uint16_t)(be16_get(port) - request->destination_port_base);
	uint32_t low = request->destination_port_low, count = 1;

	if (request->destination_port_high > low)
		count += request->destination_port_high - low;
	return be16_of((uint16_t)(low + nth % count));
}

static int redirect(const struct nat_request *request, struct flow_tuple *reply)
{
	if (!request->destination.version)
		return 0;
	if (request->destination.version != reply->key.version)
		return -EINVAL;
	reply_set_source(reply, &request->destination);
	if (has_ports(&reply->key) && !is_icmp(&reply->key) && request->destination_port_low)
		reply->key.source_port = nat_redirected_port(request, reply->key.source_port);
	return 0;
}

/* Could the flow have this port? If so it is in the reply. `*mapping`: who has it now. */
static bool port_is_free(const struct choice *choice, uint16_t port, struct nat_mapping **mapping)
{
	struct nat_endpoint external;

	choice->reply->key.destination_port = be16_of(port);
	external = nat_destination_of(choice->reply);
	*mapping = nat_mapping_find(&choice->nat->mappings, &external);
	if (*mapping && (choice->own || (*mapping)->kind != NAT_MAPPING_SHARED))
		return false;
	return reply_is_free(choice->nat, choice->reply);
}

/* Ports at random; `even_odd`: with the parity of the flow's own. */
static bool probe(const struct choice *choice, uint32_t low, uint32_t high, bool even_odd,
		  struct nat_mapping **mapping)
{
	for (uint32_t i = 0; i < NAT_PROBES; i++) {
		uint32_t port = low + random_below(choice->nat->random, high - low + 1);

		if (even_odd && (port ^ choice->port) & 1)
			port ^= 1;
		if (port >= low && port <= high && port_is_free(choice, (uint16_t)port, mapping))
			return true;
	}
	return false;
}

/* Ports in a row from a random one on: all of them when they are not too many. */
static bool walk(const struct choice *choice, uint32_t low, uint32_t high,
		 struct nat_mapping **mapping)
{
	uint32_t count = high - low + 1;
	uint32_t start = random_below(choice->nat->random, count);

	for (uint32_t i = 0; i < NAT_PROBES && i < count; i++)
		if (port_is_free(choice, (uint16_t)(low + (start + i) % count), mapping))
			return true;
	return false;
}

/* Port 0 is no port; as an echo's identifier it is as good as any. */
static bool may_keep_port(const struct choice *choice)
{
	return (choice->port || is_icmp(&choice->reply->key)) && choice->port >= choice->low &&
	       choice->port <= choice->high;
}

static bool find_port(const struct choice *choice, struct nat_mapping **mapping)
{
	bool even_odd = choice->reply->key.protocol == IP_PROTOCOL_UDP;
	bool any = choice->any && !is_icmp(&choice->reply->key);
	uint32_t low = choice->low, high = choice->high;

	if (may_keep_port(choice) && port_is_free(choice, choice->port, mapping))
		return true;
	if (any && choice->port && choice->port < NAT_FIRST_PORT &&
	    probe(choice, 1, NAT_FIRST_PORT - 1, even_odd, mapping))
		return true;
	if (any)
		low = NAT_FIRST_PORT;
	return probe(choice, low, high, even_odd, mapping) || walk(choice, low, high, mapping);
}

/* The flow gets the end point that is in the reply, which `mapping` has or nobody. */
static int hold(const struct choice *choice, struct nat_mapping *mapping)
{
	const struct nat_request *request = choice->request;
	struct nat_mappings *mappings = &choice->nat->mappings;
	uint8_t interface = request->original->key.interface;
	struct nat_endpoint external = nat_destination_of(choice->reply);

	if (mapping) {
		mapping->flows++;
		return 0;
	}
	if (choice->own && request->quota && mappings->owned[interface] >= request->quota)
		return -EDQUOT;
	mapping = nat_mapping_add(mappings, choice->own ? NAT_MAPPING_OWN : NAT_MAPPING_SHARED,
				  &external, &choice->internal, interface);
	return mapping ? 0 : -ENOSPC;
}

static int choose_shared(struct choice *choice)
{
	bool fixed = choice->request->mode != NAT_SYMMETRIC &&
		     choice->request->mode != NAT_ENDPOINT_INDEPENDENT;
	struct nat_mapping *mapping = NULL;
	bool found;

	if (fixed || !has_ports(&choice->reply->key))
		found = port_is_free(choice, choice->port, &mapping);
	else
		found = find_port(choice, &mapping);
	return found ? hold(choice, mapping) : -EADDRINUSE;
}

static int choose_independent(struct choice *choice)
{
	const struct nat_endpoint outside = nat_destination_of(choice->reply);
	struct nat_mapping *mapping = nat_mapping_of(&choice->nat->mappings, &choice->internal,
						     choice->request->original->key.interface,
						     &outside.address, choice->low, choice->high);

	if (mapping) {
		choice->reply->key.destination_port = mapping->external.port;
		if (reply_is_free(choice->nat, choice->reply))
			return hold(choice, mapping);
		/* Two destinations have become one, which tells them apart by our port. */
		return choose_shared(choice);
	}
	choice->own = true;
	return find_port(choice, &mapping) ? hold(choice, NULL) : -EADDRINUSE;
}

/* The new source address. */
static int new_source(const struct nat_request *request, struct ip6_address *source)
{
	if (request->mode == NAT_PREFIX)
		return request->original->key.version == 6 && request->prefix &&
				       nptv6_outward(request->prefix,
						     &request->original->ip6.source, source)
			       ? 0
			       : -EINVAL;
	if (request->source.version != request->original->key.version)
		return -EINVAL;
	__builtin_memcpy(source->bytes, request->source.bytes, sizeof(source->bytes));
	return 0;
}

static bool address_changes(const struct flow_tuple *original, const struct flow_tuple *reply)
{
	if (original->key.version == 6)
		return __builtin_memcmp(&original->ip6.source, &reply->ip6.destination,
					sizeof(struct ip6_address)) != 0;
	return !be32_equal(original->key.source, reply->key.destination);
}

static bool wants_source(const struct nat_request *request)
{
	return request->mode == NAT_PREFIX ||
	       (request->mode != NAT_NONE && request->source.version);
}

int nat_choose(struct nat *nat, const struct nat_request *request, struct flow_tuple *reply)
{
	struct choice choice = {
		.nat = nat,
		.request = request,
		.reply = reply,
		.internal = nat_source_of(request->original),
		.port = be16_get(request->original->key.source_port),
		.any = !request->source_port_low && !request->source_port_high,
		.low = request->source_port_low,
		.high = request->source_port_high,
	};
	struct ip6_address source;

	if (choice.any)
		choice.high = UINT16_MAX;
	else if (choice.high < choice.low)
		choice.high = choice.low;

	*reply = flow_tuple_reverse(request->original, request->out_interface);
	if (redirect(request, reply))
		return -EINVAL;
	if (wants_source(request)) {
		if (new_source(request, &source))
			return -EINVAL;
		reply_set_destination(reply, &source);
	}
	if (!address_changes(request->original, reply))
		return tuple_is_free(nat->flows, reply) ? 0 : -EADDRINUSE;
	if (request->mode == NAT_ENDPOINT_INDEPENDENT && has_ports(&reply->key))
		return choose_independent(&choice);
	return choose_shared(&choice);
}

void nat_cancel(struct nat *nat, const struct flow_tuple *original, const struct flow_tuple *reply)
{
	const struct nat_endpoint external = nat_destination_of(reply);
	struct nat_mapping *mapping;

	if (!address_changes(original, reply))
		return;
	mapping = nat_mapping_find(&nat->mappings, &external);
	if (mapping && mapping->kind != NAT_MAPPING_RESERVED)
		nat_mapping_release(&nat->mappings, mapping);
}

void nat_flow_removed(void *context, const struct flow *flow)
{
	const struct flow_tuple original = flow_tuple_of(flow, FLOW_ORIGINAL);
	const struct flow_tuple reply = flow_tuple_of(flow, FLOW_REPLY);

	nat_cancel(context, &original, &reply);
}

int nat_reserve(struct nat *nat, const struct nat_endpoint *external)
{
	if (nat_mapping_find(&nat->mappings, external))
		return -EADDRINUSE;
	return nat_mapping_add(&nat->mappings, NAT_MAPPING_RESERVED, external, NULL, 0) ? 0
											: -ENOSPC;
}

void nat_unreserve(struct nat *nat, const struct nat_endpoint *external)
{
	struct nat_mapping *mapping = nat_mapping_find(&nat->mappings, external);

	if (mapping && mapping->kind == NAT_MAPPING_RESERVED)
		nat_mapping_release(&nat->mappings, mapping);
}

bool nat_find_internal(const struct nat *nat, const struct nat_endpoint *external,
		       struct nat_endpoint *internal, uint8_t *interface)
{
	const struct nat_mapping *mapping = nat_mapping_find(&nat->mappings, external);

	if (!mapping || mapping->kind != NAT_MAPPING_OWN)
		return false;
	*internal = *external;
	internal->address = mapping->address;
	internal->port = mapping->port;
	*interface = mapping->interface;
	return true;
}

int nat_choose_reply(const struct flow_table *table, struct random *random,
		     const struct flow_tuple *original, uint8_t interface, be32 address,
		     struct flow_tuple *reply)
{
	uint8_t protocol = original->key.protocol;
	uint32_t lowest = protocol == IP_PROTOCOL_ICMP ? 0 : NAT_FIRST_PORT;

	*reply = flow_tuple_reverse(original, interface);
	reply->key.destination = address;
	/* UDP port 0 means that no answer is wanted; on the way back it would not do. */
	if ((original->key.source_port.raw || !has_ports(&original->key) || lowest == 0) &&
	    tuple_is_free(table, reply))
		return 0;
	if (!has_ports(&original->key))
		return -EADDRINUSE;
	for (uint32_t i = 0; i < NAT_PROBES; i++) {
		uint32_t port = lowest + random_below(random, 65536u - lowest);

		reply->key.destination_port = be16_of((uint16_t)port);
		if (tuple_is_free(table, reply))
			return 0;
	}
	return -EADDRINUSE;
}
