/* SPDX-License-Identifier: ISC */
/*
 * netfront's control side: one fiber that connects, waits for the backend to go, takes
 * everything back, and starts again. A page or ring that the backend does not let go
 * is put aside until it does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/netfront_internal.h"

#define BACKEND_LIMIT_NS 10000000000ull
#define CLOSE_STEP_NS 10000000ull
#define LOST_LOOK_NS 500000000ull
#define CLOSED_LIMIT_NS 1000000000ull
#define RETRY_NS 100000000ull
/* A backend that comes, connects, closes and comes again changes its state ten times. */
#define BACKEND_LOOKS 16u
#define BACKEND_LOOK_NS 100000000ull

static const struct netdev_ops ops = { .transmit = netfront_tx_transmit };

void netfront_break(struct netfront *front, const char *why)
{
	if (front->broken)
		return;
	front->broken = true;
	front->netdev.up = false;
	log_limited(&front->log_limit, LOG_ERROR, front->netdev.name, "disconnected: %s", why);
	fiber_event_signal(&front->event);
}

/* ---- the state machine ---- */

/*
 * The backend's state. One that changes it without end is asked now and then: what fired
 * since the last look has to be paid for. Whoever closes us does not mind that moment.
 */
static enum xenbus_state backend_state(struct netfront *front)
{
	uint64_t now_ns = loop_now_ns();
	uint64_t next_ns = store_pace_next_ns(&front->backend_pace, now_ns);

	if (front->backend_watch.fired) {
		front->backend_watch.fired = false;
		if (next_ns > now_ns)
			fiber_sleep_until(next_ns);
		store_pace_take(&front->backend_pace, next_ns);
	}
	return bus_state_read(front->backend);
}

/* The backend that the directory names; its path goes to `path`. A negative errno: none. */
static int backend_name(struct netfront *front, char *path, size_t size)
{
	int length = bus_read_string(front->directory, "backend", path, size);
	uint64_t id = bus_read_u64(front->directory, "backend-id", UINT64_MAX);

	if (length < 0)
		return length;
	if (id >= DOMID_FIRST_RESERVED || (size_t)length + sizeof("/state") > size)
		return -EINVAL;
	front->backend_id = (uint16_t)id;
	return 0;
}

/*
 * Reads whom we are to talk to, and watches its state. A new watch fires at once, so
 * one that is right already stays: else waiting for news would never be waiting.
 */
static int backend_find(struct netfront *front)
{
	char path[STORE_PATH_BYTES];
	int error = backend_name(front, path, sizeof(path));

	if (!error && strcmp(path, front->backend) == 0)
		return 0;
	store_watch_remove(&front->backend_watch);
	front->backend[0] = '\0';
	if (error)
		return error;
	memcpy(front->backend, path, sizeof(path));
	snprintf(path, sizeof(path), "%.*s/state", (int)sizeof(path) - 8, front->backend);
	error = store_watch_add(&front->backend_watch, path, &front->event);
	if (error)
		front->backend[0] = '\0';
	return error;
}

/* True while the device directory names the backend that we talk to. */
static bool backend_is_same(struct netfront *front)
{
	char path[STORE_PATH_BYTES];

	if (bus_read_string(front->directory, "backend", path, sizeof(path)) < 0)
		return false;
	return strcmp(path, front->backend) == 0;
}

/* Until the backend offers itself, or time is up. */
static int backend_wait_for(struct netfront *front, enum xenbus_state wanted)
{
	uint64_t deadline = loop_now_ns() + BACKEND_LIMIT_NS;

	while (!front->closing && !front->broken) {
		enum xenbus_state state = backend_state(front);

		if (state == wanted)
			return 0;
		if (wanted == XenbusStateConnected && state >= XenbusStateClosing)
			return -ECONNRESET;
		if (!backend_is_same(front))
			return -ENODEV;
		if (fiber_event_wait(&front->event, deadline))
			return -ETIMEDOUT;
	}
	return -ECANCELED;
}

/* When to try again for what an earlier backend still holds. */
static uint64_t lost_look(const struct netfront *front)
{
	return list_is_empty(&front->lost) ? FIBER_FOREVER : loop_now_ns() + LOST_LOOK_NS;
}

/* Up: until the backend closes, breaks, changes, or we are told to close. */
static void connection_serve(struct netfront *front)
{
	front->connected = true;
	front->netdev.up = true;
	front->connects++;
	front->config.attached(&front->netdev, front->config.context);
	log_limited(&front->log_limit, LOG_INFO, front->netdev.name,
		    "connected to domain %u, mtu %u, features %#x, queues %u", front->backend_id,
		    front->netdev.mtu, front->netdev.features, front->queue_count);
	for (uint32_t i = 0; i < front->queue_count; i++) {
		netfront_rx_refill(&front->queues[i]);
		loop_schedule(&front->queues[i].source);
	}
	while (!front->closing && !front->broken) {
		enum xenbus_state state = backend_state(front);

		if (state != XenbusStateConnected || !backend_is_same(front))
			return;
		(void)!fiber_event_wait(&front->event, lost_look(front));
		if (!list_is_empty(&front->lost))
			(void)netfront_lost_find(front);
	}
}

/* A backend that is being removed must see us Closed until it is gone. */
static bool backend_is_leaving(struct netfront *front)
{
	enum xenbus_state state = backend_state(front);

	if (state == XenbusStateUnknown)
		return true;
	return (state == XenbusStateClosing || state == XenbusStateClosed) &&
	       bus_read_u64(front->backend, "online", 0) == 0;
}

/*
 * A backend that has not seen us Closed yet takes what we write next for the connection of
 * before, which it may have made anew already from what we had written for that: we would
 * wait on rings that are not the other's. One that never says Closed is not waited for long.
 */
static void backend_wait_closed(struct netfront *front)
{
	uint64_t deadline = loop_now_ns() + CLOSED_LIMIT_NS;

	while (!front->closing && backend_is_same(front)) {
		enum xenbus_state state = backend_state(front);

		if (state == XenbusStateClosed || state == XenbusStateUnknown ||
		    fiber_event_wait(&front->event, deadline))
			return;
	}
}

static void connect_once(struct netfront *front)
{
	int error = backend_find(front);
	bool failed;

	if (error || backend_is_leaving(front)) {
		(void)!fiber_event_wait(&front->event, FIBER_FOREVER);
		return;
	}
	/* One that keeps what it was lent gets nothing more: its neighbours need the rest. */
	if (netfront_lost_find(front)) {
		(void)!fiber_event_wait(&front->event, lost_look(front));
		return;
	}
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, XenbusStateInitialising) ||
	    backend_wait_for(front, XenbusStateInitWait))
		return;
	error = netfront_connection_make(front);
	if (!error)
		error = backend_wait_for(front, XenbusStateConnected);
	if (!error)
		connection_serve(front);
	else if (!front->closing)
		log_limited(&front->log_limit, LOG_WARNING, front->netdev.name,
			    "cannot connect: error %d", error);
	failed = error || front->broken;
	netfront_connection_end(front, front->broken ? XenbusStateClosing : XenbusStateClosed);
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, XenbusStateClosed))
		log_line(LOG_DEBUG, front->netdev.name, "its directory is gone");
	backend_wait_closed(front);
	/* What failed may fail again, and the store is everybody's. */
	if (failed && !front->closing)
		fiber_sleep_until(loop_now_ns() + RETRY_NS);
}

static void serve(void *argument)
{
	struct netfront *front = argument;

	if (store_watch_add(&front->directory_watch, front->directory, &front->event))
		log_line(LOG_ERROR, front->netdev.name, "%s cannot be watched", front->directory);
	if (bus_state_read(front->directory) == XenbusStateUnknown)
		log_line(LOG_WARNING, front->netdev.name, "no uplink yet: waiting for %s",
			 front->directory);
	while (!front->closing)
		connect_once(front);
	store_watch_remove(&front->backend_watch);
	store_watch_remove(&front->directory_watch);
	front->closed = true;
}

/* ---- the interface ---- */

int netfront_start(const struct netfront_config *config, struct netfront **result)
{
	uint32_t max_queues = config->max_queues ? config->max_queues : 1;
	struct netfront *front = calloc(1, sizeof(*front) + max_queues * sizeof(front->queues[0]));
	int error;

	if (!front)
		return -ENOMEM;
	front->config = *config;
	front->config.max_queues = max_queues;
	front->netdev.ops = &ops;
	front->netdev.driver = front;
	front->netdev.mtu = BUS_DEFAULT_MTU;
	front->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	store_pace_init(&front->backend_pace, BACKEND_LOOKS, BACKEND_LOOK_NS);
	list_init(&front->lost);
	list_init(&front->directory_watch.link);
	list_init(&front->backend_watch.link);
	netfront_queues_init(front);
	fiber_event_init(&front->event);
	snprintf(front->netdev.name, sizeof(front->netdev.name), "%s%u",
		 config->name ? config->name : "uplink", config->index);
	snprintf(front->directory, sizeof(front->directory), "device/vif/%u", config->index);
	front->rx_pages = calloc(config->rx_pages, sizeof(*front->rx_pages));
	front->tx_pages = calloc(config->tx_pages, sizeof(*front->tx_pages));
	if (!front->rx_pages || !front->tx_pages)
		return -ENOMEM;
	error = netfront_pages_take(front);
	if (!error)
		error = fiber_start(front->netdev.name, serve, front);
	if (!error)
		netfront_tx_init_reaping(front);
	*result = front;
	return error;
}

void netfront_close(struct netfront *front)
{
	uint64_t end = loop_now_ns() + STORE_TIMEOUT_NS;

	front->closing = true;
	fiber_event_signal(&front->event);
	while (!front->closed && loop_now_ns() < end)
		fiber_sleep_until(loop_now_ns() + CLOSE_STEP_NS);
}

void netfront_print_stats(const struct netfront *front,
			  void (*line)(void *context, const char *text), void *context)
{
	const struct netdev_stats *s = &front->netdev.stats;
	char text[200];

	snprintf(text, sizeof(text),
		 "%s: %s connects %llu rx %llu packets %llu bytes %llu dropped, tx %llu packets "
		 "%llu bytes %llu dropped, %u queued, %u queues",
		 front->netdev.name, front->connected ? "connected" : "down",
		 (unsigned long long)front->connects, (unsigned long long)s->rx_packets,
		 (unsigned long long)s->rx_bytes, (unsigned long long)s->rx_dropped,
		 (unsigned long long)s->tx_packets, (unsigned long long)s->tx_bytes,
		 (unsigned long long)s->tx_dropped, front->waiting_packets, front->queue_count);
	line(context, text);
}

void netfront_info(const struct netfront *front, struct netif_info *info)
{
	*info = (struct netif_info){ .netdev = &front->netdev,
				     .state = front->connected ? "connected" : "down",
				     .queues = front->queue_count,
				     .waiting_packets = front->waiting_packets,
				     .connects = front->connects };
	for (uint32_t i = 0; front->connected && i < front->queue_count; i++) {
		const struct netfront_queue *queue = &front->queues[i];

		info->send_slots_free += ring_free_slots(&queue->tx.ring);
		info->receive_slots_busy += queue->rx.produced - queue->rx.consumed;
	}
}
