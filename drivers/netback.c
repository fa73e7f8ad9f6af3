/* SPDX-License-Identifier: ISC */
/*
 * netback's control side: one fiber finds the clients, follows both state machines and
 * decides when a client is connected and disconnected. The data path only ever marks a
 * client as broken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/netback_internal.h"

#define ROOT "backend/vif"
#define LIST_MAX 256u
#define TRANSACTION_TRIES 5u
#define REMOVE_SOON_NS 300000000ull
#define REMOVE_LATE_NS 1500000000ull
/* A client that connects, closes and connects again changes its state five times. */
#define CLIENT_LOOKS 16u
#define CLIENT_LOOK_NS 100000000ull
/* For the toolstack, which no client's doings may keep waiting for long. */
#define LISTINGS 64u
#define LISTING_NS 20000000ull

struct netback netback;

static const struct netdev_ops ops = { .transmit = netback_rx_transmit };

void netback_vif_break(struct netback_vif *vif, const char *why)
{
	if (vif->broken)
		return;
	vif->broken = true;
	vif->netdev.up = false;
	netback.broken++;
	log_limited(&vif->log_limit, LOG_WARNING, vif->netdev.name, "disconnected: %s", why);
	fiber_event_signal(&netback.event);
}

/* ---- the state machine ---- */

static void state_set(struct netback_vif *vif, enum xenbus_state state)
{
	int error;

	if (vif->state == state)
		return;
	error = bus_state_write(STORE_NO_TRANSACTION, vif->backend, state);
	if (error && error != -ENOENT)
		log_limited(&vif->log_limit, LOG_WARNING, vif->netdev.name,
			    "state %s is not written: error %d", bus_state_name(state), error);
	vif->state = state;
}

/* The most useful first: where xenstore's quota of nodes ends, the later ones are left out. */
static const char *const features[] = { "feature-rx-copy",	    "feature-sg",
					"feature-gso-tcpv4",	    "feature-split-event-channels",
					"feature-gso-tcpv6",	    "feature-ipv6-csum-offload",
					"feature-multicast-control" };

/* Features first, then the state, in one step: libxl and the client look at the state. */
static int offer_write(const struct netback_vif *vif, size_t feature_count)
{
	store_transaction t;
	int error = store_transaction_start(&t);

	if (error)
		return error;
	for (size_t i = 0; i < feature_count && !error; i++)
		error = bus_write(t, vif->backend, features[i], "1");
	if (!error && feature_count == ARRAY_SIZE(features))
		error = bus_write(t, vif->backend, "multi-queue-max-queues", "%u",
				  netback.config.max_queues);
	if (!error)
		error = bus_write(t, vif->backend, "hotplug-status", "connected");
	if (!error)
		error = bus_state_write(t, vif->backend, XenbusStateInitWait);
	if (error) {
		int aborted = store_transaction_end(t, false);

		return aborted ? aborted : error;
	}
	return store_transaction_end(t, true);
}

static int offer_try(const struct netback_vif *vif, size_t feature_count)
{
	int error = -EAGAIN;

	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = offer_write(vif, feature_count);
	return error;
}

/* With many clients the quota may leave room for few features, but no client does without. */
static void vif_offer(struct netback_vif *vif)
{
	static const size_t counts[] = { ARRAY_SIZE(features), 3, 1 };
	int error = -ENOSPC;

	for (size_t i = 0; i < ARRAY_SIZE(counts) && error; i++) {
		error = offer_try(vif, counts[i]);
		if (error)
			log_limited(&vif->log_limit, LOG_WARNING, vif->netdev.name,
				    "cannot offer %zu features: error %d", counts[i], error);
	}
	if (!error)
		vif->state = XenbusStateInitWait;
}

static void vif_free(struct netback_vif *vif)
{
	netback_vif_release(vif);
	store_watch_remove(&vif->watch);
	list_remove(&vif->link);
	netback.vif_count--;
	free(vif);
}

/* The toolstack wants it gone: Closed, and then the directory, after libxl has looked. */
static void vif_retire(struct netback_vif *vif, enum xenbus_state frontend)
{
	bool frontend_left = frontend == XenbusStateUnknown || frontend == XenbusStateClosing ||
			     frontend == XenbusStateClosed;
	uint64_t age;

	/* libxl may ask again before the directory is gone: it has to be answered again. */
	if (!vif->closed_ns || bus_state_read(vif->backend) == XenbusStateClosing) {
		netback_vif_release(vif);
		/* libxl has written Closing over whatever stood there, and waits for this. */
		vif->state = XenbusStateUnknown;
		state_set(vif, XenbusStateClosed);
		vif->closed_ns = loop_now_ns();
		return;
	}
	age = loop_now_ns() - vif->closed_ns;
	if (age < (frontend_left ? REMOVE_SOON_NS : REMOVE_LATE_NS))
		return;
	if (store_remove(STORE_NO_TRANSACTION, vif->backend))
		log_line(LOG_DEBUG, vif->netdev.name, "its directory is gone already");
	vif_free(vif);
}

static void vif_serve(struct netback_vif *vif)
{
	enum xenbus_state frontend;
	uint64_t online;

	/* Before the answers, for what changes after them must be looked at once more. */
	if (vif->watch.fired)
		store_pace_take(&vif->pace, loop_now_ns());
	vif->watch.fired = false;
	/* A store that does not answer is no wish to remove the client. */
	online = bus_read_u64(vif->backend, "online", 1);
	frontend = bus_state_read(vif->frontend);
	if (online == 0) {
		vif_retire(vif, frontend);
		return;
	}
	vif->closed_ns = 0;
	if (vif->broken) {
		netback_vif_release(vif);
		state_set(vif, XenbusStateClosed);
		return;
	}
	switch (frontend) {
	case XenbusStateInitialising:
		if (vif->connected)
			netback_vif_release(vif);
		if (vif->state != XenbusStateInitWait)
			vif_offer(vif);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (vif->state == XenbusStateInitialising)
			vif_offer(vif);
		if (!vif->connected && vif->state == XenbusStateInitWait)
			netback_vif_connect(vif);
		if (vif->connected)
			state_set(vif, XenbusStateConnected);
		break;
	case XenbusStateClosing:
		netback_vif_release(vif);
		state_set(vif, XenbusStateClosing);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		netback_vif_release(vif);
		state_set(vif, XenbusStateClosed);
		break;
	default:
		break;
	}
}

/* ---- finding clients ---- */

static struct netback_vif *vif_find(uint16_t domid, uint32_t handle)
{
	list_for_each(link, &netback.vifs) {
		struct netback_vif *vif = list_entry(link, struct netback_vif, link);

		if (vif->client.domid == domid && vif->client.handle == handle)
			return vif;
	}
	return NULL;
}

static int vif_describe(struct netback_vif *vif)
{
	int error = bus_read_string(vif->backend, "frontend", vif->frontend, sizeof(vif->frontend));

	if (error < 0)
		return error;
	if (bus_read_u64(vif->backend, "frontend-id", UINT64_MAX) != vif->client.domid)
		return -EINVAL;
	if (bus_read_mac(vif->backend, "mac", vif->client.mac))
		memset(vif->client.mac, 0, sizeof(vif->client.mac));
	if (bus_read_string(vif->backend, "ip", vif->client.ip, sizeof(vif->client.ip)) < 0)
		vif->client.ip[0] = '\0';
	memcpy(vif->netdev.mac, netback.config.mac, NETDEV_MAC_BYTES);
	memcpy(vif->netdev.peer_mac, vif->client.mac, NETDEV_MAC_BYTES);
	vif->netdev.mtu = BUS_DEFAULT_MTU;
	return 0;
}

static void vif_create(uint16_t domid, uint32_t handle)
{
	struct netback_vif *vif;
	char path[STORE_PATH_BYTES];

	if (netback.vif_count >= netback.config.max_clients)
		return;
	vif = calloc(1, sizeof(*vif) + netback.config.max_queues * sizeof(vif->queues[0]));
	if (!vif)
		return;
	vif->client.domid = domid;
	vif->client.handle = handle;
	vif->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	vif->state = XenbusStateInitialising;
	vif->netdev.ops = &ops;
	vif->netdev.driver = vif;
	list_init(&vif->watch.link);
	store_pace_init(&vif->pace, CLIENT_LOOKS, CLIENT_LOOK_NS);
	netback_vif_init_queues(vif);
	snprintf(vif->netdev.name, sizeof(vif->netdev.name), "client%u.%u", domid, handle);
	snprintf(vif->backend, sizeof(vif->backend), ROOT "/%u/%u", domid, handle);
	if (vif_describe(vif)) {
		free(vif); /* half written or half removed; the watch tells when it is whole */
		return;
	}
	snprintf(path, sizeof(path), "%.*s/state", (int)(sizeof(path) - 8), vif->frontend);
	if (store_watch_add(&vif->watch, path, &netback.event)) {
		free(vif);
		return;
	}
	list_push_back(&netback.vifs, &vif->link);
	netback.vif_count++;
	vif->seen = true;
}

static int number_parse(const char *text, uint32_t limit, uint32_t *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value >= limit || text[0] == '-' || text[0] == '+')
		return -EINVAL;
	*number = (uint32_t)value;
	return 0;
}

static void devices_list(const char *frontend_name)
{
	struct store_list devices;
	char path[STORE_PATH_BYTES];
	uint32_t domid, handle;

	if (number_parse(frontend_name, DOMID_FIRST_RESERVED, &domid))
		return;
	snprintf(path, sizeof(path), ROOT "/%u", domid);
	if (store_list(STORE_NO_TRANSACTION, path, LIST_MAX, &devices))
		return; /* removed between the two listings */
	for (uint32_t i = 0; i < devices.count; i++) {
		struct netback_vif *vif;

		if (number_parse(devices.names[i], UINT16_MAX, &handle))
			continue;
		vif = vif_find((uint16_t)domid, handle);
		if (vif)
			vif->seen = true;
		else
			vif_create((uint16_t)domid, handle);
	}
	store_list_free(&devices);
}

static void clients_list(void)
{
	struct store_list frontends;
	int error = store_list(STORE_NO_TRANSACTION, ROOT, LIST_MAX, &frontends);

	if (error && error != -ENOENT)
		return; /* no news is not a sign that all clients went */
	list_for_each(link, &netback.vifs) {
		list_entry(link, struct netback_vif, link)->seen = false;
	}
	if (error)
		return;
	for (uint32_t i = 0; i < frontends.count; i++)
		devices_list(frontends.names[i]);
	store_list_free(&frontends);
}

/* Those of which there is news, and all of them after a listing. */
static void clients_serve(bool all)
{
	struct list *link = netback.vifs.next;

	while (link != &netback.vifs) {
		struct netback_vif *vif = list_entry(link, struct netback_vif, link);
		uint64_t now_ns = loop_now_ns();

		link = link->next; /* this one may be freed, and no other */
		vif->due |= all || vif->watch.fired || vif->broken;
		if (!vif->seen) {
			vif_free(vif);
		} else if (vif->due && store_pace_next_ns(&vif->pace, now_ns) <= now_ns) {
			vif->due = false;
			vif_serve(vif);
		}
	}
}

static bool any_is_closed(void)
{
	list_for_each(link, &netback.vifs) {
		if (list_entry(link, struct netback_vif, link)->closed_ns)
			return true;
	}
	return false;
}

/* Those whose pace makes them wait, and what the toolstack has changed meanwhile. */
static uint64_t next_due(void)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t due =
		netback.watch.fired ? store_pace_next_ns(&netback.pace, now_ns) : FIBER_FOREVER;

	list_for_each(link, &netback.vifs) {
		const struct netback_vif *vif = list_entry(link, struct netback_vif, link);
		uint64_t next = store_pace_next_ns(&vif->pace, now_ns);

		if (vif->due && next < due)
			due = next;
	}
	return due;
}

/* Directories wait to be removed for a moment after Closed. */
static uint64_t next_look(void)
{
	uint64_t removal = loop_now_ns() + REMOVE_SOON_NS / 2;
	uint64_t due = next_due();

	return any_is_closed() && removal < due ? removal : due;
}

/* True: the list of clients was read anew, and all of them are to be looked at. */
static bool clients_look(bool timed_out)
{
	uint64_t now_ns = loop_now_ns();

	if (!netback.watch.fired && !(timed_out && any_is_closed()))
		return false;
	if (store_pace_next_ns(&netback.pace, now_ns) > now_ns)
		return false;
	store_pace_take(&netback.pace, now_ns);
	netback.watch.fired = false;
	clients_list();
	return true;
}

static void close_all(void)
{
	list_for_each(link, &netback.vifs) {
		struct netback_vif *vif = list_entry(link, struct netback_vif, link);

		netback_vif_release(vif);
		state_set(vif, XenbusStateClosed);
	}
}

static void serve(void *argument)
{
	(void)argument;
	if (store_watch_add(&netback.watch, ROOT, &netback.event)) {
		log_line(LOG_ERROR, "netback", ROOT " cannot be watched");
		return;
	}
	while (!netback.closing) {
		bool timed_out = fiber_event_wait(&netback.event, next_look()) != 0;

		clients_serve(clients_look(timed_out));
	}
	close_all();
	netback.closed = true;
}

int netback_start(const struct netback_config *config)
{
	netback.config = *config;
	if (!config->max_queues)
		netback.config.max_queues = NETBACK_DEFAULT_QUEUES;
	if (!config->queue_pages)
		netback.config.queue_pages = UINT32_MAX;
	store_pace_init(&netback.pace, LISTINGS, LISTING_NS);
	list_init(&netback.vifs);
	fiber_event_init(&netback.event);
	netback.running = true;
	return fiber_start("netback", serve, NULL);
}

void netback_close_all(void)
{
	uint64_t end = loop_now_ns() + STORE_TIMEOUT_NS;

	if (!netback.running)
		return;
	netback.closing = true;
	fiber_event_signal(&netback.event);
	while (!netback.closed && loop_now_ns() < end)
		fiber_sleep_until(loop_now_ns() + REMOVE_SOON_NS / 30);
}

void netback_print_stats(void (*line)(void *context, const char *text), void *context)
{
	char text[200];

	if (!netback.running)
		return;
	snprintf(text, sizeof(text), "netback: clients %u attached %llu detached %llu broken %llu",
		 netback.vif_count, (unsigned long long)netback.attached,
		 (unsigned long long)netback.detached, (unsigned long long)netback.broken);
	line(context, text);
	list_for_each(link, &netback.vifs) {
		const struct netback_vif *vif = list_entry(link, struct netback_vif, link);
		const struct netdev_stats *s = &vif->netdev.stats;

		snprintf(text, sizeof(text),
			 "%s: %s rx %llu packets %llu bytes %llu dropped, tx %llu packets %llu "
			 "bytes %llu dropped, %u queued, %u queues",
			 vif->netdev.name, bus_state_name(vif->state),
			 (unsigned long long)s->rx_packets, (unsigned long long)s->rx_bytes,
			 (unsigned long long)s->rx_dropped, (unsigned long long)s->tx_packets,
			 (unsigned long long)s->tx_bytes, (unsigned long long)s->tx_dropped,
			 vif->waiting_packets, vif->queue_count);
		line(context, text);
	}
}

static const struct netback_vif *vif_at(uint32_t index)
{
	if (netback.running)
		list_for_each(link, &netback.vifs)
			if (index-- == 0)
				return list_entry(link, struct netback_vif, link);
	return NULL;
}

bool netback_info(uint32_t index, struct netif_info *info)
{
	const struct netback_vif *vif = vif_at(index);

	if (!vif)
		return false;
	*info = (struct netif_info){ .netdev = &vif->netdev,
				     .backend = true,
				     .state = bus_state_name(vif->state),
				     .queues = vif->queue_count,
				     .waiting_packets = vif->waiting_packets };
	for (uint32_t i = 0; vif->connected && i < vif->queue_count; i++) {
		const struct netback_queue *queue = &vif->queues[i];

		info->send_slots_free += ring_free_slots(&queue->rx_ring);
		info->receive_slots_busy += queue->tx_consumed - queue->tx_answered;
	}
	return true;
}
