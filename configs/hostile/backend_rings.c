/* SPDX-License-Identifier: ISC */
/* What a backend can do to a frontend with its rings, grants and event channel. */
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/hostile/backend.h"
#include "lib/compiler.h"

#define STORM_NS 400000000ull
#define SCRIBBLE_MS 300u
#define ROUNDS 40u
#define HELD_PAGES 64u
#define HELD_MS 300u

/* ---- the victim's TX ring ---- */

static void tx_answers_too_many(void)
{
	backend_provoke(4);
	backend_jump(back.tx_answered + HOSTILE_RING + 1, back.rx_answered);
}

static void tx_index_backwards(void)
{
	backend_jump(back.tx_answered - 1, back.rx_answered);
}

static void tx_index_half_round(void)
{
	backend_jump(back.tx_answered + 0x80000000u, back.rx_answered);
}

static void answer_with(uint32_t id)
{
	backend_provoke(4);
	backend_answer_tx(id, NETIF_RSP_OKAY);
	backend_publish();
}

static void tx_id_out_of_range(void)
{
	answer_with(0xffff);
}

static void tx_id_just_out_of_range(void)
{
	answer_with(HOSTILE_RING);
}

static void tx_id_not_under_way(void)
{
	bool under_way[HOSTILE_RING] = { false };
	uint32_t id = 0;

	backend_provoke(4);
	for (uint32_t i = 0; i < backend_tx_waiting(); i++)
		under_way[backend_tx_id(i) % HOSTILE_RING] = true;
	while (id < HOSTILE_RING - 1 && under_way[id])
		id++;
	backend_answer_tx(id, NETIF_RSP_OKAY);
	backend_publish();
}

static void tx_id_twice(void)
{
	uint32_t id;

	backend_provoke(8);
	hostile_pause_ms(50); /* for a second request */
	id = backend_tx_id(0);
	backend_answer_tx(id, NETIF_RSP_OKAY);
	backend_answer_tx(id, NETIF_RSP_OKAY);
	backend_publish();
}

static void tx_all_answered(int16_t status)
{
	backend_provoke(8);
	while (backend_tx_waiting())
		backend_answer_tx(backend_tx_id(0), status);
	backend_publish();
}

static void tx_all_failed(void)
{
	tx_all_answered(NETIF_RSP_ERROR);
}

static void tx_unknown_status(void)
{
	tx_all_answered(0x7fff);
}

/* NULL is the answer for an extra; here it is given for slots with data. */
static void tx_all_null(void)
{
	backend_provoke(8);
	while (backend_tx_waiting())
		backend_answer_tx(BACKEND_NO_ID, NETIF_RSP_NULL);
	backend_publish();
}

static void tx_backwards_order(void)
{
	uint32_t ids[HOSTILE_RING];
	uint32_t count;

	backend_provoke(8);
	count = backend_tx_waiting();
	for (uint32_t i = 0; i < count; i++)
		ids[i] = backend_tx_id(i);
	while (count)
		backend_answer_tx(ids[--count], NETIF_RSP_OKAY);
	backend_publish();
}

static void tx_never_answered(void)
{
	for (uint32_t i = 0; i < 8; i++) {
		backend_provoke(100);
		hostile_pause_ms(20);
	}
}

/* ---- the victim's RX ring ---- */

static void respond(uint32_t offset, int status, uint16_t flags)
{
	struct netif_rx_response response = { .id = backend_rx_request(0).id,
					      .offset = (uint16_t)offset,
					      .flags = flags,
					      .status = (int16_t)status };

	backend_answer_rx(&response);
}

static void respond_alone(uint32_t offset, int status)
{
	respond(offset, status, 0);
	backend_publish();
}

static void rx_answers_too_many(void)
{
	backend_jump(back.tx_answered, back.rx_answered + HOSTILE_RING + 1);
}

static void rx_index_backwards(void)
{
	backend_jump(back.tx_answered, back.rx_answered - 1);
}

static void rx_beyond_the_page(void)
{
	respond_alone(4000, 97);
}

static void rx_far_beyond_the_page(void)
{
	respond_alone(0xffff, 0x7fff);
}

static void rx_of_no_bytes(void)
{
	respond_alone(0, 0);
}

static void rx_of_less_than_a_header(void)
{
	respond_alone(0, 13);
}

static void rx_error(void)
{
	respond_alone(0, NETIF_RSP_ERROR);
}

static void rx_most_negative(void)
{
	respond_alone(0, -32768);
}

static void respond_as(uint32_t id)
{
	struct netif_rx_response response = { .id = (uint16_t)id, .status = 60 };

	backend_answer_rx(&response);
	backend_publish();
}

static void rx_of_another_id(void)
{
	respond_as(backend_rx_request(1).id);
}

static void rx_of_a_huge_id(void)
{
	respond_as(0xffff);
}

static void rx_of_one_id_twice(void)
{
	uint32_t id = backend_rx_request(0).id;

	respond_as(id);
	respond_as(id);
}

static void rx_chain(uint32_t count, int each)
{
	for (uint32_t i = 0; i < count; i++)
		respond(0, each, i + 1 < count ? NETRXF_more_data : 0);
	backend_publish();
}

static void rx_of_eighteen_tiny_slots(void)
{
	rx_chain(18, 1);
}

static void rx_of_eighteen_full_pages(void)
{
	rx_chain(18, 4096);
}

static void rx_of_seventeen_full_pages(void)
{
	rx_chain(17, 4096);
}

static void rx_of_nineteen_slots(void)
{
	rx_chain(19, 100);
}

static void rx_more_without_end(void)
{
	while (backend_rx_waiting())
		respond(0, 100, NETRXF_more_data);
	backend_publish();
}

static void rx_never_finished(void)
{
	respond(0, 100, NETRXF_more_data);
	backend_publish();
}

static struct netif_extra_info gso_extra(uint8_t type, uint8_t flags, uint8_t gso_type,
					 uint16_t size)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };

	extra.u.gso.type = gso_type;
	extra.u.gso.size = size;
	return extra;
}

static void rx_extra(uint8_t type, uint8_t gso_type, uint16_t size)
{
	struct netif_extra_info extra = gso_extra(type, 0, gso_type, size);

	respond(0, 200, NETRXF_extra_info);
	backend_answer_rx_extra(&extra);
	backend_publish();
}

static void rx_extra_promised_not_sent(void)
{
	respond(0, 100, NETRXF_extra_info);
	backend_publish();
}

static void rx_extra_of_unknown_type(void)
{
	rx_extra(200, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void rx_gso_of_size_zero(void)
{
	rx_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

static void rx_gso_of_unknown_type(void)
{
	rx_extra(XEN_NETIF_EXTRA_TYPE_GSO, 99, 1000);
}

static void rx_gso_without_tcp(void)
{
	rx_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 1);
	rx_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0xffff);
}

static void rx_extras_without_end(void)
{
	struct netif_extra_info extra =
		gso_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE,
			  XEN_NETIF_GSO_TYPE_TCPV4, 1000);

	respond(0, 100, NETRXF_extra_info);
	while (backend_rx_waiting())
		backend_answer_rx_extra(&extra);
	backend_publish();
}

static void rx_every_flag(void)
{
	struct netif_extra_info extra =
		gso_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0xfe, XEN_NETIF_GSO_TYPE_TCPV4, 1);

	respond(0, 100, 0xffff);
	backend_answer_rx_extra(&extra);
	respond(0, 100, (uint16_t) ~(NETRXF_more_data | NETRXF_extra_info));
	backend_publish();
}

/* Whatever lies in the posted pages is taken for frames, as many as there are. */
static void rx_floods(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		for (uint32_t n = 0; n < HOSTILE_RING && backend_rx_waiting(); n++)
			respond(0, 1514, NETRXF_data_validated);
		backend_publish();
		hostile_pause_ms(2);
	}
}

/* XSA-391 */
static void storm_of_events(void)
{
	uint64_t end = clock_now_ns() + STORM_NS;

	while (clock_now_ns() < end)
		for (uint32_t i = 0; i < 100; i++)
			evtchn_notify(back.tx_port);
}

/* ---- pages that were lent ---- */

static void writes_into_a_page_to_read(void)
{
	struct netif_tx_request request;
	struct gnttab_copy op = { .len = 64, .flags = GNTCOPY_dest_gref };
	struct gnttab_mapping map = { .address = NULL };

	backend_provoke(4);
	request = backend_tx_request(0);
	op.source.u.gmfn = memory_frame_of(back.page);
	op.source.domid = DOMID_SELF;
	op.dest.u.ref = request.gref;
	op.dest.domid = back.frontend_id;
	gnttab_copy(&op, 1);
	if (op.status == GNTST_okay)
		hostile_unexpected("what it sends can be written");
	if (gnttab_map(back.frontend_id, request.gref, false, &map) == 0) {
		hostile_unexpected("what it sends can be mapped writable");
		gnttab_unmap(&map);
	}
	backend_serve();
}

/* A frame that changes after it was delivered, while it is looked at. */
static void rx_page_changes_under_its_eyes(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		struct gnttab_mapping map = { .address = NULL };

		if (!backend_rx_waiting() ||
		    gnttab_map(back.frontend_id, backend_rx_request(0).gref, false, &map))
			return;
		memcpy(map.address, back.page, PAGE_BYTES);
		respond_alone(0, 1514);
		hostile_scribble(map.address, 32, SCRIBBLE_MS / 4);
		gnttab_unmap(&map);
	}
}

/* Closes, and unmaps what it was lent only a good while later. */
static void holds_pages_for_a_moment(void)
{
	static struct gnttab_mapping maps[HELD_PAGES];

	for (uint32_t i = 0; i < HELD_PAGES && i < backend_rx_waiting(); i++)
		(void)!gnttab_map(back.frontend_id, backend_rx_request(i).gref, false, &maps[i]);
	backend_set_state(5);
	hostile_pause_ms(HELD_MS);
	for (uint32_t i = 0; i < HELD_PAGES; i++)
		gnttab_unmap(&maps[i]);
	backend_release();
}

/* ---- at random ---- */

/* XSA-155: a field that is read twice is read differently. */
static void rings_change_under_its_eyes(void)
{
	for (uint32_t i = 0; i < 4 && backend_is_connected(); i++) {
		backend_provoke(20);
		hostile_scribble((volatile uint32_t *)(void *)back.rx->ring, 512, SCRIBBLE_MS / 4);
		while (backend_rx_waiting())
			back.rx_answered++;
		backend_publish();
		hostile_scribble((volatile uint32_t *)(void *)back.tx->ring, 768, SCRIBBLE_MS / 4);
		if (!backend_connect())
			hostile_unexpected("does not come back");
	}
}

static void answer_at_random(void)
{
	uint32_t tx = hostile_draw(backend_tx_waiting() + 1);
	uint32_t rx = hostile_draw(30);

	while (tx--)
		backend_answer_tx(backend_tx_id(0), (int16_t)(hostile_draw(3) - 1));
	while (rx-- && backend_rx_waiting())
		respond(hostile_draw(20) ? 0 : hostile_draw(5000), (int)hostile_draw(4200) - 10,
			(uint16_t)hostile_draw(16));
	if (hostile_draw(40) == 0)
		backend_jump(hostile_draw(UINT32_MAX), back.rx_answered);
	else
		backend_publish();
}

static void at_random(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (!backend_is_connected() && !backend_connect()) {
			hostile_unexpected("does not come back");
			return;
		}
		for (uint32_t n = hostile_draw(10); n > 0; n--)
			answer_at_random();
		hostile_pause_ms(hostile_draw(20));
	}
}

const struct hostile_attack backend_ring_attacks[] = {
	HOSTILE_ATTACK(tx_answers_too_many, THROWN_OUT),
	HOSTILE_ATTACK(tx_index_backwards, THROWN_OUT),
	HOSTILE_ATTACK(tx_index_half_round, THROWN_OUT),
	HOSTILE_ATTACK(tx_id_out_of_range, THROWN_OUT),
	HOSTILE_ATTACK(tx_id_just_out_of_range, THROWN_OUT),
	HOSTILE_ATTACK(tx_id_not_under_way, THROWN_OUT),
	HOSTILE_ATTACK(tx_id_twice, THROWN_OUT),
	HOSTILE_ATTACK(tx_all_failed, STAYS),
	HOSTILE_ATTACK(tx_unknown_status, STAYS),
	HOSTILE_ATTACK(tx_all_null, THROWN_OUT),
	HOSTILE_ATTACK(tx_backwards_order, STAYS),
	HOSTILE_ATTACK(tx_never_answered, STAYS),
	HOSTILE_ATTACK(rx_answers_too_many, THROWN_OUT),
	HOSTILE_ATTACK(rx_index_backwards, THROWN_OUT),
	HOSTILE_ATTACK(rx_beyond_the_page, STAYS),
	HOSTILE_ATTACK(rx_far_beyond_the_page, STAYS),
	HOSTILE_ATTACK(rx_of_no_bytes, STAYS),
	HOSTILE_ATTACK(rx_of_less_than_a_header, STAYS),
	HOSTILE_ATTACK(rx_error, STAYS),
	HOSTILE_ATTACK(rx_most_negative, STAYS),
	HOSTILE_ATTACK(rx_of_another_id, THROWN_OUT),
	HOSTILE_ATTACK(rx_of_a_huge_id, THROWN_OUT),
	HOSTILE_ATTACK(rx_of_one_id_twice, THROWN_OUT),
	HOSTILE_ATTACK(rx_of_eighteen_tiny_slots, STAYS),
	HOSTILE_ATTACK(rx_of_eighteen_full_pages, STAYS),
	HOSTILE_ATTACK(rx_of_seventeen_full_pages, STAYS),
	HOSTILE_ATTACK(rx_of_nineteen_slots, THROWN_OUT),
	HOSTILE_ATTACK(rx_more_without_end, THROWN_OUT),
	HOSTILE_ATTACK(rx_never_finished, STAYS),
	HOSTILE_ATTACK(rx_extra_promised_not_sent, STAYS),
	HOSTILE_ATTACK(rx_extra_of_unknown_type, STAYS),
	HOSTILE_ATTACK(rx_gso_of_size_zero, STAYS),
	HOSTILE_ATTACK(rx_gso_of_unknown_type, STAYS),
	HOSTILE_ATTACK(rx_gso_without_tcp, STAYS),
	HOSTILE_ATTACK(rx_extras_without_end, THROWN_OUT),
	HOSTILE_ATTACK(rx_every_flag, STAYS),
	HOSTILE_ATTACK(rx_floods, STAYS),
	HOSTILE_ATTACK(storm_of_events, STAYS),
	HOSTILE_ATTACK(writes_into_a_page_to_read, STAYS),
	HOSTILE_ATTACK(rx_page_changes_under_its_eyes, STAYS),
	HOSTILE_ATTACK(holds_pages_for_a_moment, THROWN_OUT),
	HOSTILE_ATTACK(rings_change_under_its_eyes, EITHER),
	HOSTILE_ATTACK(at_random, EITHER),
	{ 0 },
};
