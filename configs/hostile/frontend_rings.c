/* SPDX-License-Identifier: ISC */
/* What a frontend can do to a backend with its rings, grants and event channel. */
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/hostile/frontend.h"
#include "xen/gnttab.h"
#include "xen/loop.h"

#define REPEATS 3u
#define STORM_NS 400000000ull
#define SCRIBBLE_MS 300u
#define ROUNDS 60u

#define READ_REF frontend_gref(PAGE_READ)

static void send_one(uint32_t gref, uint32_t offset, uint32_t size)
{
	frontend_tx_room(REPEATS);
	for (uint32_t i = 0; i < REPEATS; i++)
		frontend_put(gref, offset, size, 0);
	frontend_publish();
}

/* A chain of `count` slots of `each` bytes; the first says `total`. */
static void send_chain(uint32_t count, uint32_t total, uint32_t each)
{
	frontend_tx_room(count);
	for (uint32_t i = 0; i < count; i++)
		frontend_put(READ_REF, 0, i ? each : total, i + 1 < count ? NETTXF_more_data : 0);
	frontend_publish();
}

static struct netif_extra_info gso_extra(uint8_t type, uint8_t flags, uint8_t gso_type,
					 uint16_t size)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };

	extra.u.gso.type = gso_type;
	extra.u.gso.size = size;
	return extra;
}

static void send_extra(uint8_t type, uint8_t gso_type, uint16_t gso_size)
{
	struct netif_extra_info extra = gso_extra(type, 0, gso_type, gso_size);

	frontend_tx_room(2);
	frontend_put(READ_REF, 0, front.frame_bytes, NETTXF_extra_info);
	frontend_put_extra(&extra);
	frontend_publish();
}

/* ---- indices ---- */

static void tx_index_far_ahead(void)
{
	frontend_jump(front.tx_next + HOSTILE_RING + 1, front.rx_next);
}

static void tx_index_backwards(void)
{
	frontend_send_echoes(1);
	frontend_jump(front.tx_next - 2 - HOSTILE_RING, front.rx_next);
}

static void tx_index_half_round(void)
{
	frontend_jump(front.tx_next + 0x80000000u, front.rx_next);
}

/* The RX index is looked at when there is something to send. */
static void rx_index_far_ahead(void)
{
	write_once(front.rx->req_prod, front.rx_next + 3 * HOSTILE_RING);
	frontend_put(READ_REF, 0, front.frame_bytes, 0);
	frontend_jump(front.tx_next, front.rx_next + 3 * HOSTILE_RING);
}

static void rx_index_backwards(void)
{
	frontend_post_rx(10);
	frontend_send_echoes(5);
	hostile_pause_ms(50);
	frontend_put(READ_REF, 0, front.frame_bytes, 0);
	frontend_jump(front.tx_next, front.rx_next - 10);
}

/* ---- single slots ---- */

static void beyond_the_page(void)
{
	send_one(READ_REF, 4000, 97);
}

static void far_beyond_the_page(void)
{
	send_one(READ_REF, 0xffff, 0xffff);
}

static void wrapping_sum(void)
{
	send_one(READ_REF, 0xfff0, 60);
}

static void no_bytes(void)
{
	send_one(READ_REF, 0, 0);
}

static void less_than_a_header(void)
{
	send_one(READ_REF, 0, 13);
}

/* ---- references ---- */

static void reference_zero(void)
{
	send_one(0, 0, 60);
}

static void reference_huge(void)
{
	send_one(UINT32_MAX, 0, 60);
}

static void reference_never_granted(void)
{
	send_one(400, 0, 60);
}

static void reference_revoked(void)
{
	send_one(front.revoked, 0, 60);
}

static void reference_for_another_domain(void)
{
	send_one(frontend_gref(PAGE_FOREIGN), 0, 60);
}

static void reference_of_the_ring_itself(void)
{
	send_one(frontend_gref(PAGE_TX), 0, 1514);
}

/* Withdrawn while the copy may be under way on another CPU. */
static void references_revoked_in_flight(void)
{
	uint8_t *page = front.loans[PAGE_READ].page;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		int64_t gref = gnttab_grant_access(front.backend_id, memory_frame_of(page), true);

		if (gref < 0)
			return;
		frontend_tx_room(4);
		for (uint32_t n = 0; n < 4; n++)
			frontend_put((uint32_t)gref, 0, front.frame_bytes, 0);
		frontend_publish();
		for (uint32_t n = hostile_draw(2000); n > 0; n--)
			memory_barrier();
		for (uint32_t n = 0; n < 100 && gnttab_end_access((uint32_t)gref); n++)
			hostile_pause_ms(1);
	}
}

/* ---- chains ---- */

static void first_smaller_than_the_rest(void)
{
	send_chain(3, 100, 1000);
}

static void first_equal_to_the_rest(void)
{
	send_chain(3, 200, 100);
}

/* XSA-448 */
static void empty_fragment(void)
{
	send_chain(4, 500, 0);
}

static void nineteen_slots(void)
{
	send_chain(19, 2000, 100);
}

static void twenty_slots(void)
{
	send_chain(20, 2000, 100);
}

/* XSA-39 */
static void twenty_one_slots(void)
{
	send_chain(21, 2200, 100);
}

static void more_without_end(void)
{
	frontend_tx_room(HOSTILE_RING);
	for (uint32_t i = 0; i < HOSTILE_RING; i++)
		frontend_put(READ_REF, 0, 100, NETTXF_more_data);
	frontend_publish();
}

static void chain_into_nothing(void)
{
	frontend_put(READ_REF, 0, 200, NETTXF_more_data);
	frontend_publish();
}

/* XSA-432: as many slots as are legal, with a byte or two in each. */
static void eighteen_tiny_slots(void)
{
	send_chain(18, 17 + 14, 1);
}

static void largest_packet(void)
{
	send_chain(17, UINT16_MAX, 4090);
}

static void bad_slot_in_the_middle(void)
{
	frontend_tx_room(3);
	frontend_put(READ_REF, 0, 3000, NETTXF_more_data);
	frontend_put(401, 0, 1000, NETTXF_more_data);
	frontend_put(READ_REF, 0, 1000, 0);
	frontend_publish();
}

/* ---- extras ---- */

static void extra_promised_not_sent(void)
{
	frontend_put(READ_REF, 0, 60, NETTXF_extra_info);
	frontend_publish();
}

static void extra_of_type_none(void)
{
	send_extra(XEN_NETIF_EXTRA_TYPE_NONE, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void extra_of_unknown_type(void)
{
	send_extra(255, XEN_NETIF_GSO_TYPE_TCPV4, 1000);
}

static void gso_of_unknown_type(void)
{
	send_extra(XEN_NETIF_EXTRA_TYPE_GSO, 77, 1000);
}

static void gso_of_size_zero(void)
{
	send_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0);
}

/* The packet is an echo request: no TCP at all. */
static void gso_without_tcp(void)
{
	send_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 1);
	send_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0xffff);
}

static void extras_without_end(void)
{
	struct netif_extra_info extra =
		gso_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE,
			  XEN_NETIF_GSO_TYPE_TCPV4, 1000);

	frontend_tx_room(HOSTILE_RING);
	frontend_put(READ_REF, 0, 60, NETTXF_extra_info);
	for (uint32_t i = 1; i < HOSTILE_RING; i++)
		frontend_put_extra(&extra);
	frontend_publish();
}

static void extra_behind_the_second_slot(void)
{
	struct netif_extra_info extra =
		gso_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 1000);

	frontend_tx_room(3);
	frontend_put(READ_REF, 0, 200, NETTXF_more_data);
	frontend_put(READ_REF, 0, 100, NETTXF_extra_info);
	frontend_put_extra(&extra);
	frontend_publish();
}

static void put_multicast(uint8_t type, uint32_t number, uint8_t flags)
{
	struct netif_extra_info extra = { .type = type, .flags = flags };
	const uint8_t mac[6] = { (uint8_t)(number & 3), 0, 0x5e, 0, (uint8_t)(number >> 8),
				 (uint8_t)number };

	memcpy(extra.u.mcast.addr, mac, sizeof(mac));
	frontend_put_extra(&extra);
}

/* More groups than anybody has, some of them no groups, some left that were not joined. */
static void joins_groups_without_end(void)
{
	for (uint32_t i = 0; i < 20 * ROUNDS; i++) {
		frontend_tx_room(2);
		frontend_put(READ_REF, 0, front.frame_bytes, NETTXF_extra_info);
		put_multicast(hostile_draw(4) ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD
					      : XEN_NETIF_EXTRA_TYPE_MCAST_DEL,
			      hostile_draw(1000), 0);
		frontend_publish();
	}
}

static void joins_in_one_breath_without_end(void)
{
	frontend_tx_room(HOSTILE_RING);
	frontend_put(READ_REF, 0, front.frame_bytes, NETTXF_extra_info);
	for (uint32_t i = 1; i < HOSTILE_RING; i++)
		put_multicast(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, i, XEN_NETIF_EXTRA_FLAG_MORE);
	frontend_publish();
}

/* ---- what only looks wrong, and what must not cost others anything ---- */

static void same_id_again_and_again(void)
{
	frontend_tx_room(10);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t slot = front.tx_next % HOSTILE_RING;

		frontend_put(READ_REF, 0, front.frame_bytes, 0);
		front.tx->ring[slot].req.id = 7;
	}
	frontend_publish();
}

static void blank_checksum_without_a_transport(void)
{
	frontend_put(READ_REF, 0, 14, NETTXF_csum_blank);
	frontend_publish();
}

static void every_flag_that_there_is(void)
{
	struct netif_extra_info extra =
		gso_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0xfe, XEN_NETIF_GSO_TYPE_TCPV4, 1);

	frontend_tx_room(3);
	frontend_put(READ_REF, 0, 200, 0xffff);
	frontend_put_extra(&extra);
	frontend_put(READ_REF, 0, 100, (uint16_t) ~(NETTXF_more_data | NETTXF_extra_info));
	frontend_publish();
}

/* XSA-332 */
static void storm_of_events(void)
{
	uint64_t end = clock_now_ns() + STORM_NS;

	while (clock_now_ns() < end)
		for (uint32_t i = 0; i < 100; i++)
			evtchn_notify(front.port);
}

/* XSA-391 and 392: sends at full speed what is answered, and takes nothing. */
static void floods_and_posts_nothing(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		frontend_send_echoes(100);
}

/* XSA-392: always one slot too few. */
static void posts_one_slot_at_a_time(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		frontend_post_rx(1);
		frontend_send_echoes(20);
	}
}

/* Answers do not fit: what it posts is read-only, revoked, nobody's, or the ring. */
static void rx_buffers_that_cannot_be_written(void)
{
	frontend_put_rx(1, READ_REF);
	frontend_put_rx(1, front.revoked);
	frontend_put_rx(0xffff, UINT32_MAX);
	frontend_put_rx(2, frontend_gref(PAGE_FOREIGN));
	frontend_send_echoes(20);
	hostile_pause_ms(100);
}

static void rx_buffers_that_are_the_rings(void)
{
	for (uint32_t i = 0; i < 20; i++)
		frontend_put_rx(3, frontend_gref(i & 1 ? PAGE_TX : PAGE_RX));
	frontend_send_echoes(20);
	hostile_pause_ms(100);
}

static void frame_changes_during_the_copy(void)
{
	for (uint32_t i = 0; i < 4; i++) {
		frontend_send_echoes(60);
		hostile_scribble((volatile uint32_t *)(void *)front.loans[PAGE_READ].page, 64,
				 SCRIBBLE_MS / 4);
	}
}

/* XSA-155: a field that is read twice is read differently. */
static void rings_change_under_its_eyes(void)
{
	for (uint32_t i = 0; i < 4 && frontend_is_connected(); i++) {
		frontend_post_rx(50);
		frontend_send_echoes(100);
		hostile_scribble((volatile uint32_t *)(void *)front.tx->ring, 768, SCRIBBLE_MS / 4);
		frontend_publish();
		hostile_scribble((volatile uint32_t *)(void *)front.rx->ring, 512, SCRIBBLE_MS / 4);
	}
}

static uint32_t any_reference(void)
{
	return hostile_draw(4) ? frontend_gref((enum frontend_page)hostile_draw(PAGE_COUNT))
			       : hostile_draw(600);
}

static void put_at_random(void)
{
	uint32_t slots = 1 + hostile_draw(20);

	frontend_tx_room(slots);
	while (slots--)
		frontend_put(any_reference(), hostile_draw(4200), hostile_draw(2000),
			     (uint16_t)hostile_draw(16));
	for (uint32_t i = hostile_draw(8); i > 0; i--)
		frontend_put_rx((uint16_t)hostile_draw(300), any_reference());
	if (hostile_draw(50) == 0)
		frontend_jump(hostile_draw(UINT32_MAX), front.rx_next);
	else
		frontend_publish();
}

static void at_random(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (!frontend_connect())
			hostile_unexpected("cannot come back");
		for (uint32_t n = hostile_draw(10); n > 0; n--)
			put_at_random();
		hostile_pause_ms(hostile_draw(20));
	}
}

/* ---- leaving ---- */

/* All slots full, and in the same breath gone: references, port and all. */
static void leaves_with_full_rings(void)
{
	frontend_post_rx(HOSTILE_RING);
	frontend_send_echoes(HOSTILE_RING);
	frontend_set_state(6);
	frontend_release();
}

static void takes_back_first_says_later(void)
{
	frontend_send_echoes(HOSTILE_RING);
	evtchn_close(front.port);
	front.port = EVTCHN_NONE;
	(void)!gnttab_end_access(READ_REF);
	front.loans[PAGE_READ].gref = 0;
	hostile_pause_ms(100);
	frontend_leave();
}

const struct hostile_attack frontend_ring_attacks[] = {
	HOSTILE_ATTACK(tx_index_far_ahead, THROWN_OUT),
	HOSTILE_ATTACK(tx_index_backwards, THROWN_OUT),
	HOSTILE_ATTACK(tx_index_half_round, THROWN_OUT),
	HOSTILE_ATTACK(rx_index_far_ahead, THROWN_OUT),
	HOSTILE_ATTACK(rx_index_backwards, THROWN_OUT),
	HOSTILE_ATTACK(beyond_the_page, STAYS),
	HOSTILE_ATTACK(far_beyond_the_page, STAYS),
	HOSTILE_ATTACK(wrapping_sum, STAYS),
	HOSTILE_ATTACK(no_bytes, STAYS),
	HOSTILE_ATTACK(less_than_a_header, STAYS),
	HOSTILE_ATTACK(reference_zero, STAYS),
	HOSTILE_ATTACK(reference_huge, STAYS),
	HOSTILE_ATTACK(reference_never_granted, STAYS),
	HOSTILE_ATTACK(reference_revoked, STAYS),
	HOSTILE_ATTACK(reference_for_another_domain, STAYS),
	HOSTILE_ATTACK(reference_of_the_ring_itself, STAYS),
	HOSTILE_ATTACK(references_revoked_in_flight, STAYS),
	HOSTILE_ATTACK(first_smaller_than_the_rest, STAYS),
	HOSTILE_ATTACK(first_equal_to_the_rest, STAYS),
	HOSTILE_ATTACK(empty_fragment, STAYS),
	HOSTILE_ATTACK(nineteen_slots, STAYS),
	HOSTILE_ATTACK(twenty_slots, STAYS),
	HOSTILE_ATTACK(twenty_one_slots, THROWN_OUT),
	HOSTILE_ATTACK(more_without_end, THROWN_OUT),
	HOSTILE_ATTACK(chain_into_nothing, THROWN_OUT),
	HOSTILE_ATTACK(eighteen_tiny_slots, STAYS),
	HOSTILE_ATTACK(largest_packet, STAYS),
	HOSTILE_ATTACK(bad_slot_in_the_middle, STAYS),
	HOSTILE_ATTACK(extra_promised_not_sent, THROWN_OUT),
	HOSTILE_ATTACK(extra_of_type_none, THROWN_OUT),
	HOSTILE_ATTACK(extra_of_unknown_type, THROWN_OUT),
	HOSTILE_ATTACK(gso_of_unknown_type, THROWN_OUT),
	HOSTILE_ATTACK(gso_of_size_zero, THROWN_OUT),
	HOSTILE_ATTACK(gso_without_tcp, STAYS),
	HOSTILE_ATTACK(extras_without_end, THROWN_OUT),
	HOSTILE_ATTACK(extra_behind_the_second_slot, THROWN_OUT),
	HOSTILE_ATTACK(joins_groups_without_end, STAYS),
	HOSTILE_ATTACK(joins_in_one_breath_without_end, THROWN_OUT),
	HOSTILE_ATTACK(same_id_again_and_again, STAYS),
	HOSTILE_ATTACK(blank_checksum_without_a_transport, STAYS),
	HOSTILE_ATTACK(every_flag_that_there_is, STAYS),
	HOSTILE_ATTACK(storm_of_events, STAYS),
	HOSTILE_ATTACK(floods_and_posts_nothing, STAYS),
	HOSTILE_ATTACK(posts_one_slot_at_a_time, STAYS),
	HOSTILE_ATTACK(rx_buffers_that_cannot_be_written, STAYS),
	HOSTILE_ATTACK(rx_buffers_that_are_the_rings, EITHER),
	HOSTILE_ATTACK(frame_changes_during_the_copy, STAYS),
	HOSTILE_ATTACK(rings_change_under_its_eyes, EITHER),
	HOSTILE_ATTACK(at_random, EITHER),
	HOSTILE_ATTACK(leaves_with_full_rings, THROWN_OUT),
	HOSTILE_ATTACK(takes_back_first_says_later, THROWN_OUT),
	{ 0 },
};
