/* SPDX-License-Identifier: ISC */
/*
 * netback's control side: one fiber finds the clients, follows both state machines
 * and owns everything that a connection holds. The data path only ever marks a
 * client as broken; the taking apart is done here, in one place.
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

/* ---- data path entry ---- */

static void ports_mask(const struct netback_vif *vif)
{
	evtchn_mask(vif->tx_port);
	if (vif->rx_port != vif->tx_port)
		evtchn_mask(vif->rx_port);
}

static void ports_unmask(const struct netback_vif *vif)
{
	evtchn_unmask(vif->tx_port);
	if (vif->rx_port != vif->tx_port)
		evtchn_unmask(vif->rx_port);
}

/* Masked until the rings are empty: an event storm costs nothing. */
static void vif_event(void *context)
{
	struct netback_vif *vif = context;

	ports_mask(vif);
	loop_schedule(&vif->source);
}

static bool vif_poll(struct loop_source *source, uint32_t budget)
{
	struct netback_vif *vif = container_of(source, struct netback_vif, source);
	bool more;

	if (!vif->connected || vif->broken)
		return false;
	netback_rx_poll(vif);
	more = !vif->broken && netback_tx_poll(vif, budget);
	if (more || vif->broken)
		return more && !vif->broken;
	if (netback_tx_arm(vif) || netback_rx_arm(vif))
		return true;
	ports_unmask(vif);
	return false;
}

/* ---- connecting ---- */

static int frontend_ports_bind(struct netback_vif *vif)
{
	uint64_t tx = bus_read_u64(vif->frontend, "event-channel-tx", 0);
	uint64_t rx = bus_read_u64(vif->frontend, "event-channel-rx", 0);
	int error;

	if (!tx || !rx) {
		tx = bus_read_u64(vif->frontend, "event-channel", 0);
		rx = 0;
	}
	if (!tx || tx > UINT32_MAX || rx > UINT32_MAX)
		return -EINVAL;
	error = evtchn_bind_interdomain(vif->client.domid, (evtchn_port)tx, vif_event, vif,
					&vif->tx_port);
	if (error)
		return error;
	vif->rx_port = vif->tx_port;
	if (!rx)
		return 0;
	return evtchn_bind_interdomain(vif->client.domid, (evtchn_port)rx, vif_event, vif,
				       &vif->rx_port);
}

static int ring_map(struct netback_vif *vif, const char *key, struct gnttab_mapping *mapping)
{
	uint64_t gref = bus_read_u64(vif->frontend, key, UINT64_MAX);

	if (gref > UINT32_MAX)
		return -EINVAL;
	return gnttab_map(vif->client.domid, (uint32_t)gref, false, mapping);
}

static uint32_t features_read(const struct netback_vif *vif)
{
	uint32_t features = 0;

	if (bus_read_u64(vif->frontend, "feature-sg", 0) == 1)
		features |= NETDEV_TX_SG;
	if (bus_read_u64(vif->frontend, "feature-gso-tcpv4", 0) == 1)
		features |= NETDEV_TX_GSO_TCPV4;
	if (bus_read_u64(vif->frontend, "feature-gso-tcpv6", 0) == 1)
		features |= NETDEV_TX_GSO_TCPV6;
	if (bus_read_u64(vif->frontend, "feature-no-csum-offload", 0) == 0)
		features |= NETDEV_TX_CSUM_IPV4;
	if (bus_read_u64(vif->frontend, "feature-ipv6-csum-offload", 0) == 1)
		features |= NETDEV_TX_CSUM_IPV6;
	return features;
}

static void vif_release(struct netback_vif *vif)
{
	if (vif->connected) {
		vif->connected = false;
		vif->netdev.up = false;
		netback.detached++;
		netback.config.detached(&vif->netdev, netback.config.context);
		log_limited(&vif->log_limit, LOG_INFO, vif->netdev.name, "disconnected");
	}
	loop_unschedule(&vif->source);
	netback_rx_purge(vif);
	if (vif->rx_port != vif->tx_port)
		evtchn_close(vif->rx_port);
	evtchn_close(vif->tx_port);
	vif->tx_port = EVTCHN_NONE;
	vif->rx_port = EVTCHN_NONE;
	gnttab_unmap(&vif->tx_page);
	gnttab_unmap(&vif->rx_page);
	vif->broken = false;
}

static int vif_acquire(struct netback_vif *vif)
{
	int error;

	if (bus_read_u64(vif->frontend, "request-rx-copy", 0) != 1 ||
	    bus_read_u64(vif->frontend, "multi-queue-num-queues", 1) != 1)
		return -EPROTONOSUPPORT;
	error = ring_map(vif, "tx-ring-ref", &vif->tx_page);
	if (!error)
		error = ring_map(vif, "rx-ring-ref", &vif->rx_page);
	if (!error)
		error = frontend_ports_bind(vif);
	return error;
}

/* A frontend that reconnects goes on with the indices that it finds in a zeroed page. */
static int rings_adopt(struct netback_vif *vif)
{
	vif->tx = vif->tx_page.address;
	vif->rx = vif->rx_page.address;
	vif->tx_consumed = read_once(vif->tx->rsp_prod);
	vif->tx_answered = vif->tx_consumed;
	ring_producer_init(&vif->rx_ring, NETIF_RX_SLOTS, read_once(vif->rx->rsp_prod));
	return ring_advance(&vif->rx_ring, read_once(vif->rx->req_prod));
}

static void vif_connect(struct netback_vif *vif)
{
	int error = vif_acquire(vif);

	if (!error)
		error = rings_adopt(vif);
	if (error) {
		log_limited(&vif->log_limit, LOG_WARNING, vif->netdev.name,
			    "cannot connect: error %d", error);
		vif_release(vif);
		return;
	}
	vif->netdev.features = features_read(vif);
	vif->netdev.mtu = bus_read_mtu(vif->backend);
	netback_multicast_init(&vif->multicast,
			       bus_read_u64(vif->frontend, "request-multicast-control", 0) == 1);
	vif->connected = true;
	vif->netdev.up = true;
	netback.attached++;
	netback.config.attached(&vif->netdev, &vif->client, netback.config.context);
	log_limited(&vif->log_limit, LOG_INFO, vif->netdev.name,
		    "connected, ip %s, mtu %u, features %#x",
		    vif->client.ip[0] ? vif->client.ip : "(none)", vif->netdev.mtu,
		    vif->netdev.features);
	loop_schedule(&vif->source);
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
	vif_release(vif);
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
		vif_release(vif);
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
	/* A store that does not answer is no wish to remove the client. */
	uint64_t online = bus_read_u64(vif->backend, "online", 1);
	enum xenbus_state frontend = bus_state_read(vif->frontend);

	vif->watch.fired = false;
	if (!vif->seen) {
		vif_free(vif);
		return;
	}
	if (online == 0) {
		vif_retire(vif, frontend);
		return;
	}
	vif->closed_ns = 0;
	if (vif->broken) {
		vif_release(vif);
		state_set(vif, XenbusStateClosed);
		return;
	}
	switch (frontend) {
	case XenbusStateInitialising:
		if (vif->connected)
			vif_release(vif);
		if (vif->state != XenbusStateInitWait)
			vif_offer(vif);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (vif->state == XenbusStateInitialising)
			vif_offer(vif);
		if (!vif->connected && vif->state == XenbusStateInitWait)
			vif_connect(vif);
		if (vif->connected)
			state_set(vif, XenbusStateConnected);
		break;
	case XenbusStateClosing:
		vif_release(vif);
		state_set(vif, XenbusStateClosing);
		break;
	case XenbusStateClosed:
	case XenbusStateUnknown:
		vif_release(vif);
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
	vif = calloc(1, sizeof(*vif));
	if (!vif)
		return;
	vif->client.domid = domid;
	vif->client.handle = handle;
	vif->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	vif->state = XenbusStateInitialising;
	vif->netdev.ops = &ops;
	vif->netdev.driver = vif;
	list_init(&vif->queue);
	list_init(&vif->watch.link);
	loop_source_init(&vif->source, vif_poll);
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

static void clients_serve(void)
{
	struct list *link = netback.vifs.next;

	while (link != &netback.vifs) {
		struct netback_vif *vif = list_entry(link, struct netback_vif, link);

		link = link->next; /* vif_serve() may free this one, and no other */
		vif_serve(vif);
	}
}

/* Directories wait to be removed for a moment after Closed. */
static uint64_t next_look(void)
{
	list_for_each(link, &netback.vifs) {
		if (list_entry(link, struct netback_vif, link)->closed_ns)
			return loop_now_ns() + REMOVE_SOON_NS / 2;
	}
	return FIBER_FOREVER;
}

static void close_all(void)
{
	list_for_each(link, &netback.vifs) {
		struct netback_vif *vif = list_entry(link, struct netback_vif, link);

		vif_release(vif);
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
		int timed_out = fiber_event_wait(&netback.event, next_look());

		if (netback.watch.fired || timed_out) {
			netback.watch.fired = false;
			clients_list();
		}
		clients_serve();
	}
	close_all();
	netback.closed = true;
}

int netback_start(const struct netback_config *config)
{
	netback.config = *config;
	if (!config->queue_pages)
		netback.config.queue_pages = UINT32_MAX;
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
	char text[160];

	snprintf(text, sizeof(text), "netback: clients %u attached %llu detached %llu broken %llu",
		 netback.vif_count, (unsigned long long)netback.attached,
		 (unsigned long long)netback.detached, (unsigned long long)netback.broken);
	line(context, text);
	list_for_each(link, &netback.vifs) {
		const struct netback_vif *vif = list_entry(link, struct netback_vif, link);
		const struct netdev_stats *s = &vif->netdev.stats;

		snprintf(text, sizeof(text),
			 "%s: %s rx %llu packets %llu bytes %llu dropped, tx %llu packets %llu "
			 "bytes %llu dropped, %u queued",
			 vif->netdev.name, bus_state_name(vif->state),
			 (unsigned long long)s->rx_packets, (unsigned long long)s->rx_bytes,
			 (unsigned long long)s->rx_dropped, (unsigned long long)s->tx_packets,
			 (unsigned long long)s->tx_bytes, (unsigned long long)s->tx_dropped,
			 vif->queue_packets);
		line(context, text);
	}
}
