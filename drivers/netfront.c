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

#define TRANSACTION_TRIES 5u
#define BACKEND_LIMIT_NS 10000000000ull
#define RELEASE_TRIES 20u
#define RELEASE_STEP_NS 50000000ull
#define CLOSE_STEP_NS 10000000ull
#define LOST_LOOK_NS 500000000ull
#define RETRY_NS 100000000ull

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

/* ---- data path entry ---- */

static void front_event(void *context)
{
	struct netfront *front = context;

	evtchn_mask(front->tx_port);
	if (front->rx_port != front->tx_port)
		evtchn_mask(front->rx_port);
	loop_schedule(&front->source);
}

static bool front_poll(struct loop_source *source, uint32_t budget)
{
	struct netfront *front = container_of(source, struct netfront, source);
	bool more;

	if (!front->connected || front->broken)
		return false;
	netfront_tx_poll(front);
	more = !front->broken && netfront_rx_poll(front, budget);
	if (front->broken)
		return false;
	if (more || netfront_rx_arm(front) || netfront_tx_arm(front))
		return true;
	evtchn_unmask(front->tx_port);
	if (front->rx_port != front->tx_port)
		evtchn_unmask(front->rx_port);
	return false;
}

/* ---- grants ---- */

static int page_grant(const struct netfront *front, struct iopage *page, bool readonly)
{
	int64_t gref = gnttab_grant_access(front->backend_id, page->frame, readonly);

	if (gref < 0)
		return (int)gref;
	page->gref = (uint32_t)gref;
	return 0;
}

static int pages_grant(const struct netfront *front, struct iopage **pages, uint32_t count,
		       bool readonly)
{
	for (uint32_t i = 0; i < count; i++) {
		int error = pages[i] ? page_grant(front, pages[i], readonly) : 0;

		if (error)
			return error;
	}
	return 0;
}

/* Pages whose grant could not be ended. */
static uint32_t pages_revoke(struct iopage **pages, uint32_t count)
{
	uint32_t held = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!pages[i] || pages[i]->gref == IOPAGE_NO_GREF)
			continue;
		if (gnttab_end_access(pages[i]->gref))
			held++;
		else
			pages[i]->gref = IOPAGE_NO_GREF;
	}
	return held;
}

/*
 * Ends every grant of the connection. The backend lets go when it has seen that we
 * closed, so this takes a while, but a bounded one.
 */
static void grants_end(struct netfront *front)
{
	uint32_t held = 0;

	for (unsigned int i = 0; i < RELEASE_TRIES; i++) {
		held = pages_revoke(&front->tx.page, 1) + pages_revoke(&front->rx.page, 1) +
		       pages_revoke(front->rx_pages, front->config.rx_pages) +
		       pages_revoke(front->tx_pages, front->config.tx_pages);
		if (!held)
			return;
		fiber_sleep_until(loop_now_ns() + RELEASE_STEP_NS);
	}
	log_limited(&front->log_limit, LOG_ERROR, front->netdev.name,
		    "%u pages are not released by domain %u and are out of use", held,
		    front->backend_id);
	netfront_lost_add_all(front);
}

/* ---- one connection ---- */

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

static int ports_make(struct netfront *front, bool split)
{
	int error = evtchn_alloc_unbound(front->backend_id, front_event, front, &front->tx_port);

	front->rx_port = front->tx_port;
	if (error || !split)
		return error;
	return evtchn_alloc_unbound(front->backend_id, front_event, front, &front->rx_port);
}

static int rings_make(struct netfront *front)
{
	int error = ring_page_ready(front, &front->tx.page);

	if (!error)
		error = ring_page_ready(front, &front->rx.page);
	if (error)
		return error;
	netfront_tx_init(front);
	netfront_rx_init(front);
	error = page_grant(front, front->tx.page, false);
	if (!error)
		error = page_grant(front, front->rx.page, false);
	if (!error)
		error = pages_grant(front, front->rx_pages, front->config.rx_pages, false);
	if (!error)
		error = pages_grant(front, front->tx_pages, front->config.tx_pages, true);
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
	error = bus_write(t, front->directory, "tx-ring-ref", "%u", front->tx.page->gref);
	if (!error)
		error = bus_write(t, front->directory, "rx-ring-ref", "%u", front->rx.page->gref);
	if (!error && front->rx_port == front->tx_port)
		error = bus_write(t, front->directory, "event-channel", "%u", front->tx_port);
	if (!error && front->rx_port != front->tx_port) {
		error = bus_write(t, front->directory, "event-channel-tx", "%u", front->tx_port);
		if (!error)
			error = bus_write(t, front->directory, "event-channel-rx", "%u",
					  front->rx_port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(features) && !error; i++)
		error = bus_write(t, front->directory, features[i], "1");
	if (!error)
		error = bus_state_write(t, front->directory, XenbusStateConnected);
	ended = store_transaction_end(t, !error);
	return error ? error : ended;
}

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

static int connection_make(struct netfront *front)
{
	bool split = bus_read_u64(front->backend, "feature-split-event-channels", 0) == 1;
	int error = rings_make(front);

	if (!error)
		error = ports_make(front, split);
	if (error)
		return error;
	error = -EAGAIN;
	for (unsigned int i = 0; i < TRANSACTION_TRIES && error == -EAGAIN; i++)
		error = details_write(front);
	return error;
}

/* Undoes whatever part of a connection there is. */
static void connection_end(struct netfront *front, enum xenbus_state say)
{
	bool was_up = front->connected;

	front->connected = false;
	front->netdev.up = false;
	loop_unschedule(&front->source);
	if (was_up) {
		front->config.detached(&front->netdev, front->config.context);
		log_limited(&front->log_limit, LOG_INFO, front->netdev.name, "disconnected");
	}
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, say))
		log_line(LOG_DEBUG, front->netdev.name, "its directory is gone");
	if (front->rx_port != front->tx_port)
		evtchn_close(front->rx_port);
	evtchn_close(front->tx_port);
	front->tx_port = EVTCHN_NONE;
	front->rx_port = EVTCHN_NONE;
	if (front->tx.page && front->tx.page->gref != IOPAGE_NO_GREF) {
		netfront_tx_purge(front);
		netfront_rx_purge(front);
	}
	grants_end(front);
	front->broken = false;
}

/* ---- the state machine ---- */

/* Waits for news of the backend. 0, or -ETIMEDOUT. */
static int news_wait(struct netfront *front, uint64_t deadline)
{
	int error = fiber_event_wait(&front->event, deadline);

	front->backend_watch.fired = false;
	return error;
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
		enum xenbus_state state = bus_state_read(front->backend);

		if (state == wanted)
			return 0;
		if (wanted == XenbusStateConnected && state >= XenbusStateClosing)
			return -ECONNRESET;
		if (!backend_is_same(front))
			return -ENODEV;
		if (news_wait(front, deadline))
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
		    "connected to domain %u, mtu %u, features %#x", front->backend_id,
		    front->netdev.mtu, front->netdev.features);
	netfront_rx_refill(front);
	loop_schedule(&front->source);
	while (!front->closing && !front->broken) {
		enum xenbus_state state = bus_state_read(front->backend);

		if (state != XenbusStateConnected || !backend_is_same(front))
			return;
		(void)!news_wait(front, lost_look(front));
		if (!list_is_empty(&front->lost))
			(void)netfront_lost_find(front);
	}
}

/* A backend that is being removed must see us Closed until it is gone. */
static bool backend_is_leaving(const struct netfront *front)
{
	enum xenbus_state state = bus_state_read(front->backend);

	if (state == XenbusStateUnknown)
		return true;
	return (state == XenbusStateClosing || state == XenbusStateClosed) &&
	       bus_read_u64(front->backend, "online", 0) == 0;
}

static void connect_once(struct netfront *front)
{
	int error = backend_find(front);
	bool failed;

	if (error || backend_is_leaving(front)) {
		(void)!news_wait(front, FIBER_FOREVER);
		return;
	}
	/* One that keeps what it was lent gets nothing more: its neighbours need the rest. */
	if (netfront_lost_find(front)) {
		(void)!news_wait(front, lost_look(front));
		return;
	}
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, XenbusStateInitialising) ||
	    backend_wait_for(front, XenbusStateInitWait))
		return;
	features_learn(front);
	error = connection_make(front);
	if (!error)
		error = backend_wait_for(front, XenbusStateConnected);
	if (!error)
		connection_serve(front);
	else if (!front->closing)
		log_limited(&front->log_limit, LOG_WARNING, front->netdev.name,
			    "cannot connect: error %d", error);
	failed = error || front->broken;
	connection_end(front, front->broken ? XenbusStateClosing : XenbusStateClosed);
	if (bus_state_write(STORE_NO_TRANSACTION, front->directory, XenbusStateClosed))
		log_line(LOG_DEBUG, front->netdev.name, "its directory is gone");
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

/* Takes `count` pages of the pool for the class; the pool keeps the TX pages' free list. */
static int pages_take(struct netfront *front, struct iopage **pages, uint32_t count,
		      enum iopage_class class)
{
	struct iopage_pool *pool = front->config.packets->pages;

	for (uint32_t i = 0; i < count; i++) {
		pages[i] = iopage_alloc(pool, IOPAGE_PRIVATE);
		if (!pages[i])
			return -ENOMEM;
		iopage_reclass(pages[i], class);
	}
	for (uint32_t i = 0; i < count; i++) {
		if (class == IOPAGE_UPLINK_WRITE) {
			pages[i]->home = netfront_rx_page_home;
			pages[i]->home_context = front;
		}
		iopage_free(pages[i]);
	}
	return 0;
}

int netfront_start(const struct netfront_config *config, struct netfront **result)
{
	struct netfront *front = calloc(1, sizeof(*front));
	int error;

	if (!front)
		return -ENOMEM;
	front->config = *config;
	front->netdev.ops = &ops;
	front->netdev.driver = front;
	front->netdev.mtu = BUS_DEFAULT_MTU;
	front->log_limit = (struct log_limit)LOG_LIMIT_INIT;
	list_init(&front->tx.queue);
	list_init(&front->rx.idle);
	list_init(&front->lost);
	list_init(&front->directory_watch.link);
	list_init(&front->backend_watch.link);
	loop_source_init(&front->source, front_poll);
	fiber_event_init(&front->event);
	snprintf(front->netdev.name, sizeof(front->netdev.name), "uplink%u", config->index);
	snprintf(front->directory, sizeof(front->directory), "device/vif/%u", config->index);
	front->rx_pages = calloc(config->rx_pages, sizeof(*front->rx_pages));
	front->tx_pages = calloc(config->tx_pages, sizeof(*front->tx_pages));
	if (!front->rx_pages || !front->tx_pages)
		return -ENOMEM;
	error = pages_take(front, front->rx_pages, config->rx_pages, IOPAGE_UPLINK_WRITE);
	if (!error)
		error = pages_take(front, front->tx_pages, config->tx_pages, IOPAGE_UPLINK_READ);
	if (!error)
		error = fiber_start(front->netdev.name, serve, front);
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
		 "%llu bytes %llu dropped, %u queued",
		 front->netdev.name, front->connected ? "connected" : "down",
		 (unsigned long long)front->connects, (unsigned long long)s->rx_packets,
		 (unsigned long long)s->rx_bytes, (unsigned long long)s->rx_dropped,
		 (unsigned long long)s->tx_packets, (unsigned long long)s->tx_bytes,
		 (unsigned long long)s->tx_dropped, front->tx.queue_packets);
	line(context, text);
}
