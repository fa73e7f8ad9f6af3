/* SPDX-License-Identifier: ISC */
/* A machine for the drivers' tests. */
#include "tests/drivers/netif_world.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GUEST_PAGES 2304u
#define UP_NS (10 * WORLD_SECOND)
#define WINDOW 120u /* slots under way: less than the ring and netback's queue */

const struct traffic_shape world_mixed = {
	.min_frame = TRAFFIC_MIN_FRAME,
	.max_frame = TRAFFIC_MTU_FRAME,
	.blank_share = 30,
	.gso_share = 20,
};

const struct traffic_shape world_laned = {
	.min_frame = TRAFFIC_MIN_FRAME,
	.max_frame = TRAFFIC_MTU_FRAME,
	.blank_share = 50,
	.gso_share = 30,
	.lanes = TRAFFIC_MOST_LANES,
};

/* ---- guests ---- */

void world_guest_start(struct world *world, struct world_guest *guest, const char *name)
{
	if (guest->image)
		world->retired[world->retired_count++] = guest->image;
	guest->image = host_image_load(NULL);
	guest->program = host_image_symbol(guest->image, "netif_guest_program");
	guest->domain = host_domain_create(world->machine, name, GUEST_PAGES);
	host_call(guest->domain, guest->program->boot, &guest->guest);
}

static void server_prepare(struct world *world)
{
	struct netif_guest *guest = &world->server.guest;

	*guest = (struct netif_guest){ .links = world->server_links,
				       .link_count = WORLD_CLIENTS,
				       .max_clients = guest->max_clients,
				       .max_queues = guest->max_queues,
				       .packets = guest->packets };
}

/* On threads and a busy machine that may take a while. */
static bool is_watching(void *argument)
{
	struct world_guest *guest = argument;

	return host_domain_counters(guest->domain).watches > 0;
}

void world_server_start(struct world *world)
{
	struct world_guest *server = &world->server;

	server_prepare(world);
	world_guest_start(world, server, "server");
	host_call_fiber_must(server->domain, server->program->start_netback, &server->guest);
	ck_assert_int_eq(server->guest.error, 0);
	ck_assert(host_run_until(world->machine, is_watching, server, UP_NS));
	host_run_for(world->machine, 50 * WORLD_MS);
	server->clean = host_domain_counters(server->domain);
}

void world_begin(struct world *world, enum host_mode mode)
{
	world_begin_variant(world, mode, 0);
}

void world_begin_variant(struct world *world, enum host_mode mode, uint32_t variant)
{
	struct host_options options = host_options_default(mode);

	memset(world, 0, sizeof(*world));
	options.mode = mode;
	options.seed += variant * 1000003u;
	world->machine = host_machine_create(&options);
	world->seed = options.seed;
	world_server_start(world);
}

static void image_drop(struct host_image *image)
{
	if (image)
		host_image_unload(image);
}

void world_end(struct world *world)
{
	host_machine_destroy(world->machine);
	for (uint32_t i = 0; i < world->retired_count; i++)
		image_drop(world->retired[i]);
	image_drop(world->server.image);
	for (uint32_t i = 0; i < WORLD_CLIENTS; i++)
		image_drop(world->clients[i].guest.image);
}

/* ---- clients ---- */

/* Flow 2n goes up from client n, flow 2n + 1 down to it. */
static void links_prepare(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];
	struct traffic_end *near = &client->link.end;
	struct traffic_end *far = &client->far_end->end;

	near->peer = far;
	near->send_flow = far->receive_flow = (uint8_t)(2 * index);
	near->receive_flow = far->send_flow = (uint8_t)(2 * index + 1);
	near->send_class = IOPAGE_UPLINK_READ;
	far->send_class = IOPAGE_PRIVATE;
	far->peer = near;
	client->link.seed = client->far_end->seed = world->seed + index;
	world_set_shape(world, index,
			client->guest.guest.max_queues > 1 ? &world_laned : &world_mixed, WINDOW);
}

void world_set_shape(struct world *world, uint32_t index, const struct traffic_shape *shape,
		     uint32_t window)
{
	struct world_client *client = &world->clients[index];

	client->link.end.shape = client->far_end->end.shape = *shape;
	client->link.end.window = client->far_end->end.window = window;
}

static void traffic_zero(struct traffic_end *end)
{
	atomic_store(&end->sent, 0);
	atomic_store(&end->not_made, 0);
	atomic_store(&end->sent_slots, 0);
	atomic_store(&end->taken_slots, 0);
	atomic_store(&end->received, 0);
	atomic_store(&end->missing, 0);
	atomic_store(&end->wrong, 0);
	end->send_count = 0;
	memset(end->next_seq, 0, sizeof(end->next_seq));
	end->error[0] = 0;
}

void world_reset_traffic(struct world *world, uint32_t index)
{
	traffic_zero(&world->clients[index].link.end);
	traffic_zero(&world->clients[index].far_end->end);
}

void world_prepare_links(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];

	memset(client->far_end, 0, sizeof(*client->far_end));
	client->far_end->domid = host_domid(client->guest.domain);
	links_prepare(world, index);
}

/* Keeps the sizes that a test has set. */
static void client_prepare(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];
	struct netif_guest *guest = &client->guest.guest;

	memset(&client->link, 0, sizeof(client->link));
	client->link.domid = GUEST_UPLINK;
	client->far_end = &world->server_links[index];
	*guest = (struct netif_guest){ .links = &client->link,
				       .link_count = 1,
				       .max_queues = guest->max_queues,
				       .sends_foreign = guest->sends_foreign,
				       .rx_pages = guest->rx_pages,
				       .tx_pages = guest->tx_pages };
}

void world_client_start(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];
	struct world_guest *guest = &client->guest;
	char name[16];

	client_prepare(world, index);
	snprintf(name, sizeof(name), "client%u", index);
	world_guest_start(world, guest, name);
	world_prepare_links(world, index);
	host_call_fiber_must(guest->domain, guest->program->start_netfront, &guest->guest);
	ck_assert_int_eq(guest->guest.error, 0);
	ck_assert(host_run_until(world->machine, is_watching, guest, UP_NS));
	host_run_for(world->machine, 50 * WORLD_MS);
	guest->clean = host_domain_counters(guest->domain);
}

int world_attach(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];
	int error;

	snprintf(client->mac, sizeof(client->mac), "00:16:3e:00:00:%02x", index);
	snprintf(client->ip, sizeof(client->ip), "10.137.0.%u", 10 + index);
	client->vif = (struct host_vif){ .frontend = client->guest.domain,
					 .backend = world->server.domain,
					 .mac = client->mac,
					 .ip = client->ip };
	error = host_toolstack_attach_vif(&client->vif);
	if (error) {
		host_machine_dump(world->machine);
		return error;
	}
	if (world_wait_up(world, index, UP_NS))
		return 0;
	host_machine_dump(world->machine);
	return -ETIMEDOUT;
}

/* ---- waiting ---- */

struct look {
	struct world *world;
	uint32_t index;
};

static bool both_up(void *argument)
{
	const struct look *look = argument;
	struct world_client *client = &look->world->clients[look->index];

	return atomic_load(&client->link.up) && atomic_load(&client->far_end->up);
}

static bool both_down(void *argument)
{
	const struct look *look = argument;
	struct world_client *client = &look->world->clients[look->index];

	return !atomic_load(&client->link.up) && !atomic_load(&client->far_end->up);
}

bool world_wait_up(struct world *world, uint32_t index, uint64_t timeout_ns)
{
	struct look look = { world, index };

	return host_run_until(world->machine, both_up, &look, timeout_ns);
}

bool world_wait_down(struct world *world, uint32_t index, uint64_t timeout_ns)
{
	struct look look = { world, index };

	return host_run_until(world->machine, both_down, &look, timeout_ns);
}

/* ---- traffic ---- */

void world_send(struct world *world, uint32_t index, uint32_t up, uint32_t down)
{
	struct world_client *client = &world->clients[index];

	client->link.end.send_count = up;
	client->far_end->end.send_count = down;
	if (up)
		host_call(client->guest.domain, client->guest.program->send, &client->link);
	if (down)
		host_call(world->server.domain, world->server.program->send, client->far_end);
}

static bool end_is_done(const struct traffic_end *end)
{
	if (atomic_load(&end->wrong))
		return true;
	return atomic_load(&end->received) + atomic_load(&end->missing) >= end->peer->send_count;
}

bool world_has_arrived(struct world *world, uint32_t index)
{
	struct world_client *client = &world->clients[index];

	return end_is_done(&client->link.end) && end_is_done(&client->far_end->end);
}

static bool has_arrived(void *argument)
{
	const struct look *look = argument;

	return world_has_arrived(look->world, look->index);
}

bool world_wait_arrived(struct world *world, uint32_t index, uint64_t timeout_ns)
{
	struct look look = { world, index };

	return host_run_until(world->machine, has_arrived, &look, timeout_ns);
}

static void assert_end(const struct traffic_end *end, bool lossless)
{
	ck_assert_msg(atomic_load(&end->wrong) == 0, "%s", end->error);
	if (!lossless)
		return;
	ck_assert_uint_eq(atomic_load(&end->missing), 0);
	ck_assert_uint_eq(atomic_load(&end->received), end->peer->send_count);
}

static bool senders_stopped(void *argument)
{
	const struct world_client *client = argument;

	return !atomic_load(&client->link.end.sending) &&
	       !atomic_load(&client->far_end->end.sending);
}

void world_wait_senders(struct world *world, uint32_t index)
{
	ck_assert_msg(host_run_until(world->machine, senders_stopped, &world->clients[index],
				     10 * WORLD_SECOND),
		      "client %u: a sender does not stop", index);
}

void world_assert_traffic(struct world *world, uint32_t index, bool lossless)
{
	assert_end(&world->clients[index].link.end, lossless);
	assert_end(&world->clients[index].far_end->end, lossless);
}

void world_exchange(struct world *world, uint32_t index, uint32_t up, uint32_t down)
{
	world_reset_traffic(world, index);
	world_send(world, index, up, down);
	if (!world_wait_arrived(world, index, 60 * WORLD_SECOND))
		ck_abort_msg("client %u: %u of %u up and %u of %u down arrived", index,
			     atomic_load(&world->clients[index].far_end->end.received), up,
			     atomic_load(&world->clients[index].link.end.received), down);
	/* The last frame may be there before its sender has looked whether there are more. */
	world_wait_senders(world, index);
	world_assert_traffic(world, index, true);
}

/* ---- figures ---- */

const struct netif_guest *world_collect(struct world_guest *guest)
{
	host_call(guest->domain, guest->program->collect, &guest->guest);
	return &guest->guest;
}

uint32_t world_stale_pages(struct world_guest *guest)
{
	host_call(guest->domain, guest->program->look_into_pages, &guest->guest);
	return guest->guest.stale_pages;
}

static bool is_clean(void *argument)
{
	struct world_guest *guest = argument;
	struct host_counters now = host_domain_counters(guest->domain);

	return memcmp(&now, &guest->clean, sizeof(now)) == 0;
}

void world_assert_clean(struct world_guest *guest, const char *who)
{
	struct host_machine *machine = host_machine_of(guest->domain);
	struct host_counters now;
	char was[256];

	/* The toolstack sees the directory go a moment before the driver frees the rest. */
	if (host_run_until(machine, is_clean, guest, 2 * WORLD_SECOND))
		return;
	now = host_domain_counters(guest->domain);
	snprintf(was, sizeof(was), "%s", host_counters_text(&guest->clean));
	ck_abort_msg("%s: %s; clean was: %s", who, host_counters_text(&now), was);
}

void world_attacker_leaves(struct world *world, struct host_domain *attacker, uint32_t server_pages)
{
	ck_assert_int_eq(host_toolstack_destroy_domain(attacker), 0);
	ck_assert_uint_eq(host_domain_counters(attacker).held, 0);
	ck_assert(world_wait_arrived(world, 0, 60 * WORLD_SECOND));
	world_assert_traffic(world, 0, true);
	world_exchange(world, 0, 100, 100);
	ck_assert_int_eq(host_toolstack_detach_vif(world->clients[0].guest.domain, 0), 0);
	world_assert_clean(&world->server, "server");
	ck_assert_uint_eq(world_collect(&world->server)->packets_out, 0);
	ck_assert_uint_eq(world_collect(&world->server)->pages_out, server_pages);
}
