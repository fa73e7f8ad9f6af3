/* SPDX-License-Identifier: ISC */
/* The neighbour cache. */
#include "net/ndp.h"

#include <string.h>

#include "net/martian6.h"
#include "net/ndp_send.h"

static uint32_t entry_index(const struct ndp *ndp, const struct ndp_entry *entry)
{
	return (uint32_t)(entry - ndp->entries);
}

/* A packet has left the entry's queue. */
static void queue_count_down(struct ndp_entry *entry, const struct packet *packet)
{
	entry->queued -= packet_pieces(packet);
	if (!entry->pinned)
		entry->ndp->queued -= packet_pieces(packet);
}

static struct packet *queue_pop(struct ndp_entry *entry)
{
	struct list *link = list_pop_front(&entry->queue);
	struct packet *packet;

	if (!link)
		return NULL;
	packet = list_entry(link, struct packet, link);
	queue_count_down(entry, packet);
	return packet;
}

static bool is_resolved(const struct ndp_entry *entry)
{
	return entry->state == NDP_REACHABLE || entry->state == NDP_PROBING;
}

static void entry_free(struct ndp_entry *entry, enum drop_reason reason)
{
	struct ndp *ndp = entry->ndp;
	struct packet *packet;

	wheel_stop(ndp->wheel, &entry->timer);
	while ((packet = queue_pop(entry)))
		packet_drop(packet, reason);
	list_remove(&entry->age);
	if (is_resolved(entry))
		ndp->resolved_count--;
	entry->netdev = NULL;
	entry->state = NDP_FREE;
	entry->pinned = false;
}

/* Asks again, or gives up. */
static void entry_retry(struct ndp_entry *entry, uint64_t now_ns)
{
	bool probing = entry->state == NDP_PROBING;
	uint64_t wait_ns = NDP_FIRST_RETRY_NS;

	if (entry->tries >= (probing ? NDP_PROBE_TRIES : NDP_SOLICIT_TRIES)) {
		entry_free(entry, DROP_NO_NEIGHBOUR);
		return;
	}
	if (!probing)
		wait_ns <<= entry->tries;
	if (wait_ns > NDP_LAST_RETRY_NS)
		wait_ns = NDP_LAST_RETRY_NS;
	entry->tries++;
	ndp_solicit(entry->ndp->own, entry->netdev, probing ? entry->mac : NULL, &entry->own,
		    &entry->address);
	wheel_start(entry->ndp->wheel, &entry->timer, now_ns + wait_ns);
}

static void entry_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct ndp_entry *entry = container_of(timer, struct ndp_entry, timer);

	if (entry->state == NDP_REACHABLE) {
		if (!entry->used) {
			entry_free(entry, DROP_NO_NEIGHBOUR);
			return;
		}
		entry->state = NDP_PROBING;
		entry->tries = 0;
	}
	entry_retry(entry, now_ns);
}

void ndp_init(struct ndp *ndp, const struct own *own, struct wheel *wheel, uint64_t now_ns)
{
	memset(ndp, 0, sizeof(*ndp));
	ndp->own = own;
	ndp->wheel = wheel;
	bucket_init(&ndp->questions, NDP_NEW_PER_SECOND, NDP_NEW_BURST, now_ns);
	list_init(&ndp->asked);
	list_init(&ndp->resolved);
	list_init(&ndp->detections);
	ndp_announcements_init(ndp);
	for (uint32_t i = 0; i < NDP_ENTRIES; i++) {
		struct ndp_entry *entry = &ndp->entries[i];

		entry->ndp = ndp;
		wheel_timer_init(&entry->timer, entry_expired);
		list_init(&entry->queue);
		list_init(&entry->age);
	}
}

/* ---- looking up ---- */

static uint32_t tag_of(const struct ip6_address *address)
{
	uint32_t words[4];

	memcpy(words, address, sizeof(words));
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

static bool entry_is(const struct ndp_entry *entry, const struct netdev *netdev,
		     const struct ip6_address *address)
{
	return entry->netdev == netdev && ip6_address_equal(&entry->address, address);
}

static struct ndp_entry *entry_find(struct ndp *ndp, const struct netdev *netdev,
				    const struct ip6_address *address)
{
	struct ndp_entry *entry = &ndp->entries[ndp->hint];
	uint32_t tag;

	if (entry_is(entry, netdev, address))
		return entry;
	tag = tag_of(address);
	for (uint32_t i = 0; i < NDP_ENTRIES; i++) {
		if (ndp->tags[i] != tag || !entry_is(&ndp->entries[i], netdev, address))
			continue;
		ndp->hint = i;
		return &ndp->entries[i];
	}
	return NULL;
}

const uint8_t *ndp_find(struct ndp *ndp, const struct netdev *netdev,
			const struct ip6_address *address)
{
	struct ndp_entry *entry = entry_find(ndp, netdev, address);

	if (!entry || entry->state == NDP_INCOMPLETE)
		return NULL;
	entry->used = true;
	entry->recent = true;
	return entry->mac;
}

/* ---- places ---- */

/*
 * Frees the place of a neighbour that has answered, the oldest that was not used since
 * the last time; `keep` has just come. Every step makes one less recent: it ends.
 */
static void make_room_resolved(struct ndp *ndp, const struct ndp_entry *keep)
{
	for (uint32_t i = 0; i < 2 * NDP_ENTRIES; i++) {
		struct ndp_entry *entry = list_entry(ndp->resolved.next, struct ndp_entry, age);

		if (entry != keep && !entry->pinned && !entry->recent) {
			entry_free(entry, DROP_NO_NEIGHBOUR);
			return;
		}
		entry->recent = false;
		list_remove(&entry->age);
		list_push_back(&ndp->resolved, &entry->age);
	}
}

/* A free place, or that of the oldest question that is not pinned; or NULL. */
static struct ndp_entry *entry_take(struct ndp *ndp)
{
	for (uint32_t i = 0; i < NDP_ENTRIES; i++)
		if (ndp->entries[i].state == NDP_FREE)
			return &ndp->entries[i];
	list_for_each(link, &ndp->asked) {
		struct ndp_entry *entry = list_entry(link, struct ndp_entry, age);

		if (entry->pinned)
			continue;
		entry_free(entry, DROP_NO_NEIGHBOUR);
		return entry;
	}
	return NULL;
}

static void entry_begin(struct ndp_entry *entry, struct netdev *netdev,
			const struct ip6_address *own, const struct ip6_address *address, bool pin,
			uint64_t now_ns)
{
	struct ndp *ndp = entry->ndp;

	ndp->tags[entry_index(ndp, entry)] = tag_of(address);
	entry->address = *address;
	entry->netdev = netdev;
	entry->own = *own;
	entry->state = NDP_INCOMPLETE;
	entry->tries = 0;
	entry->used = true;
	entry->recent = false;
	entry->pinned = pin;
	list_push_back(&ndp->asked, &entry->age);
	entry_retry(entry, now_ns);
}

void ndp_queue(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *own,
	       const struct ip6_address *address, bool pin, struct packet *packet, uint64_t now_ns)
{
	struct ndp_entry *entry = entry_find(ndp, netdev, address);
	uint32_t pieces;

	if (!entry) {
		if (!pin && !bucket_take(&ndp->questions, now_ns)) {
			packet_drop(packet, DROP_RATE_LIMIT);
			return;
		}
		entry = entry_take(ndp);
		if (!entry) {
			packet_drop(packet, DROP_NO_NEIGHBOUR);
			return;
		}
		entry_begin(entry, netdev, own, address, pin, now_ns);
	}
	pieces = packet_pieces(packet);
	if (entry->queued + pieces > NDP_QUEUE_ENTRY ||
	    (!entry->pinned && ndp->queued + pieces > NDP_QUEUE_TOTAL)) {
		packet_drop(packet, DROP_QUOTA);
		return;
	}
	entry->queued += pieces;
	if (!entry->pinned)
		ndp->queued += pieces;
	list_push_back(&entry->queue, &packet->link);
}

void ndp_ask(struct ndp *ndp, struct netdev *netdev, const struct ip6_address *own,
	     const struct ip6_address *address, uint64_t now_ns)
{
	struct ndp_entry *entry;

	if (entry_find(ndp, netdev, address))
		return;
	entry = entry_take(ndp);
	if (entry)
		entry_begin(entry, netdev, own, address, true, now_ns);
}

/* ---- learning ---- */

/* The MAC is known: what waited goes. */
static void entry_resolve(struct ndp_entry *entry)
{
	struct ndp *ndp = entry->ndp;
	struct packet *packet;

	list_remove(&entry->age);
	list_push_back(&ndp->resolved, &entry->age);
	if (++ndp->resolved_count > NDP_RESOLVED_MAX)
		make_room_resolved(ndp, entry);
	while ((packet = queue_pop(entry))) {
		mac_copy(ethernet_of(packet)->destination, entry->mac);
		entry->used = true;
		own_send(ndp->own, entry->netdev, packet);
	}
}

static void entry_confirm(struct ndp_entry *entry, uint64_t now_ns)
{
	entry->state = NDP_REACHABLE;
	entry->used = false;
	wheel_start(entry->ndp->wheel, &entry->timer, now_ns + NDP_REACHABLE_NS);
}

/* It may be so; whether it is, is asked soon. One who says it again does not put that off. */
static void entry_doubt(struct ndp_entry *entry, uint64_t now_ns)
{
	if (entry->state == NDP_PROBING)
		return;
	entry->state = NDP_PROBING;
	entry->tries = 0;
	wheel_start(entry->ndp->wheel, &entry->timer, now_ns + NDP_FIRST_RETRY_NS);
}

/* RFC 4861, 7.2.5, for an entry without a MAC; but what nobody asked for does not fill it. */
static void first_answer(struct ndp_entry *entry, const struct ndp_message *message,
			 uint64_t now_ns)
{
	if (!message->solicited || !message->has_mac ||
	    !ip6_address_equal(&message->destination, &entry->own))
		return;
	mac_copy(entry->mac, message->sender_mac);
	entry_confirm(entry, now_ns);
	entry_resolve(entry);
}

/* The same for one that has. Without an option the frame must come from whom we know. */
static void later_answer(struct ndp_entry *entry, const struct ndp_message *message,
			 uint64_t now_ns)
{
	bool same = mac_equal(message->sender_mac, entry->mac);
	bool solicited =
		message->solicited && ip6_address_equal(&message->destination, &entry->own);

	if (!same && !message->has_mac)
		return;
	if (!same && !message->override) {
		entry_doubt(entry, now_ns);
		return;
	}
	mac_copy(entry->mac, message->sender_mac);
	if (solicited)
		entry_confirm(entry, now_ns);
	else if (!same)
		entry_doubt(entry, now_ns);
}

/* RFC 4861, 7.2.3, 6.2.6, 6.3.4: a request, or a router, says where it is. */
static void hear_sender(struct ndp_entry *entry, const struct ndp_message *message, uint64_t now_ns)
{
	bool first = entry->state == NDP_INCOMPLETE;

	if (!message->has_mac || (!first && mac_equal(message->sender_mac, entry->mac)))
		return;
	mac_copy(entry->mac, message->sender_mac);
	entry_doubt(entry, now_ns);
	if (first)
		entry_resolve(entry);
}

void ndp_learn(struct ndp *ndp, struct netdev *netdev, const struct ndp_message *message,
	       uint64_t now_ns)
{
	bool answer = message->type == ICMP6_NEIGHBOUR_ADVERTISEMENT;
	struct ndp_entry *entry =
		entry_find(ndp, netdev, answer ? &message->target : &message->source);

	if (!entry)
		return;
	if (!answer)
		hear_sender(entry, message, now_ns);
	else if (entry->state == NDP_INCOMPLETE)
		first_answer(entry, message, now_ns);
	else
		later_answer(entry, message, now_ns);
}

/* ---- forgetting, counting ---- */

void ndp_forget(struct ndp *ndp, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < NDP_ENTRIES; i++)
		if (ndp->entries[i].netdev == netdev)
			entry_free(&ndp->entries[i], DROP_DETACHED);
	ndp_announcements_forget(ndp, netdev);
	ndp_dad_forget(ndp, netdev);
}

void ndp_drop_from(struct ndp *ndp, const struct netdev *netdev)
{
	for (uint32_t i = 0; i < NDP_ENTRIES; i++) {
		struct ndp_entry *entry = &ndp->entries[i];

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

uint32_t ndp_count(const struct ndp *ndp)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < NDP_ENTRIES; i++)
		count += ndp->entries[i].state != NDP_FREE;
	return count;
}

uint32_t ndp_waiting(const struct ndp *ndp)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < NDP_ENTRIES; i++)
		list_for_each(link, &ndp->entries[i].queue)
			count++;
	return count;
}
