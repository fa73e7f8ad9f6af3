/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on netback against a frontend that does as the input says: slots, indices,
 * references, keys and states in the store, events, rings that change between two loads,
 * a toolstack that takes the vif away, calls that fail. After every input the vif goes,
 * and nothing of it may stay.
 */
#include <errno.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/memory.h"
#include "drivers/netback_internal.h"
#include "tests/fuzz/shared.h"
#include "tests/fuzz/world.h"
#include "tests/host/hostile_frontend.h"
#include "tests/host/internal.h"

#define GUEST_PAGES 768u
#define READ_PAGES 512u
#define STEPS_MOST 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct hostile_frontend front;
static struct script script;
static bool asked;   /* the toolstack has begun a detach, and begins another at the end */
static bool meddled; /* the toolstack's directories are no more what it made of them */

/* ---- the victim ---- */

static void attached(struct netdev *netdev, const struct netback_client *client, void *context)
{
	fuzz_assert(client->domid == host_domid(world.attacker));
	guest_up(context, netdev);
}

static void detached(struct netdev *netdev, void *context)
{
	struct guest *guest = context;

	fuzz_assert(guest->netdev == netdev);
	guest_down(guest);
}

static void netback_begin(void *argument)
{
	struct guest *guest = argument;
	struct netback_config config = {
		.packets = &guest->packet_pool,
		.mac = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff },
		.max_clients = 4,
		.queue_pages = 128,
		.attached = attached,
		.detached = detached,
		.context = guest,
	};

	for (uint32_t i = 0; i < READ_PAGES; i++) {
		struct iopage *page = iopage_alloc(&guest->page_pool, IOPAGE_PRIVATE);

		iopage_reclass(page, IOPAGE_UPLINK_READ);
		iopage_free(page);
	}
	fuzz_assert(netback_start(&config) == 0);
}

static void victim_send(void *argument)
{
	guest_send(argument, &script);
}

static void victim_let_go(void *argument)
{
	guest_let_go(argument, script_u8(&script) % 2);
}

/* Where the attacker sees what netback loads: the page behind one of its mappings. */
static uint8_t *resolve(uintptr_t address)
{
	const struct host_domain *victim = world.victim;
	uintptr_t offset = address - (uintptr_t)victim->map_window;
	const struct host_map *map = &victim->maps[offset / IOPAGE_SIZE];

	if (offset / IOPAGE_SIZE >= HOST_MAP_SLOTS || !map->owner)
		return NULL;
	return host_page_address(world.machine, map->owner->grants[map->gref].page) +
	       offset % IOPAGE_SIZE;
}

/* ---- the attacker ---- */

static const char *const keys[] = { "tx-ring-ref",
				    "rx-ring-ref",
				    "event-channel",
				    "event-channel-tx",
				    "event-channel-rx",
				    "request-rx-copy",
				    "feature-sg",
				    "feature-gso-tcpv4",
				    "feature-gso-tcpv6",
				    "feature-ipv6-csum-offload",
				    "request-multicast-control",
				    "feature-no-csum-offload",
				    "multi-queue-num-queues",
				    "state",
				    "queue-0/tx-ring-ref",
				    "queue-0/rx-ring-ref",
				    "queue-0/event-channel",
				    "queue-1/tx-ring-ref",
				    "queue-1/rx-ring-ref",
				    "queue-1/event-channel" };

enum { KEY_FIRST_FEATURE = 5, KEY_MULTICAST = 10, KEY_NO_CSUM = 11, KEY_STATE = 13 };

static uint32_t key_truth(uint32_t key)
{
	switch (key) {
	case 0:
	case 14:
	case 18:
		return front.tx_gref;
	case 1:
	case 15:
	case 17:
		return front.rx_gref;
	case 2:
	case 3:
	case 16:
	case 19:
		return front.port;
	case 4:
		return EVTCHN_NONE;
	case KEY_NO_CSUM:
		return 0;
	case KEY_STATE:
		return XenbusStateConnected;
	default:
		return 1;
	}
}

static void key_lie(void)
{
	uint32_t key = script_u8(&script) % ARRAY_SIZE(keys);

	world_write(&world, host_domid(world.attacker), world.front_path, keys[key], key_truth(key),
		    &script);
}

static void state_write(uint32_t state)
{
	world_write_number(&world, host_domid(world.attacker), world.front_path, "state", state);
}

static void rings_reset(void)
{
	memset(front.tx, 0, IOPAGE_SIZE);
	memset(front.rx, 0, IOPAGE_SIZE);
	front.tx->req_event = front.tx->rsp_event = 1;
	front.rx->req_event = front.rx->rsp_event = 1;
	front.tx_next = front.rx_next = 0;
}

/* A whole handshake, with true keys that the script may change before the state. */
static void connect(uint8_t how)
{
	uint16_t domid = host_domid(world.attacker);

	rings_reset();
	for (uint32_t key = 0; key < 3; key++)
		world_write_number(&world, domid, world.front_path, keys[key], key_truth(key));
	for (uint32_t key = KEY_FIRST_FEATURE; key < KEY_MULTICAST; key++)
		world_write_number(&world, domid, world.front_path, keys[key], 1);
	world_write_number(&world, domid, world.front_path, keys[KEY_MULTICAST], how >> 4 & 1);
	if (how & 1)
		front.tx_next = front.tx->req_prod = front.tx->rsp_prod = script_u32(&script);
	if (how & 2)
		front.rx_next = front.rx->req_prod = front.rx->rsp_prod = script_u32(&script);
	if (how & 4)
		key_lie();
	if (how & 8)
		hostile_post_rx(&front, script_u8(&script));
	front.rx->req_prod = front.rx_next;
	state_write(XenbusStateConnected);
	host_run_for(world.machine, WORLD_MS);
}

static void connect_again(void)
{
	state_write(XenbusStateInitialising);
	host_run_for(world.machine, WORLD_MS);
	connect(script_u8(&script));
}

static uint32_t gref_draw(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 16) {
	case 12:
		return front.tx_gref;
	case 13:
		return front.rx_gref;
	case 14:
		return script_u8(&script);
	case 15:
		return script_u32(&script);
	default:
		return draw % 16 < 8 ? front.grefs[HOSTILE_READ] : front.grefs[draw % 4];
	}
}

/* A request as it may come from an honest frontend, as far as the script is. */
static void tx_put(void)
{
	uint16_t flags = script_u8(&script);
	struct netif_tx_request request = { .flags = flags & 0x0f };

	request.gref = gref_draw();
	request.offset = script_u16(&script) % (flags & 0x80 ? 65536 : 1024);
	request.size = script_u16(&script) % (flags & 0x40 ? 65536 : 3072);
	request.id = flags & 0x20 ? script_u16(&script) : (uint16_t)(front.tx_next % HOSTILE_RING);
	hostile_put_tx(&front, &request);
}

static void extra_put(void)
{
	struct netif_extra_info extra = { .type = script_u8(&script), .flags = script_u8(&script) };

	if (extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ||
	    extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_DEL) {
		extra.u.mcast.addr[0] = script_u8(&script);
		extra.u.mcast.addr[5] = script_u8(&script);
	} else {
		extra.u.gso.size = script_u16(&script);
		extra.u.gso.type = script_u8(&script);
	}
	hostile_put_extra(&front, &extra);
}

/* A good packet of some slots, so that the next lie has company. */
static void packet_put(void)
{
	uint8_t shape = script_u8(&script);
	uint32_t slots = 1 + shape % 18;
	uint16_t each = (uint16_t)(1 + script_u16(&script) % 3600);
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
	struct netif_tx_request request = hostile_good_tx(&front, 0);

	for (uint32_t i = 0; i < slots; i++) {
		request.size = i ? each : (uint16_t)(each * slots + 14);
		request.flags = i + 1 < slots ? NETTXF_more_data : 0;
		request.id = (uint16_t)(front.tx_next % HOSTILE_RING);
		if (i == 0 && shape & 0x80)
			request.flags |= NETTXF_extra_info;
		if (i == 0 && shape & 0x40)
			request.flags |= NETTXF_csum_blank | NETTXF_data_validated;
		hostile_put_tx(&front, &request);
		if (i || !(shape & 0x80))
			continue;
		extra.u.gso.size = 1400;
		extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
		hostile_put_extra(&front, &extra);
	}
}

static void raw_put(void)
{
	struct netif_tx_request slot;

	memset(&slot, 0, sizeof(slot));
	(void)script_bytes(&script, (uint8_t *)&slot, sizeof(slot));
	hostile_put_tx(&front, &slot);
}

static void rx_put(void)
{
	uint8_t draw = script_u8(&script);
	uint32_t count = 1 + draw % 64;
	uint32_t gref = draw & 0x80 ? gref_draw() : front.grefs[HOSTILE_WRITE];
	uint16_t id = draw & 0x40 ? script_u16(&script) : (uint16_t)(front.rx_next % HOSTILE_RING);

	while (count--)
		hostile_put_rx(&front, id++, gref);
}

static void jump(void)
{
	struct script_jump step = script_jump(&script);

	hostile_jump(&front, front.tx_next + step.tx, front.rx_next + step.rx);
	if (step.keep_tx)
		front.tx_next += step.tx;
	if (step.keep_rx)
		front.rx_next += step.rx;
}

static void poke(void)
{
	script_poke(&script, front.tx, front.rx, IOPAGE_SIZE);
}

/* The page that is granted read-only gets another reference: the old one is stale. */
static void grant_again(void)
{
	int64_t gref;

	if (gnttab_end_access(front.grefs[HOSTILE_READ]))
		return;
	gref = gnttab_grant_access(front.backend_domid, memory_frame_of(front.pages[HOSTILE_READ]),
				   true);
	fuzz_assert(gref > 0);
	front.grefs[HOSTILE_READ] = (uint32_t)gref;
}

static void nothing(void *context)
{
	(void)context;
}

static void port_again(void)
{
	evtchn_close(front.port);
	fuzz_assert(evtchn_alloc_unbound(front.backend_domid, nothing, NULL, &front.port) == 0);
}

/* ---- the toolstack ---- */

/* What no toolstack does, but an administrator may: whatever he waits for then may not come. */
static void meddle(void)
{
	static const char *const nodes[] = { "online", "state", "frontend-id", "mac", "ip" };
	uint8_t draw = script_u8(&script);

	meddled = true;
	if (draw & 0x80)
		host_store_remove(world.machine, draw & 1 ? world.front_path : world.back_path);
	else
		world_write(&world, 0, world.back_path, nodes[draw % ARRAY_SIZE(nodes)], draw & 1,
			    &script);
}

static void toolstack(void)
{
	if (script_u8(&script) % 2)
		asked |= world_ask_to_close(&world);
	else
		meddle();
}

/* ---- the script ---- */

static void (*const attacker_steps[])(void) = { tx_put,	 tx_put, extra_put, packet_put,
						raw_put, rx_put, jump,	    poke,
						jump,	 rx_put, packet_put };

static void publish(void)
{
	hostile_publish(&front);
}

static void run(void)
{
	shared_forget_loads();
	world_run(&world, &script);
}

static void operate(void)
{
	uint8_t draw = script_u8(&script);

	switch (draw % 32) {
	case 11:
	case 12:
	case 13:
		world_as_attacker(&world, publish);
		break;
	case 14:
	case 15:
	case 16:
	case 17:
		world_as_attacker(&world, publish);
		run();
		break;
	case 18:
		run();
		break;
	case 19:
	case 20:
		host_call(world.victim, victim_send, &world.guest);
		break;
	case 21:
		world.guest.reaction = script_u8(&script) % GUEST_REACTIONS;
		break;
	case 22:
		host_call(world.victim, victim_let_go, &world.guest);
		break;
	case 23:
	case 24:
		shared_plan(&script, resolve);
		break;
	case 25:
		key_lie();
		break;
	case 26:
		state_write(script_u8(&script) % 10);
		break;
	case 27:
		connect_again();
		break;
	case 28:
		toolstack();
		break;
	case 29:
		world_faults(&world, &script);
		break;
	case 30:
		world_as_attacker(&world, grant_again);
		break;
	case 31:
		world_as_attacker(&world, port_again);
		break;
	default:
		world_as_attacker(&world, attacker_steps[draw % 32]);
		break;
	}
}

/* ---- one input ---- */

static void world_start(void)
{
	world_make(&world, GUEST_PAGES, true);
	world.guest.copied = &world.victim->costs.copy_bytes;
	host_call(world.victim, netback_begin, &world.guest);
	world_remember_clean(&world);
	hostile_frontend_init(&front, world.attacker, world.victim, 0);
	fuzz_assert(host_toolstack_attach_vif(&world.vif) == 0);
	host_call_fiber_must(world.attacker, hostile_frontend_connect, &front);
	fuzz_assert(front.error == 0);
	fuzz_assert(world_detach(&world) == 0);
	world_assert_clean(&world);
}

/* XSA-403: nothing was sent to an uplink, so its backend must find nothing. */
static void assert_pages_are_empty(const struct iopage_pool *pool)
{
	static const uint8_t zeros[IOPAGE_SIZE];

	list_for_each(link, &pool->free[IOPAGE_UPLINK_READ]) {
		const struct iopage *page = list_entry(link, struct iopage, link);

		fuzz_assert(memcmp(page->data, zeros, sizeof(zeros)) == 0);
	}
}

static void input_end(void)
{
	int error;

	shared_reset();
	error = world_detach(&world);
	/* The second detach may begin just when the first one's directory goes. */
	fuzz_assert(!error || meddled || (asked && error == -EINVAL));
	world_assert_clean(&world);
	assert_pages_are_empty(&world.guest.page_pool);
	fuzz_assert(netback.vif_count == 0 && netback.queued_pages == 0);
	fuzz_assert(netback.attached == netback.detached);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t steps = 0;

	if (!world.machine)
		world_start();
	script = (struct script){ data, size };
	asked = meddled = false;
	world_begin_input(&world);
	world.guest.copied_before = *world.guest.copied;
	fuzz_assert(host_toolstack_attach_vif(&world.vif) == 0);
	connect(script_u8(&script));
	while (!script_is_over(&script) && steps++ < STEPS_MOST)
		operate();
	input_end();
	return 0;
}
