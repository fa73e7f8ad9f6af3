/* SPDX-License-Identifier: ISC */
#include "net/address_probe.h"

#include <string.h>

#define NOBODY ((be32){ 0 })

void address_probe_init(struct address_probe *probe, const uint8_t *mac, struct random *random,
			void (*send)(void *context, const uint8_t *frame, size_t bytes),
			void *context)
{
	memset(probe, 0, sizeof(*probe));
	mac_copy(probe->mac, mac);
	probe->next_ns = UINT64_MAX;
	probe->random = random;
	probe->send = send;
	probe->context = context;
}

/* A broadcast request for the address: from nobody (a probe), or from us (an announcement). */
static void request_send(struct address_probe *probe, be32 sender)
{
	uint8_t frame[ADDRESS_PROBE_FRAME_BYTES] = { 0 };
	struct ethernet_header *ethernet = (struct ethernet_header *)frame;
	struct arp_header *arp = (struct arp_header *)(ethernet + 1);

	memset(ethernet->destination, 0xff, MAC_BYTES);
	mac_copy(ethernet->source, probe->mac);
	ethernet->type = be16_of(ETHERTYPE_ARP);
	arp->hardware_type = be16_of(ARP_HARDWARE_ETHERNET);
	arp->protocol_type = be16_of(ETHERTYPE_IP4);
	arp->hardware_bytes = MAC_BYTES;
	arp->protocol_bytes = sizeof(be32);
	arp->operation = be16_of(ARP_REQUEST);
	mac_copy(arp->sender_mac, probe->mac);
	arp->sender = sender;
	arp->target = probe->address;
	probe->send(probe->context, frame, sizeof(frame));
}

void address_probe_start(struct address_probe *probe, be32 address, uint64_t now_ns)
{
	probe->state = ADDRESS_PROBE_PROBING;
	probe->address = address;
	probe->sent = 0;
	probe->defended_ns = 0;
	probe->next_ns = now_ns + random_below(probe->random, ADDRESS_PROBE_WAIT_NS);
}

void address_probe_stop(struct address_probe *probe)
{
	probe->state = ADDRESS_PROBE_IDLE;
	probe->next_ns = UINT64_MAX;
}

bool address_probe_run(struct address_probe *probe, uint64_t now_ns)
{
	if (now_ns < probe->next_ns || probe->state != ADDRESS_PROBE_PROBING)
		return false;
	if (probe->sent == ADDRESS_PROBE_COUNT) {
		probe->state = ADDRESS_PROBE_OURS;
		probe->next_ns = UINT64_MAX;
		return true;
	}
	request_send(probe, NOBODY);
	if (++probe->sent == ADDRESS_PROBE_COUNT)
		probe->next_ns = now_ns + ADDRESS_PROBE_ANNOUNCE_WAIT_NS;
	else
		probe->next_ns =
			now_ns + ADDRESS_PROBE_MIN_NS +
			random_below(probe->random, ADDRESS_PROBE_MAX_NS - ADDRESS_PROBE_MIN_NS);
	return false;
}

/* RFC 5227, 2.1.1 and 2.4: a sender of the address, or one who probes for it as we do. */
static bool conflicts(const struct address_probe *probe, const struct arp_header *arp)
{
	if (mac_equal(arp->sender_mac, probe->mac))
		return false;
	if (be32_equal(arp->sender, probe->address))
		return true;
	return probe->state == ADDRESS_PROBE_PROBING && be16_get(arp->operation) == ARP_REQUEST &&
	       be32_equal(arp->sender, NOBODY) && be32_equal(arp->target, probe->address);
}

bool address_probe_input(struct address_probe *probe, const void *frame, size_t bytes,
			 uint64_t now_ns)
{
	const struct ethernet_header *ethernet = frame;
	const struct arp_header *arp = (const struct arp_header *)(ethernet + 1);

	if (probe->state == ADDRESS_PROBE_IDLE || bytes < sizeof(*ethernet) + sizeof(*arp) ||
	    be16_get(ethernet->type) != ETHERTYPE_ARP ||
	    be16_get(arp->hardware_type) != ARP_HARDWARE_ETHERNET ||
	    be16_get(arp->protocol_type) != ETHERTYPE_IP4 || arp->hardware_bytes != MAC_BYTES ||
	    arp->protocol_bytes != sizeof(be32) || !conflicts(probe, arp))
		return false;
	probe->conflicts++;
	if (probe->state == ADDRESS_PROBE_PROBING) {
		address_probe_stop(probe);
		return true;
	}
	if (probe->defended_ns && now_ns - probe->defended_ns < ADDRESS_PROBE_DEFEND_NS)
		return false;
	probe->defended_ns = now_ns;
	request_send(probe, probe->address);
	return false;
}
