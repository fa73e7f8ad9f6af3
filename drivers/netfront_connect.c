/* SPDX-License-Identifier: ISC */
/*
 * One connection of netfront: rings, ports and the sources that poll them, as many of
 * each as there are queues, and what the backend is told of them in the store.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/netfront_internal.h"

#define TRANSACTION_TRIES 5u
#define QUEUES_KEY "multi-queue-num-queues"
#define QUEUE_NAME_BYTES 24u

/* ---- data path entry ---- */

static void queue_event(void *context)
{
	struct netfront_queue *queue = context;

	evtchn_mask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		evtchn_mask(queue->rx_port);
	event_storm_event(&queue->storm);
	loop_schedule(&queue->source);
}

static void ports_unmask(const struct netfront_queue *queue)
{
	evtchn_unmask(queue->tx_port);
	if (queue->rx_port != queue->tx_port)
		evtchn_unmask(queue->rx_port);
}

/* A sum that grows with the backend's answers, and with nothing else. */
static uint32_t work_of(const struct netfront_queue *queue)
{
	return queue->tx.consumed + queue->rx.furthest;
}

/* The queues share a budget: the uplink's part of the CPU does not grow with them. */
static uint32_t queue_budget(const struct netfront *front, uint32_t budget)
{
	return (budget + front->queue_count - 1) / front->queue_count;
}

static bool queue_poll(struct loop_source *source, uint32_t budget)
{
	struct netfront_queue *queue = container_of(source, struct netfront_queue, source);
	struct netfront *front = queue->front;
	bool more;

	if (!front->connected || front->broken)
		return false;
	netfront_tx_poll(queue);
	more = !front->broken && netfront_rx_poll(queue, queue_budget(front, budget));
	if (front->broken)
		return false;
	if (more || netfront_rx_arm(queue) || netfront_tx_arm(queue))
		return true;
	if (event_storm_may_unmask(&queue->storm, work_of(queue)))
		ports_unmask(queue);
	return false;
}

void netfront_queues_init(struct netfront *front)
{
	front->queue_count = 1;
	for (uint32_t i = 0; i < front->config.max_queues; i++) {
		front->queues[i].front = front;
		list_init(&front->queues[i].tx.waiting);
		list_init(&front->queues[i].rx.idle);
		loop_source_init(&front->queues[i].source, queue_poll);
		event_storm_init(&front->queues[i].storm, &front->queues[i].source);
	}
}

/* ---- one queue ---- */

static int ring_page_ready(struct netfront *front, struct iopage **page)
{
	if (*page)
		return 0;
	*page = iopage_alloc(front->config.packets->pages, IOPAGE_PRIVATE);
	if (!*page)
		return -ENOMEM;
	iopage_reclass(*page, IOPAGE_UPLINK_WRITE);
	list_init(&(*page)->link);
	return 0;
}

static int rings_make(struct netfront_queue *queue)
{
	struct netfront *front = queue->front;
	int error = ring_page_ready(front, &queue->tx.page);

	if (!error)
		error = ring_page_ready(front, &queue->rx.page);
	if (error)
		return error;
	netfront_tx_init(queue);
	netfront_rx_init(queue);
	event_storm_begin(&queue->storm, work_of(queue));
	error = netfront_page_grant(front, queue->tx.page, false);
	return error ? error : netfront_page_grant(front, queue->rx.page, false);
}

static int ports_make(struct netfront_queue *queue, bool split)
{
	uint16_t backend = queue->front->backend_id;
	int error = evtchn_alloc_unbound(backend, queue_event, queue, &queue->tx_port);

	queue->rx_port = queue->tx_port;
	if (error || !split)
		return error;
	return evtchn_alloc_unbound(backend, queue_event, queue, &queue->rx_port);
}

static int queue_make(struct netfront_queue *queue, bool split)
{
	int error = rings_make(queue);

	return error ? error : ports_make(queue, split);
}

static void queue_end(struct netfront_queue *queue)
{
	loop_unschedule(&queue->source);
	event_storm_end(&queue->storm);
	if (queue->rx_port != queue->tx_port)
		evtchn_close(queue->rx_port);
	evtchn_close(queue->tx_port);
	queue->tx_port = EVTCHN_NONE;
	queue->rx_port = EVTCHN_NONE;
	if (queue->tx.page && queue->tx.page->gref != IOPAGE_NO_GREF) {
		netfront_tx_purge(queue);
		netfront_rx_purge(queue);
	}
}

/* ---- the store ---- */

static int key_remove(store_transaction t, const char *directory, const char *key)
{
	char path[STORE_PATH_BYTES];
	int length = snprintf(path, sizeof(path), "%s/%s", directory, key);
	int error;

	if (length < 0 || (size_t)length >= sizeof(path))
		return -E2BIG;
	error = store_remove(t, path);
	return error == -ENOENT ? 0 : error;
}

/*
 * What an earlier connection has left, perhaps with another number of queues or another
 * kind of ports: a backend would take it for ours.
 */
static int details_clear(store_transaction t, const struct netfront *front)
{
	static const char *const keys[] = { "tx-ring-ref",	"rx-ring-ref",	    "event-channel",
					    "event-channel-tx", "event-channel-rx", QUEUES_KEY };
	char name[QUEUE_NAME_BYTES];
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !error; i++)
		error = key_remove(t, front->directory, keys[i]);
	for (uint32_t i = 0; i < front->config.max_queues && !error; i++) {
		snprintf(name, sizeof(name), "queue-%u", i);
		error = key_remove(t, front->directory, name);
	}
	return error;
}

static int queue_write(store_transaction t, const struct netfront_queue *queue,
		       const char *directory)
{
	int error = bus_write(t, directory, "tx-ring-ref", "%u", queue->tx.page->gref);

	if (!error)
		error = bus_write(t, directory, "rx-ring-ref", "%u", queue->rx.page->gref);
	if (error)
		return error;
	if (queue->rx_port == queue->tx_port)
		return bus_write(t, directory, "event-channel", "%u", queue->tx_port);
	error = bus_write(t, directory, "event-channel-tx", "%u", queue->tx_port);
	return error ? error : bus_write(t, directory, "event-channel-rx", "%u", queue->rx_port);
}

/* With one queue as if there were no such thing as queues: any backend knows that. */
static int queues_write(store_transaction t, const struct netfront *front)
{
	int error;

	if (front->queue_count == 1)
		return queue_write(t, &front->queues[0], front->directory);
	error = bus_write(t, front->directory, QUEUES_KEY, "%u", front->queue_count);
	for (uint32_t i = 0; i < front->queue_count && !error; i++) {
		char path[sizeof(front->directory) + QUEUE_NAME_BYTES];

		snprintf(path, sizeof(path), "%s/queue-%u", front->directory, i);
		error = queue_write(t, &front->queues[i], path);
	}
	return error;
}

static int details_write(struct netfront *front)
{
	static const char *const features[] = { "request-rx-copy",   "feature-rx-notify",
						"feature-sg",	     "feature-gso-tcpv4",
						"feature-gso-tcpv6", "feature-ipv6-csum-offload" };
	store_transaction t;
	int error = store_transaction_start(&t);
	int ended;

	if (error)
		return error;
	error = details_clear(t, front);
	if (!error)
		error = queues_write(t, front);
	for (size_t i = 0; i < ARRAY_SIZE(features) && !error; i++)
		error = bus_write(t, front->directory, features[i], "1");
	if (!error)
		error = bus_state_write(t, front->directory, XenbusStateConnected);
	ended = store_transaction_end(t, !error);
	return error ? error : ended;
}

/* ---- all of it ---- */

static void features_learn(struct netfront *front)
{
	struct netdev *netdev = &front->netdev;

	netdev->features = 0;
	if (bus_read_u64(front->backend, "feature-sg", 0) == 1)
		netdev->features |= NETDEV_TX_SG;
	if (bus_read_u64(front->backend, "feature-gso-tcpv4", 0) == 1)
		netdev->features |= NETDEV_TX_GSO_TCPV4;
	if (bus_read_u64(front->backend, "feature-gso-tcpv6", 0) == 1)
		netdev->features |= NETDEV_TX_GSO_TCPV6;
	if (bus_read_u64(front->backend, "feature-ipv6-csum-offload", 0) == 1)
		netdev->features |= NETDEV_TX_CSUM_IPV6;
	if (bus_read_u64(front->backend, "feature-no-csum-offload", 0) == 0)
		netdev->features |= NETDEV_TX_CSUM_IPV4;
	netdev->mtu = bus_read_mtu(front->backend);
	if (bus_read_mac(front->directory, "mac", netdev->mac))
		log_line(LOG_WARNING, netdev->name, "has no valid mac");
}

/* As many as both sides can; a backend that says nothing, or nonsense, has one. */
static uint32_t queues_agreed(const struct netfront *front)
{
	uint64_t offered = bus_read_u64(front->backend, "multi-queue-max-queues", 1);

	if (offered < 1)
		return 1;
	return offered < front->config.max_queues ? (uint32_t)offered : front->config.max_queues;
}

int netfront_connection_make(struct netfront *front)
{
	bool split = bus_read_u64(front->backend, "feature-split-event-channels", 0) == 1;
	int error = 0;

	features_learn(front);
	netfront_rx_share_out(front, queues_agreed(front));
	for (uint32_t i = 0; i < front->queue_count && !error; i++)
		error = queue_make(&front->queues[i], split);
	if (!error)
		error = netfront_pages_grant(front);
	if (error)
		return error;
	error = -EAGAIN;
	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = details_write(front);
	return error;
}

/* Undoes whatever part of a connection there is. */
void netfront_connection_end(struct netfront *front, enum xenbus_state say)
{
	bool was_up = front->connected;

	front->connected = false;
	front->netdev.up = false;
	if (was_up) {
		front->config.detached(&front->netdev, front->config.context);
		log_limited(&front->log_limit, LOG_INFO, front->netdev.name, "disconnected");
	}
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, say))
		log_line(LOG_DEBUG, front->netdev.name, "its directory is gone");
	for (uint32_t i = 0; i < front->queue_count; i++)
		queue_end(&front->queues[i]);
	netfront_grants_end(front);
	front->broken = false;
}
