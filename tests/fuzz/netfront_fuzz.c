/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on netfront against a backend that does as the input says: responses with
 * any id, status, offset and flags, indices, features and states in the store, pages
 * that it does not let go, rings that change between two loads, calls that fail. After
 * every input the vif goes, and nothing of it may stay.
 */
#include <string.h>

#include <xen/io/xenbus.h>

#include "arch/x86/memory.h"
#include "drivers/netfront_internal.h"
#include "tests/fuzz/shared.h"
#include "tests/fuzz/world.h"
#include "tests/host/hostile_backend.h"
#include "tests/host/internal.h"

#define GUEST_PAGES 512u
#define RX_PAGES 272u
#define TX_PAGES 64u
#define STEPS_MOST 400u
#define HOLDS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct hostile_backend back;
static struct netfront *front;
static struct script script;
static struct gnttab_mapping holds[HOLDS];

/* ---- the victim ---- */

static void attached(struct netdev *netdev, void *context)
{
	guest_up(context, netdev);
}

static void detached(struct netdev *netdev, void *context)
{
	struct guest *guest = context;

	fuzz_assert(guest->netdev == netdev);
	guest_down(guest);
}

static void netfront_begin(void *argument)
{
	struct guest *guest = argument;
	struct netfront_config config = {
		.packets = &guest->packet_pool,
		.rx_pages = RX_PAGES,
		.tx_pages = TX_PAGES,
		.attached = attached,
		.detached = detached,
		.context = guest,
	};

	fuzz_assert(netfront_start(&config, &front) == 0);
}

static void victim_send(void *argument)
{
	guest_send(argument, &script);
}

static void victim_let_go(void *argument)
{
	guest_let_go(argument, script_u8(&script) % 2);
}

static bool is_in(uintptr_t address, const struct iopage *page)
{
	return page && address - (uintptr_t)page->data < IOPAGE_SIZE;
}

/* The rings lie in the victim's own memory, and the backend sees them there too. */
static uint8_t *resolve(uintptr_t address)
{
	if (is_in(address, front->queues[0].tx.page))
		return front->queues[0].tx.page->data +
		       (address - (uintptr_t)front->queues[0].tx.page->data);
	if (is_in(address, front->queues[0].rx.page))
		return front->queues[0].rx.page->data +
		       (address - (uintptr_t)front->queues[0].rx.page->data);
	return NULL;
}

/* ---- the attacker ---- */

static void event(void *context)
{
	(void)context;
}

static void key_lie(void)
{
	static const char *const keys[] = { "feature-sg",
					    "feature-gso-tcpv4",
					    "feature-rx-copy",
					    "feature-split-event-channels",
					    "feature-gso-tcpv6",
					    "feature-ipv6-csum-offload",
					    "feature-no-csum-offload",
					    "mtu",
					    "state" };
	uint32_t key = script_u8(&script) % ARRAY_SIZE(keys);

	world_write(&world, host_domid(world.attacker), world.back_path, keys[key],
		    key == 5   ? 1500
		    : key == 6 ? XenbusStateInitWait
			       : 1,
		    &script);
}

static void state_write(uint32_t state)
{
	world_write_number(&world, host_domid(world.attacker), world.back_path, "state", state);
}

static uint32_t front_number(const char *key)
{
	char path[STORE_TREE_PATH_BYTES + 24];
	int64_t number;

	snprintf(path, sizeof(path), "%s/%s", world.front_path, key);
	number = host_store_number(world.machine, path);
	return number < 0 || number > UINT32_MAX ? 0 : (uint32_t)number;
}

static void release(void)
{
	hostile_backend_release(&back);
	for (uint32_t i = 0; i < HOLDS; i++)
		gnttab_unmap(&holds[i]);
}

/* The rings as the frontend's keys name them now. Before that there are none. */
static void acquire(void)
{
	uint16_t domid = host_domid(world.victim);
	uint32_t port = front_number("event-channel");

	hostile_backend_release(&back);
	if (!port)
		port = front_number("event-channel-tx");
	if (gnttab_map(domid, front_number("tx-ring-ref"), false, &back.tx_map) ||
	    gnttab_map(domid, front_number("rx-ring-ref"), false, &back.rx_map) ||
	    evtchn_bind_interdomain(domid, port, event, NULL, &back.port)) {
		hostile_backend_release(&back);
		return;
	}
	back.tx = back.tx_map.address;
	back.rx = back.rx_map.address;
	back.tx_answered = back.rx_answered = back.tx_seen = 0;
	back.tx_in_extras = false;
}

static bool is_connected(void)
{
	return back.tx && back.rx && back.port != EVTCHN_NONE;
}

/* A whole handshake; the script may change the offer. */
static void connect(uint8_t how)
{
	static const char *const features[] = { "feature-rx-copy", "feature-sg",
						"feature-gso-tcpv4", "feature-gso-tcpv6",
						"feature-ipv6-csum-offload" };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		world_write_number(&world, host_domid(world.attacker), world.back_path, features[i],
				   1);
	if (how & 1)
		key_lie();
	if (how & 2)
		world_write_number(&world, host_domid(world.attacker), world.back_path,
				   "feature-split-event-channels", 1);
	state_write(XenbusStateInitWait);
	host_run_for(world.machine, WORLD_MS);
	host_enter(world.attacker);
	acquire();
	host_enter(NULL);
	state_write(XenbusStateConnected);
	host_run_for(world.machine, WORLD_MS);
}

static void connect_again(void)
{
	uint8_t how = script_u8(&script);

	state_write(how & 0x80 ? XenbusStateClosing : XenbusStateClosed);
	if (how & 0x40) {
		host_enter(world.attacker);
		hostile_backend_release(&back);
		host_enter(NULL);
	}
	host_run_for(world.machine, (how & 0x20 ? 200 : 1) * WORLD_MS);
	connect(how);
}

/* One answer to an RX request, good as far as the script is. */
static void rx_answer(void)
{
	uint8_t how = script_u8(&script);
	struct netif_rx_response response = { .flags = how & 0x0f };

	response.id = (uint16_t)(back.rx_answered % HOSTILE_RING);
	if (how & 0x80)
		response.id = script_u16(&script);
	response.offset = how & 0x40 ? script_u16(&script) : 0;
	response.status = (int16_t)(script_u16(&script) % 4200);
	if (how & 0x20)
		response.status = (int16_t)script_u16(&script);
	hostile_answer_rx(&back, &response);
}

static void rx_extra(void)
{
	struct netif_extra_info extra = { .type = script_u8(&script), .flags = script_u8(&script) };

	extra.u.gso.size = script_u16(&script);
	extra.u.gso.type = script_u8(&script);
	hostile_answer_rx_extra(&back, &extra);
}

/* A good packet of some slots, perhaps with GSO, so that the next lie has company. */
static void rx_packet(void)
{
	uint8_t shape = script_u8(&script);
	uint32_t slots = 1 + shape % 18;
	struct netif_extra_info extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	if (hostile_rx_waiting(&back) < slots + 1)
		return;
	extra.u.gso.size = 1400;
	extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
	for (uint32_t i = 0; i < slots; i++) {
		uint16_t flags = i + 1 < slots ? NETRXF_more_data : 0;

		if (i == 0 && shape & 0x80)
			flags |= NETRXF_extra_info;
		if (i == 0 && shape & 0x40)
			flags |= NETRXF_csum_blank | NETRXF_data_validated;
		(void)!hostile_deliver(&back, (uint16_t)(60 + script_u8(&script) * 15), flags);
		if (i == 0 && shape & 0x80)
			hostile_answer_rx_extra(&back, &extra);
	}
}

/* Some answers to TX requests: those that are due, or not. */
static void tx_answer(void)
{
	uint8_t how = script_u8(&script);
	uint32_t count = 1 + how % 32;
	int16_t status = how & 0x40 ? (int16_t)script_u8(&script) - 3 : NETIF_RSP_OKAY;

	while (count-- && hostile_tx_waiting(&back)) {
		uint32_t id = hostile_tx_id(&back, 0);

		if (how & 0x80)
			id = script_u16(&script);
		hostile_answer_tx(&back, how & 0x80 ? id % HOSTILE_RING : id, status);
	}
}

static void raw_put(void)
{
	struct netif_extra_info slot;
	uint8_t how = script_u8(&script);

	memset(&slot, 0, sizeof(slot));
	(void)script_bytes(&script, (uint8_t *)&slot, sizeof(slot));
	if (how & 1)
		hostile_answer_rx_extra(&back, &slot);
	else
		memcpy(&back.tx->ring[back.tx_answered++ % HOSTILE_RING], &slot, sizeof(slot));
}

static void jump(void)
{
	struct script_jump step = script_jump(&script);

	hostile_backend_jump(&back, back.tx_answered + step.tx, back.rx_answered + step.rx);
	if (step.keep_tx)
		back.tx_answered += step.tx;
	if (step.keep_rx)
		back.rx_answered += step.rx;
}

static void poke(void)
{
	script_poke(&script, back.tx, back.rx, IOPAGE_SIZE);
}

static void drain(void)
{
	hostile_backend_drain(&back);
}

static void publish(void)
{
	hostile_backend_publish(&back);
}

/* Maps a page of the frontend's, or lets one go; those it has keep their grants busy. */
static void hold(void)
{
	uint8_t draw = script_u8(&script);
	struct gnttab_mapping *mapping = &holds[draw % HOLDS];
	uint32_t gref = script_u16(&script);

	if (draw & 0x80)
		gref = hostile_rx_request(&back, 0).gref;
	if (mapping->address)
		gnttab_unmap(mapping);
	else
		(void)!gnttab_map(host_domid(world.victim), gref, draw & 0x40, mapping);
}

/* ---- the toolstack ---- */

static void meddle(void)
{
	static const char *const nodes[] = { "backend", "backend-id", "mac", "state" };
	uint8_t draw = script_u8(&script);

	if (draw & 0x80)
		host_store_remove(world.machine, draw & 1 ? world.front_path : world.back_path);
	else
		world_write(&world, 0, world.front_path, nodes[draw % ARRAY_SIZE(nodes)],
			    host_domid(world.attacker), &script);
}

static void toolstack(void)
{
	if (script_u8(&script) % 2)
		(void)world_ask_to_close(&world);
	else
		meddle();
}

/* ---- the script ---- */

static void (*const attacker_steps[])(void) = { rx_answer, rx_answer, rx_extra, rx_packet,
						rx_packet, tx_answer, raw_put,	jump,
						poke,	   drain,     drain };

static void as_attacker(void (*step)(void))
{
	if (!is_connected())
		return;
	world_as_attacker(&world, step);
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
		as_attacker(publish);
		break;
	case 13:
	case 14:
	case 15:
	case 16:
		as_attacker(publish);
		run();
		break;
	case 17:
		run();
		break;
	case 18:
	case 19:
	case 20:
	case 21:
		host_call(world.victim, victim_send, &world.guest);
		break;
	case 22:
		world.guest.reaction = script_u8(&script) % GUEST_REACTIONS;
		break;
	case 23:
		host_call(world.victim, victim_let_go, &world.guest);
		break;
	case 24:
	case 25:
		shared_plan(&script, resolve);
		break;
	case 26:
		key_lie();
		break;
	case 27:
		state_write(script_u8(&script) % 10);
		break;
	case 28:
		connect_again();
		break;
	case 29:
		toolstack();
		break;
	case 30:
		world_faults(&world, &script);
		break;
	case 31:
		as_attacker(hold);
		break;
	default:
		as_attacker(attacker_steps[draw % 32]);
		break;
	}
}

/* ---- one input ---- */

/* What the frontend could not end are the grants of pages that it has given up. */
static bool frontend_let_go(void *argument)
{
	struct host_counters now = host_domain_counters(world.victim);

	(void)argument;
	return now.granted == world.guest.page_pool.quarantined && now.ports == 0;
}

/* Nobody offers by himself, so the toolstack's wait ends in vain. */
static void attach(void)
{
	(void)!host_toolstack_attach_vif(&world.vif);
}

/* The backend lets go and removes its directory, the toolstack the frontend's. */
static void detach(void)
{
	shared_reset();
	(void)world_ask_to_close(&world);
	world_as_attacker(&world, release);
	state_write(XenbusStateClosed);
	(void)!store_tree_remove(&world.machine->store, host_domid(world.attacker), 0,
				 world.back_path);
	fuzz_assert(world_detach(&world) == 0);
	fuzz_assert(host_run_until(world.machine, frontend_let_go, NULL, 60000 * WORLD_MS));
	fuzz_assert(!world.guest.netdev && guest_packets_out(&world.guest) == 0);
}

/* The rings' pages are taken at the first connection, and kept. */
static void world_start(void)
{
	world_make(&world, GUEST_PAGES, false);
	host_call(world.victim, netfront_begin, &world.guest);
	hostile_backend_init(&back, world.attacker, world.victim, 0);
	attach();
	connect(0);
	fuzz_assert(world.guest.netdev);
	detach();
	world_remember_clean(&world);
}

/* Lost pages stay lost, as does what the guest has of them: it needs a new machine. */
static void input_end(void)
{
	detach();
	if (world.guest.page_pool.quarantined) {
		host_machine_destroy(world.machine);
		world_start();
		return;
	}
	fuzz_assert(front->queues[0].rx.idle_count == RX_PAGES);
	world_assert_clean(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t steps = 0;

	if (!world.machine)
		world_start();
	script = (struct script){ data, size };
	world_begin_input(&world);
	attach();
	connect(script_u8(&script));
	while (!script_is_over(&script) && steps++ < STEPS_MOST)
		operate();
	input_end();
	return 0;
}
