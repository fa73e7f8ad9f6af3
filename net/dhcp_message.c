/* SPDX-License-Identifier: ISC */
#include "net/dhcp_message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lib/checksum.h"
#include "net/parse.h"

#define BOOT_REQUEST 1u
#define BOOT_REPLY 2u
#define HARDWARE_ETHERNET 1u
#define MAGIC 0x63825363u     /* RFC 2131, 3 */
#define RENEW_MIN_S 5u	      /* a T1 below is not believed: it would have us storm */
#define REBIND_MIN_S 10u      /* nor a T2 that leaves no room for such a T1 */
#define LARGEST_MESSAGE 1472u /* what we tell servers (option 57) */

enum option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_DNS = 6,
	OPTION_MTU = 26,
	OPTION_WANTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_PARAMETERS = 55,
	OPTION_LARGEST = 57,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_CLIENT_ID = 61,
	OPTION_ROUTES = 121, /* RFC 3442 */
	OPTION_END = 255,
};

struct boot_header {
	uint8_t operation, hardware_type, hardware_bytes, hops;
	be32 xid;
	be16 seconds;
	be16 flags;
	be32 client; /* ciaddr */
	be32 yours;  /* yiaddr */
	be32 next;   /* siaddr */
	be32 relay;  /* giaddr */
	uint8_t hardware[16];
	uint8_t server_name[64];
	uint8_t file[128];
	be32 magic;
};
static_assert(sizeof(struct boot_header) == 240, "RFC 2131, 2");

struct frame_head {
	struct ethernet_header ethernet;
	struct ip4_header ip;
	struct udp_header udp;
	struct boot_header boot;
};
static_assert(offsetof(struct frame_head, boot) == 42, "nothing between the headers");

/* The values of an option, put together where it came in parts (RFC 3396). */
struct option_values {
	uint32_t bytes;
	uint8_t data[255];
};

struct options {
	struct option_values mask, router, dns, mtu, lease, overload, type, server, renew, rebind,
		client_id, routes;
};

static struct option_values *option_place(struct options *options, uint8_t code)
{
	switch (code) {
	case OPTION_MASK:
		return &options->mask;
	case OPTION_ROUTER:
		return &options->router;
	case OPTION_DNS:
		return &options->dns;
	case OPTION_MTU:
		return &options->mtu;
	case OPTION_LEASE:
		return &options->lease;
	case OPTION_OVERLOAD:
		return &options->overload;
	case OPTION_TYPE:
		return &options->type;
	case OPTION_SERVER:
		return &options->server;
	case OPTION_RENEW:
		return &options->renew;
	case OPTION_REBIND:
		return &options->rebind;
	case OPTION_CLIENT_ID:
		return &options->client_id;
	case OPTION_ROUTES:
		return &options->routes;
	default:
		return NULL;
	}
}

static bool options_walk(struct options *options, const uint8_t *at, size_t bytes)
{
	while (bytes) {
		struct option_values *values;
		uint8_t code = at[0];
		uint32_t length;

		if (code == OPTION_END)
			return true;
		if (code == OPTION_PAD) {
			at++;
			bytes--;
			continue;
		}
		if (bytes < 2 || bytes - 2 < at[1])
			return false;
		length = at[1];
		values = option_place(options, code);
		if (values) {
			if (length > sizeof(values->data) - values->bytes)
				return false;
			memcpy(values->data + values->bytes, at + 2, length);
			values->bytes += length;
		}
		at += 2 + length;
		bytes -= 2 + length;
	}
	return true;
}

/* The options proper, then those in `file` and `sname` (RFC 2132, 9.3; RFC 3396, 5). */
static bool options_read(struct options *options, const struct boot_header *boot, const uint8_t *at,
			 size_t bytes)
{
	uint8_t overload;

	memset(options, 0, sizeof(*options));
	if (!options_walk(options, at, bytes))
		return false;
	if (!options->overload.bytes)
		return true;
	overload = options->overload.data[0];
	if (options->overload.bytes != 1 || overload < 1 || overload > 3)
		return false;
	if ((overload & 1) && !options_walk(options, boot->file, sizeof(boot->file)))
		return false;
	return !(overload & 2) ||
	       options_walk(options, boot->server_name, sizeof(boot->server_name));
}

static be32 address_in(const uint8_t *data)
{
	be32 address;

	memcpy(&address, data, sizeof(address));
	return address;
}

static bool address_is_host(be32 address)
{
	return be32_get(address) >> 24 != 0 && !address_is_martian(address);
}

/* A number of four bytes, or 0 where there is no such option. */
static bool seconds_read(const struct option_values *values, uint32_t *seconds)
{
	if (values->bytes != 0 && values->bytes != 4)
		return false;
	*seconds = values->bytes ? be32_get(address_in(values->data)) : 0;
	return true;
}

/* RFC 2132, 3.3; without the option the classes of old (RFC 2131, 4.3.1 has it sent). */
static bool prefix_read(const struct option_values *mask, be32 address, uint8_t *prefix)
{
	uint32_t bits;

	if (!mask->bytes) {
		uint32_t first = be32_get(address) >> 24;

		*prefix = first < 128 ? 8 : first < 192 ? 16 : 24;
		return true;
	}
	if (mask->bytes != 4)
		return false;
	bits = be32_get(address_in(mask->data));
	if (bits == 0 || (~bits & (~bits + 1)) != 0)
		return false;
	*prefix = (uint8_t)(32 - __builtin_ctz(bits));
	return true;
}

/* The default route among classless static routes (RFC 3442); 1: found; 0: none; -EINVAL. */
static int routes_default(const struct option_values *routes, be32 *gateway)
{
	uint32_t at = 0;
	int found = 0;

	while (at < routes->bytes) {
		uint32_t width = routes->data[at];
		uint32_t significant = (width + 7) / 8;

		if (width > 32 || routes->bytes - at < 1 + significant + 4)
			return -EINVAL;
		if (width == 0 && !found) {
			*gateway = address_in(routes->data + at + 1);
			found = 1;
		}
		at += 1 + significant + 4;
	}
	return found;
}

/* With option 121 the router option does not count (RFC 3442, "DHCP Client Behavior"). */
static bool gateway_read(const struct options *options, be32 *gateway)
{
	*gateway = (be32){ 0 };
	if (options->routes.bytes) {
		if (routes_default(&options->routes, gateway) < 0)
			return false;
	} else if (options->router.bytes) {
		if (options->router.bytes % 4)
			return false;
		*gateway = address_in(options->router.data);
	}
	return gateway->raw == 0 || address_is_host(*gateway);
}

static bool dns_read(const struct option_values *dns, struct dhcp_lease *lease)
{
	if (dns->bytes % 4)
		return false;
	for (uint32_t at = 0; at < dns->bytes && lease->dns_count < DHCP_DNS_SERVERS; at += 4) {
		be32 address = address_in(dns->data + at);

		if (address_is_host(address))
			lease->dns[lease->dns_count++] = address;
	}
	return true;
}

/* T1 and T2 where they make sense, else as RFC 2131, 4.4.5 has them. */
static void times_set(struct dhcp_lease *lease, uint32_t renew, uint32_t rebind)
{
	if (rebind < REBIND_MIN_S || rebind >= lease->lease)
		rebind = lease->lease - lease->lease / 8;
	if (renew < RENEW_MIN_S || renew >= rebind)
		renew = lease->lease / 2 < rebind ? lease->lease / 2 : rebind / 2;
	lease->renew = renew;
	lease->rebind = rebind;
}

static bool lease_read(const struct options *options, struct dhcp_lease *lease)
{
	uint32_t renew, rebind;

	if (!address_is_host(lease->address) || !gateway_read(options, &lease->gateway) ||
	    !prefix_read(&options->mask, lease->address, &lease->prefix) ||
	    !dns_read(&options->dns, lease))
		return false;
	if (!seconds_read(&options->lease, &lease->lease) || lease->lease < DHCP_LEASE_MIN_S ||
	    !seconds_read(&options->renew, &renew) || !seconds_read(&options->rebind, &rebind))
		return false;
	if (options->mtu.bytes == 2)
		lease->mtu = (uint16_t)(options->mtu.data[0] << 8 | options->mtu.data[1]);
	if (lease->mtu < DHCP_MTU_MIN)
		lease->mtu = 0;
	times_set(lease, renew, rebind);
	return true;
}

/* The frame's own headers: is there a whole UDP datagram from a server's port to ours? */
static int datagram_find(const struct frame_head *head, const uint8_t *mac, size_t bytes,
			 bool vouched, size_t *udp_bytes)
{
	const struct ip4_header *ip = &head->ip;
	size_t ip_bytes = be16_get(ip->total_length);
	uint32_t sum;

	if (be16_get(head->ethernet.type) != ETHERTYPE_IP4 || mac_is_group(head->ethernet.source) ||
	    (!mac_is_group(head->ethernet.destination) &&
	     !mac_equal(head->ethernet.destination, mac)))
		return -ENOENT;
	if (ip->version_length != IP4_VERSION_NO_OPTIONS || ip->protocol != IP_PROTOCOL_UDP ||
	    be16_get(head->udp.source_port) != DHCP_SERVER_PORT ||
	    be16_get(head->udp.destination_port) != DHCP_CLIENT_PORT)
		return -ENOENT;
	*udp_bytes = be16_get(head->udp.length);
	if (ip_bytes > bytes - sizeof(head->ethernet) || ip_bytes < sizeof(*ip) + *udp_bytes ||
	    *udp_bytes < sizeof(head->udp) + sizeof(head->boot) ||
	    (be16_get(ip->fragment) & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK)) ||
	    checksum_finish(checksum_add(0, ip, sizeof(*ip))).raw != 0)
		return -EINVAL;
	if (vouched || head->udp.checksum.raw == 0)
		return 0;
	sum = checksum_pseudo_ip4(ip->source, ip->destination, IP_PROTOCOL_UDP,
				  (uint16_t)*udp_bytes);
	sum = checksum_add(sum, &head->udp, *udp_bytes);
	return checksum_finish(sum).raw == 0 ? 0 : -EINVAL;
}

/* RFC 6842, 3: a server that gives back a client id gives back ours. */
static bool client_id_is_ours(const struct option_values *id, const uint8_t *mac)
{
	return id->bytes == 0 || (id->bytes == 1 + MAC_BYTES && id->data[0] == HARDWARE_ETHERNET &&
				  mac_equal(id->data + 1, mac));
}

int dhcp_reply_read(struct dhcp_reply *reply, const uint8_t *mac, const uint8_t *frame,
		    size_t bytes, bool vouched)
{
	const struct frame_head *head = (const struct frame_head *)frame;
	const struct boot_header *boot = &head->boot;
	struct options options;
	size_t udp_bytes;
	int result;

	memset(reply, 0, sizeof(*reply));
	if (bytes < sizeof(*head))
		return -ENOENT;
	result = datagram_find(head, mac, bytes, vouched, &udp_bytes);
	if (result)
		return result;
	if (boot->operation != BOOT_REPLY || boot->hardware_type != HARDWARE_ETHERNET ||
	    boot->hardware_bytes != MAC_BYTES || !mac_equal(boot->hardware, mac))
		return -ENOENT;
	if (be32_get(boot->magic) != MAGIC ||
	    !options_read(&options, boot, frame + sizeof(*head),
			  udp_bytes - sizeof(head->udp) - sizeof(*boot)) ||
	    options.type.bytes != 1 || options.server.bytes != 4)
		return -EINVAL;
	if (!client_id_is_ours(&options.client_id, mac))
		return -ENOENT;
	reply->type = options.type.data[0];
	reply->xid = be32_get(boot->xid);
	mac_copy(reply->server_mac, head->ethernet.source);
	reply->lease.server = address_in(options.server.data);
	reply->lease.address = boot->yours;
	if (!address_is_host(reply->lease.server))
		return -EINVAL;
	if (reply->type == DHCP_NAK)
		return 0;
	if (reply->type != DHCP_OFFER && reply->type != DHCP_ACK)
		return -ENOENT;
	return lease_read(&options, &reply->lease) ? 0 : -EINVAL;
}

static uint8_t *option_put(uint8_t *at, uint8_t code, const void *data, uint8_t bytes)
{
	at[0] = code;
	at[1] = bytes;
	memcpy(at + 2, data, bytes);
	return at + 2 + bytes;
}

static uint8_t *options_write(const struct dhcp_request *request, uint8_t *at)
{
	static const uint8_t parameters[] = { OPTION_MASK,  OPTION_ROUTES, OPTION_ROUTER,
					      OPTION_DNS,   OPTION_MTU,	   OPTION_LEASE,
					      OPTION_RENEW, OPTION_REBIND };
	uint8_t id[1 + MAC_BYTES] = { HARDWARE_ETHERNET };
	be16 largest = be16_of(LARGEST_MESSAGE);

	mac_copy(id + 1, request->mac);
	at = option_put(at, OPTION_TYPE, &request->type, 1);
	at = option_put(at, OPTION_CLIENT_ID, id, sizeof(id));
	if (request->wanted.raw)
		at = option_put(at, OPTION_WANTED, &request->wanted, 4);
	if (request->server.raw)
		at = option_put(at, OPTION_SERVER, &request->server, 4);
	if (request->type == DHCP_DISCOVER || request->type == DHCP_REQUEST) {
		at = option_put(at, OPTION_PARAMETERS, parameters, sizeof(parameters));
		at = option_put(at, OPTION_LARGEST, &largest, sizeof(largest));
	}
	*at++ = OPTION_END;
	return at;
}

static void headers_write(const struct dhcp_request *request, struct frame_head *head)
{
	static const uint8_t everybody[MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint16_t udp_bytes = DHCP_FRAME_BYTES - offsetof(struct frame_head, udp);
	uint32_t sum;

	mac_copy(head->ethernet.destination, request->to_mac ? request->to_mac : everybody);
	mac_copy(head->ethernet.source, request->mac);
	head->ethernet.type = be16_of(ETHERTYPE_IP4);
	head->ip.version_length = IP4_VERSION_NO_OPTIONS;
	head->ip.total_length = be16_of(DHCP_FRAME_BYTES - sizeof(head->ethernet));
	head->ip.ttl = IP4_DEFAULT_TTL;
	head->ip.protocol = IP_PROTOCOL_UDP;
	head->ip.source = request->own;
	head->ip.destination = request->to.raw ? request->to : be32_of(UINT32_MAX);
	head->ip.checksum = checksum_finish(checksum_add(0, &head->ip, sizeof(head->ip)));
	head->udp.source_port = be16_of(DHCP_CLIENT_PORT);
	head->udp.destination_port = be16_of(DHCP_SERVER_PORT);
	head->udp.length = be16_of(udp_bytes);
	sum = checksum_pseudo_ip4(head->ip.source, head->ip.destination, IP_PROTOCOL_UDP,
				  udp_bytes);
	head->udp.checksum = checksum_finish(checksum_add(sum, &head->udp, udp_bytes));
	if (head->udp.checksum.raw == 0)
		head->udp.checksum = be16_of(UINT16_MAX); /* RFC 768 */
}

void dhcp_request_write(const struct dhcp_request *request, uint8_t *frame)
{
	struct frame_head *head = (struct frame_head *)frame;

	memset(frame, 0, DHCP_FRAME_BYTES);
	head->boot.operation = BOOT_REQUEST;
	head->boot.hardware_type = HARDWARE_ETHERNET;
	head->boot.hardware_bytes = MAC_BYTES;
	head->boot.xid = be32_of(request->xid);
	head->boot.seconds = be16_of(request->seconds);
	/* RFC 2131, 4.1: without an address we can take unicast by MAC, so no broadcast flag. */
	head->boot.client = request->own;
	mac_copy(head->boot.hardware, request->mac);
	head->boot.magic = be32_of(MAGIC);
	options_write(request, frame + sizeof(*head));
	headers_write(request, head);
}
