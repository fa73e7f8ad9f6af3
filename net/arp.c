/* SPDX-License-Identifier: ISC */
#include "net/arp.h"

#include <string.h>

static const uint8_t broadcast_mac[MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

#define ARP_FRAME_BYTES (sizeof(struct ethernet_header) + sizeof(struct arp_header))

bool arp_parse(const struct packet *packet, struct arp_message *message)
{
	const struct ethernet_header *ethernet = ethernet_at(packet);
	const struct arp_header *arp = arp_at(packet, sizeof(*ethernet));

	if (!arp || be16_get(arp->hardware_type) != ARP_HARDWARE_ETHERNET ||
	    be16_get(arp->protocol_type) != ETHERTYPE_IP4 || arp->hardware_bytes != MAC_BYTES ||
	    arp->protocol_bytes != sizeof(be32))
		return false;
	message->operation = be16_get(arp->operation);
	if (message->operation != ARP_REQUEST && message->operation != ARP_REPLY)
		return false;
	if (mac_is_group(arp->sender_mac) || !mac_equal(arp->sender_mac, ethernet->source))
		return false;
	message->sender = arp->sender;
	message->target = arp->target;
	mac_copy(message->sender_mac, arp->sender_mac);
	return true;
}

/* Sends one ARP packet; without memory it is as if the wire had lost it. */
static void arp_send(const struct arp *arp, struct netdev *netdev, uint16_t operation,
		     const uint8_t *to, be32 sender, be32 target)
{
	struct packet *packet = own_make(arp->own, netdev, ARP_FRAME_BYTES);
	struct ethernet_header *ethernet;
	struct arp_header *header;

	if (!packet)
		return;
	ethernet = ethernet_of(packet);
	mac_copy(ethernet->destination, to);
	mac_copy(ethernet->source, netdev->mac);
	ethernet->type = be16_of(ETHERTYPE_ARP);
	header = (struct arp_header *)(ethernet + 1);
	header->hardware_type = be16_of(ARP_HARDWARE_ETHERNET);
	header->protocol_type = be16_of(ETHERTYPE_IP4);
	header->hardware_bytes = MAC_BYTES;
	header->protocol_bytes = sizeof(be32);
	header->operation = be16_of(operation);
	mac_copy(header->sender_mac, netdev->mac);
	header->sender = sender;
	if (operation == ARP_REPLY)
		mac_copy(header->target_mac, to);
	header->target = target;
	own_send(arp->own, netdev, packet);
}

void arp_answer(const struct arp *arp, struct netdev *netdev, const struct arp_message *message)
{
	arp_send(arp, netdev, ARP_REPLY, message->sender_mac, message->target, message->sender);
}

static uint32_t entry_index(const struct arp *arp, const struct arp_entry *entry)
{
	return (uint32_t)(entry - arp->entries);
}

/* A packet has left the entry's queue. */
static void queue_count_down(struct arp_entry *entry, const struct packet *packet)
{
	entry->queued -= packet_pieces(packet);
	if (!entry->pinned)
		entry->arp->queued -= packet_pieces(packet);
}

static struct packet *queue_pop(struct arp_entry *entry)
{
	struct list *link = list_pop_front(&entry->queue);
	struct packet *packet;

	if (!link)
		return NULL;
	packet = list_entry(link, struct packet, link);
	queue_count_down(entry, packet);
	return packet;
}

static void entry_free(struct arp_entry *entry, enum drop_reason reason)
{
	struct arp *arp = entry->arp;
	struct packet *packet;

	wheel_stop(arp->wheel, &entry->timer);
	while ((packet = queue_pop(entry)))
		packet_drop(packet, reason);
	list_remove(&entry->age);
	arp->addresses[entry_index(arp, entry)] = (be32){ 0 };
	entry->netdev = NULL;
	entry->state = ARP_FREE;
	entry->pinned = false;
}

static void ask(struct arp_entry *entry, const uint8_t *to)
{
	const struct arp *arp = entry->arp;

	entry->tries++;
	arp_send(arp, entry->netdev, ARP_REQUEST, to, entry->own,
		 arp->addresses[entry_index(arp, entry)]);
}

/* Asks again, or gives up. */
static void entry_retry(struct arp_entry *entry, uint64_t now_ns)
{
	bool probing = entry->state == ARP_PROBING;
	uint64_t wait_ns = ARP_FIRST_RETRY_NS;

	if (entry->tries >= (probing ? ARP_PROBE_TRIES : ARP_REQUEST_TRIES)) {
		entry_free(entry, DROP_NO_NEIGHBOUR);
		return;
	}
	if (!probing)
		wait_ns <<= entry->tries;
	if (wait_ns > ARP_LAST_RETRY_NS)
		wait_ns = ARP_LAST_RETRY_NS;
	ask(entry, probing ? entry->mac : broadcast_mac);
	wheel_start(entry->arp->wheel, &entry->timer, now_ns + wait_ns);
}

static void entry_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct arp_entry *entry = container_of(timer, struct arp_entry, timer);

	if (entry->state == ARP_REACHABLE) {
		if (!entry->used) {
			entry_free(entry, DROP_NO_NEIGHBOUR);
			return;
		}
		entry->state = ARP_PROBING;
		entry->tries = 0;
	}
	entry_retry(entry, now_ns);
}

static void announce_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct arp *arp = container_of(timer, struct arp, announce);

	arp_send(arp, arp->announce_netdev, ARP_REQUEST, broadcast_mac, arp->announce_address,
		 arp->announce_address);
	if (--arp->announce_left)
		wheel_start(arp->wheel, timer, now_ns + ARP_ANNOUNCE_INTERVAL_NS);
}

void arp_init(struct arp *arp, const struct own *own, struct wheel *wheel)
{
	memset(arp, 0, sizeof(*arp));
	arp->own = own;
	arp->wheel = wheel;
	list_init(&arp->ages);
	wheel_timer_init(&arp->announce, announce_expired);
	for (uint32_t i = 0; i < ARP_ENTRIES; i++) {
		struct arp_entry *entry = &arp->entries[i];

		entry->arp = arp;
		wheel_timer_init(&entry->timer, entry_expired);
		list_init(&entry->queue);
		list_init(&entry->age);
	}
}

static struct arp_entry *entry_find(struct arp *arp, const struct netdev *netdev, be32 address)
{
	struct arp_entry *entry = &arp->entries[arp->hint];

	if (be32_equal(arp->addresses[arp->hint], address) && entry->netdev == netdev)
		return entry;
	for (uint32_t i = 0; i < ARP_ENTRIES; i++) {
		if (!be32_equal(arp->addresses[i], address) || arp->entries[i].netdev != netdev)
			continue;
		arp->hint = i;
		return &arp->entries[i];
	}
	return NULL;
}

/* A free entry, or the oldest one that is not pinned: unanswered ones before others. */
static struct arp_entry *entry_take(struct arp *arp)
{
	struct arp_entry *oldest = NULL;

	for (uint32_t i = 0; i < ARP_ENTRIES; i++)
		if (arp->entries[i].state == ARP_FREE)
			return &arp->entries[i];
	list_for_each(link, &arp->ages) {
		struct arp_entry *entry = list_entry(link, struct arp_entry, age);

		if (entry->pinned)
			continue;
		if (!oldest)
			oldest = entry;
		if (entry->state == ARP_INCOMPLETE) {
			oldest = entry;
			break;
		}
	}
	if (oldest)
		entry_free(oldest, DROP_NO_NEIGHBOUR);
	return oldest;
}

static struct arp_entry *entry_make(struct arp *arp, struct netdev *netdev, be32 own, be32 address,
				    bool pin, uint64_t now_ns)
{
	struct arp_entry *entry = entry_take(arp);

	if (!entry)
		return NULL;
	arp->addresses[entry_index(arp, entry)] = address;
	entry->netdev = netdev;
	entry->own = own;
	entry->state = ARP_INCOMPLETE;
	entry->tries = 0;
	entry->used = true;
	entry->pinned = pin;
	list_push_back(&arp->ages, &entry->age);
	ask(entry, broadcast_mac);
	wheel_start(arp->wheel, &entry->timer, now_ns + ARP_FIRST_RETRY_NS);
	return entry;
}

const uint8_t *arp_find(struct arp *arp, const struct netdev *netdev, be32 address)
{
	struct arp_entry *entry = entry_find(arp, netdev, address);

	if (!entry || entry->state == ARP_INCOMPLETE)
		return NULL;
	entry->used = true;
	return entry->mac;
}

void arp_queue(struct arp *arp, struct netdev *netdev, be32 own, be32 address, bool pin,
	       struct packet *packet, uint64_t now_ns)
{
	struct arp_entry *entry = entry_find(arp, netdev, address);
	uint32_t pieces;

	if (!entry)
		entry = entry_make(arp, netdev, own, address, pin, now_ns);
	if (!entry) {
		packet_drop(packet, DROP_NO_NEIGHBOUR);
		return;
	}
	pieces = packet_pieces(packet);
	if (entry->queued + pieces > ARP_QUEUE_ENTRY ||
	    (!entry->pinned && arp->queued + pieces > ARP_QUEUE_TOTAL)) {
		packet_drop(packet, DROP_QUOTA);
		return;
	}
	entry->queued += pieces;
	if (!entry->pinned)
		arp->queued += pieces;
	list_push_back(&entry->queue, &packet->link);
}

void arp_ask(struct arp *arp, struct netdev *netdev, be32 own, be32 address, uint64_t now_ns)
{
	if (!entry_find(arp, netdev, address))
		(void)entry_make(arp, netdev, own, address, true, now_ns);
}

void arp_learn(struct arp *arp, struct netdev *netdev, const struct arp_message *message,
	       uint64_t now_ns)
{
	struct arp_entry *entry = entry_find(arp, netdev, message->sender);
	struct packet *packet;

	if (!entry || message->sender.raw == 0)
		return;
	/* Nobody was asked: a neighbour who really moves says so by a request (RFC 5227, 3). */
	if (entry->state == ARP_REACHABLE && message->operation == ARP_REPLY &&
	    !mac_equal(entry->mac, message->sender_mac))
		return;
	mac_copy(entry->mac, message->sender_mac);
	entry->state = ARP_REACHABLE;
	entry->used = false;
	list_remove(&entry->age);
	list_push_back(&arp->ages, &entry->age);
	wheel_start(arp->wheel, &entry->timer, now_ns + ARP_REACHABLE_NS);
	while ((packet = queue_pop(entry))) {
		mac_copy(ethernet_of(packet)->destination, message->sender_mac);
		entry->used = true;
		own_send(arp->own, netdev, packet);
	}
}

void arp_announce(struct arp *arp, struct netdev *netdev, be32 address, uint64_t now_ns)
{
	arp->announce_netdev = netdev;
	arp->announce_address = address;
	arp->announce_left = ARP_ANNOUNCEMENTS;
	wheel_stop(arp->wheel, &arp->announce);
	announce_expired(&arp->announce, now_ns);
}

void arp_forget(struct arp *arp, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < ARP_ENTRIES; i++)
		if (arp->entries[i].netdev == netdev)
			entry_free(&arp->entries[i], DROP_DETACHED);
	if (arp->announce_netdev == netdev) {
		wheel_stop(arp->wheel, &arp->announce);
		arp->announce_netdev = NULL;
	}
}

void arp_drop_from(struct arp *arp, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < ARP_ENTRIES; i++) {
		struct arp_entry *entry = &arp->entries[i];

		list_for_each_safe(link, spare, &entry->queue) {
			struct packet *packet = list_entry(link, struct packet, link);

			if (packet->in != netdev)
				continue;
			list_remove(link);
			queue_count_down(entry, packet);
			packet_drop(packet, DROP_DETACHED);
		}
	}
}

uint32_t arp_count(const struct arp *arp)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < ARP_ENTRIES; i++)
		count += arp->entries[i].state != ARP_FREE;
	return count;
}

uint32_t arp_waiting(const struct arp *arp)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < ARP_ENTRIES; i++)
		list_for_each(link, &arp->entries[i].queue)
			count++;
	return count;
}
