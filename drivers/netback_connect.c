/* SPDX-License-Identifier: ISC */
/*
 * What one connection of a client holds: rings, ports and the sources that poll them,
 * as many of each as the client asks for queues. It is made here from what the client
 * has written into the store, and taken apart here, in one place.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/netback_internal.h"

#define QUEUES_KEY "multi-queue-num-queues"

/* ---- data path entry ---- */

static void ports_mask(const struct netback_queue *queue)
{
	evtchn_mask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		evtchn_mask(queue->rx_port);
}

static void ports_unmask(const struct netback_queue *queue)
{
	evtchn_unmask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		evtchn_unmask(queue->rx_port);
}

/* Masked until the rings are empty, and for longer when that was nothing but noise. */
static void queue_event(void *context)
{
	struct netback_queue *queue = context;

	ports_mask(queue);
	event_storm_event(&queue->storm);
	loop_schedule(&queue->source);
}

/* A sum that grows with requests and posted buffers, and with nothing else. */
static uint32_t work_of(const struct netback_queue *queue)
{
	return queue->tx_consumed + queue->rx_ring.limit;
}

/* While nothing waits for buffers nobody has looked for them; they are work, too. */
static void queue_rest(struct netback_queue *queue)
{
	if (work_of(queue) == queue->storm.work)
		netback_rx_look(queue);
	if (!queue->vif->broken && event_storm_may_unmask(&queue->storm, work_of(queue)))
		ports_unmask(queue);
}

/* The queues share a budget: a client's part of the CPU does not grow with its queues. */
static uint32_t queue_budget(const struct netback_vif *vif, uint32_t budget)
{
	return (budget + vif->queue_count - 1) / vif->queue_count;
}

static bool queue_poll(struct loop_source *source, uint32_t budget)
{
	struct netback_queue *queue = container_of(source, struct netback_queue, source);
	struct netback_vif *vif = queue->vif;
	bool more;

	if (!vif->connected || vif->broken)
		return false;
	netback_rx_poll(queue);
	more = !vif->broken && netback_tx_poll(queue, queue_budget(vif, budget));
	if (more || vif->broken)
		return more && !vif->broken;
	if (netback_tx_arm(queue) || netback_rx_arm(queue))
		return true;
	queue_rest(queue);
	return false;
}

void netback_vif_init_queues(struct netback_vif *vif)
{
	for (uint32_t i = 0; i < netback.config.max_queues; i++) {
		vif->queues[i].vif = vif;
		list_init(&vif->queues[i].waiting);
		loop_source_init(&vif->queues[i].source, queue_poll);
		event_storm_init(&vif->queues[i].storm, &vif->queues[i].source);
	}
}

/* ---- one queue ---- */

static int ports_bind(struct netback_queue *queue, const char *directory)
{
	uint16_t domid = queue->vif->client.domid;
	uint64_t tx = bus_read_u64(directory, "event-channel-tx", 0);
	uint64_t rx = bus_read_u64(directory, "event-channel-rx", 0);
	int error;

	if (!tx || !rx) {
		tx = bus_read_u64(directory, "event-channel", 0);
		rx = 0;
	}
	if (!tx || tx > UINT32_MAX || rx > UINT32_MAX)
		return -EINVAL;
	error = evtchn_bind_interdomain(domid, (evtchn_port)tx, queue_event, queue,
					&queue->tx_port);
	if (error)
		return error;
	queue->rx_port = queue->tx_port;
	if (!rx)
		return 0;
	return evtchn_bind_interdomain(domid, (evtchn_port)rx, queue_event, queue, &queue->rx_port);
}

static int ring_map(const struct netback_vif *vif, const char *directory, const char *key,
		    struct gnttab_mapping *mapping)
{
	uint64_t gref = bus_read_u64(directory, key, UINT64_MAX);

	if (gref > UINT32_MAX)
		return -EINVAL;
	return gnttab_map(vif->client.domid, (uint32_t)gref, false, mapping);
}

/* A frontend that reconnects goes on with the indices that it finds in a zeroed page. */
static int rings_adopt(struct netback_queue *queue)
{
	queue->tx = queue->tx_page.address;
	queue->rx = queue->rx_page.address;
	queue->tx_consumed = read_once(queue->tx->rsp_prod);
	queue->tx_answered = queue->tx_consumed;
	ring_producer_init(&queue->rx_ring, NETIF_RX_SLOTS, read_once(queue->rx->rsp_prod));
	return ring_advance(&queue->rx_ring, read_once(queue->rx->req_prod));
}

static int queue_acquire(struct netback_queue *queue, const char *directory)
{
	int error = ring_map(queue->vif, directory, "tx-ring-ref", &queue->tx_page);

	if (!error)
		error = ring_map(queue->vif, directory, "rx-ring-ref", &queue->rx_page);
	if (!error)
		error = ports_bind(queue, directory);
	if (!error)
		error = rings_adopt(queue);
	if (!error)
		event_storm_begin(&queue->storm, work_of(queue));
	return error;
}

static void queue_release(struct netback_queue *queue)
{
	loop_unschedule(&queue->source);
	event_storm_end(&queue->storm);
	netback_rx_purge(queue);
	if (queue->rx_port != queue->tx_port)
		evtchn_close(queue->rx_port);
	evtchn_close(queue->tx_port);
	queue->tx_port = EVTCHN_NONE;
	queue->rx_port = EVTCHN_NONE;
	gnttab_unmap(&queue->tx_page);
	gnttab_unmap(&queue->rx_page);
}

/* ---- all of a client's ---- */

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

/* 1 .. max_queues; 0: something else was asked for. A client need not know of queues. */
static uint32_t queues_wanted(const struct netback_vif *vif)
{
	char text[32];
	uint64_t count;

	if (bus_read_string(vif->frontend, QUEUES_KEY, text, sizeof(text)) == -ENOENT)
		return 1;
	count = bus_read_u64(vif->frontend, QUEUES_KEY, 0);
	return count > netback.config.max_queues ? 0 : (uint32_t)count;
}

/* Where the client writes of queue `index`; with one queue that is its own directory. */
static int queue_directory(const struct netback_vif *vif, uint32_t index, char *path, size_t size)
{
	int length = vif->queue_count == 1
			     ? snprintf(path, size, "%s", vif->frontend)
			     : snprintf(path, size, "%s/queue-%u", vif->frontend, index);

	return length < 0 || (size_t)length >= size ? -E2BIG : 0;
}

static int vif_acquire(struct netback_vif *vif)
{
	uint32_t wanted = queues_wanted(vif);
	char directory[STORE_PATH_BYTES];
	int error = 0;

	if (bus_read_u64(vif->frontend, "request-rx-copy", 0) != 1 || !wanted)
		return -EPROTONOSUPPORT;
	vif->queue_count = wanted;
	for (uint32_t i = 0; i < wanted && !error; i++) {
		error = queue_directory(vif, i, directory, sizeof(directory));
		if (!error)
			error = queue_acquire(&vif->queues[i], directory);
	}
	return error;
}

void netback_vif_release(struct netback_vif *vif)
{
	if (vif->connected) {
		vif->connected = false;
		vif->netdev.up = false;
		netback.detached++;
		netback.config.detached(&vif->netdev, netback.config.context);
		log_limited(&vif->log_limit, LOG_INFO, vif->netdev.name, "disconnected");
	}
	for (uint32_t i = 0; i < vif->queue_count; i++)
		queue_release(&vif->queues[i]);
	vif->queue_count = 0;
	vif->broken = false;
}

void netback_vif_connect(struct netback_vif *vif)
{
	int error = vif_acquire(vif);

	if (error) {
		log_limited(&vif->log_limit, LOG_WARNING, vif->netdev.name,
			    "cannot connect: error %d", error);
		netback_vif_release(vif);
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
		    "connected, ip %s, mtu %u, features %#x, queues %u",
		    vif->client.ip[0] ? vif->client.ip : "(none)", vif->netdev.mtu,
		    vif->netdev.features, vif->queue_count);
	for (uint32_t i = 0; i < vif->queue_count; i++)
		loop_schedule(&vif->queues[i].source);
}
