/* SPDX-License-Identifier: ISC */
/* The DHCP client against a server played here, by a virtual clock. */
#include "net/dhcp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/checksum.h"
#include "tests/host/unit.h"

#define SECOND 1000000000ull
#define FRAME_BYTES 600u
#define BOOT 42u
#define OPTIONS (BOOT + 240u)
#define SERVER 0x0a000001u
#define ADDRESS 0x0a000032u

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE };

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t server_mac[6] = { 2, 0, 0, 0, 0, 2 };
static struct dhcp_client client;
static struct random numbers;
static uint64_t now;
static uint8_t out[DHCP_FRAME_BYTES];
static uint32_t sent, bound, lost;

static void on_send(void *context, const uint8_t *frame, size_t bytes)
{
	(void)context;
	ck_assert_uint_eq(bytes, sizeof(out));
	memcpy(out, frame, bytes);
	sent++;
}

static void on_changed(void *context, const struct dhcp_lease *lease)
{
	(void)context;
	bound += lease != NULL;
	lost += lease == NULL;
}

static void setup(void)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 3 };
	struct dhcp_config config = { .random = &numbers, .output = { on_send, on_changed, NULL } };

	memcpy(config.mac, mac, 6);
	random_init(&numbers, seed);
	now = 5 * SECOND;
	sent = bound = lost = 0;
	dhcp_client_init(&client, &config);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* An option of what was sent last; NULL: it has none. */
static const uint8_t *option(uint8_t code)
{
	for (uint32_t at = OPTIONS; at + 1 < sizeof(out) && out[at] != 255; at += 2u + out[at + 1])
		if (out[at] == code)
			return out + at + 2;
	return NULL;
}

static uint32_t option_32(uint8_t code)
{
	const uint8_t *at = option(code);

	return at ? get32(at) : 0;
}

/* A server's message: bytes in `frame`, options as they stand. */
struct reply {
	uint8_t frame[FRAME_BYTES];
	size_t bytes;
};

static void reply_add(struct reply *reply, uint8_t code, const void *data, uint8_t bytes)
{
	reply->frame[reply->bytes] = code;
	reply->frame[reply->bytes + 1] = bytes;
	memcpy(reply->frame + reply->bytes + 2, data, bytes);
	reply->bytes += 2u + bytes;
}

static void reply_add_32(struct reply *reply, uint8_t code, uint32_t value)
{
	be32 wire = be32_of(value);

	reply_add(reply, code, &wire, 4);
}

static void reply_begin(struct reply *reply, uint8_t type)
{
	uint8_t *boot = reply->frame + BOOT;
	be32 address = be32_of(ADDRESS);

	memset(reply, 0, sizeof(*reply));
	boot[0] = 2;
	boot[1] = 1;
	boot[2] = 6;
	memcpy(boot + 4, out + BOOT + 4, 4);
	memcpy(boot + 16, &address, 4);
	memcpy(boot + 28, mac, 6);
	memcpy(boot + 236, "\x63\x82\x53\x63", 4);
	reply->bytes = OPTIONS;
	reply_add(reply, 53, &type, 1);
	reply_add_32(reply, 54, SERVER);
}

/* The headers around it, with their checksums. */
static void reply_end(struct reply *reply)
{
	struct ethernet_header *ethernet = (struct ethernet_header *)reply->frame;
	struct ip4_header *ip = (struct ip4_header *)(ethernet + 1);
	struct udp_header *udp = (struct udp_header *)(ip + 1);
	uint16_t udp_bytes;

	reply->frame[reply->bytes++] = 255;
	udp_bytes = (uint16_t)(reply->bytes - 34);
	memcpy(ethernet->destination, mac, 6);
	memcpy(ethernet->source, server_mac, 6);
	ethernet->type = be16_of(ETHERTYPE_IP4);
	ip->version_length = 0x45;
	ip->total_length = be16_of((uint16_t)(reply->bytes - 14));
	ip->ttl = 64;
	ip->protocol = 17;
	ip->source = be32_of(SERVER);
	ip->destination = be32_of(ADDRESS);
	ip->checksum = (be16){ 0 };
	ip->checksum = checksum_finish(checksum_add(0, ip, 20));
	udp->source_port = be16_of(67);
	udp->destination_port = be16_of(68);
	udp->length = be16_of(udp_bytes);
	udp->checksum = (be16){ 0 };
	udp->checksum = checksum_finish(checksum_add(
		checksum_pseudo_ip4(ip->source, ip->destination, 17, udp_bytes), udp, udp_bytes));
}

static void reply_common(struct reply *reply, uint8_t type, uint32_t lease)
{
	reply_begin(reply, type);
	reply_add_32(reply, 1, 0xffffff00);
	reply_add_32(reply, 3, SERVER);
	reply_add(reply, 6, "\x0a\0\0\x05\x0a\0\0\x06", 8);
	reply_add(reply, 26, "\x05\x78", 2);
	reply_add_32(reply, 51, lease);
}

static int give(const struct reply *reply)
{
	uint8_t *copy = malloc(reply->bytes);
	int result;

	memcpy(copy, reply->frame, reply->bytes);
	result = dhcp_client_input(&client, copy, reply->bytes, false, now);
	free(copy);
	return result;
}

static int answer(uint8_t type, uint32_t lease)
{
	struct reply reply;

	reply_common(&reply, type, lease);
	reply_end(&reply);
	return give(&reply);
}

static void next(void)
{
	now = dhcp_client_next_ns(&client);
	ck_assert_uint_ne(now, UINT64_MAX);
	dhcp_client_run(&client, now);
}

static void get_bound(uint32_t lease)
{
	dhcp_client_start(&client, (be32){ 0 }, now);
	ck_assert_int_eq(answer(OFFER, lease), 0);
	ck_assert_int_eq(answer(ACK, lease), 0);
	ck_assert_int_eq(client.state, DHCP_BOUND);
}

START_TEST(rfc2131_3_1_discover_offer_request_ack)
{
	const struct dhcp_lease *lease;
	const struct ip4_header *ip = (const struct ip4_header *)(out + 14);

	dhcp_client_start(&client, (be32){ 0 }, now);
	ck_assert_int_eq(*option(53), DISCOVER);
	ck_assert_mem_eq(option(61) + 1, mac, 6);
	ck_assert_uint_eq(checksum_finish(checksum_add(0, ip, 20)).raw, 0);
	ck_assert_uint_eq(
		checksum_finish(checksum_add(checksum_pseudo_ip4(ip->source, ip->destination, 17,
								 DHCP_FRAME_BYTES - 34),
					     out + 34, DHCP_FRAME_BYTES - 34))
			.raw,
		0);
	ck_assert_uint_eq(ip->source.raw, 0);
	ck_assert_uint_eq(ip->destination.raw, UINT32_MAX);
	ck_assert_int_eq(answer(OFFER, 3600), 0);
	ck_assert_int_eq(*option(53), REQUEST);
	ck_assert_uint_eq(option_32(50), ADDRESS);
	ck_assert_uint_eq(option_32(54), SERVER);
	ck_assert_uint_eq(get32(out + BOOT + 12), 0);
	ck_assert_ptr_null(dhcp_client_lease(&client));
	ck_assert_int_eq(answer(ACK, 3600), 0);
	lease = dhcp_client_lease(&client);
	ck_assert_ptr_nonnull(lease);
	ck_assert_uint_eq(bound, 1);
	ck_assert_uint_eq(be32_get(lease->address), ADDRESS);
	ck_assert_uint_eq(be32_get(lease->gateway), SERVER);
	ck_assert_uint_eq(lease->prefix, 24);
	ck_assert_uint_eq(lease->dns_count, 2);
	ck_assert_uint_eq(lease->mtu, 1400);
	ck_assert_uint_eq(lease->renew, 1800);
	ck_assert_uint_eq(lease->rebind, 3150);
}
END_TEST

/* The least T2 would leave T1 at 0: a client that renews for ever, at once. */
START_TEST(rfc2131_4_4_5_renewal_times_that_leave_no_time)
{
	for (uint32_t rebind = 0; rebind <= 20; rebind++) {
		struct reply reply;
		const struct dhcp_lease *lease;

		dhcp_client_start(&client, (be32){ 0 }, now);
		ck_assert_int_eq(answer(OFFER, 20), 0);
		reply_common(&reply, ACK, 20);
		reply_add_32(&reply, 59, rebind);
		reply_end(&reply);
		ck_assert_int_eq(give(&reply), 0);
		lease = dhcp_client_lease(&client);
		ck_assert_ptr_nonnull(lease);
		ck_assert_uint_ge(lease->renew, 5);
		ck_assert_uint_lt(lease->renew, lease->rebind);
		ck_assert_uint_lt(lease->rebind, lease->lease);
	}
}
END_TEST

START_TEST(rfc2131_4_1_back_off_with_jitter)
{
	dhcp_client_start(&client, (be32){ 0 }, now);
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t wait = dhcp_client_next_ns(&client) - now;
		uint64_t middle = (4ull << (i < 4 ? i : 4)) * SECOND;

		ck_assert_uint_ge(wait, middle - SECOND);
		ck_assert_uint_le(wait, middle + SECOND);
		next();
		ck_assert_int_eq(*option(53), DISCOVER);
	}
	ck_assert_uint_eq(sent, 9);
	ck_assert_uint_gt(out[BOOT + 8] << 8 | out[BOOT + 9], 200); /* secs */
}
END_TEST

START_TEST(rfc2131_4_4_5_renewing_rebinding_expiry)
{
	uint64_t begin = now;

	get_bound(3600);
	next();
	ck_assert_uint_eq(now, begin + 1800 * SECOND);
	ck_assert_int_eq(client.state, DHCP_RENEWING);
	ck_assert_mem_eq(out, server_mac, 6); /* unicast */
	ck_assert_uint_eq(get32(out + 30), SERVER);
	ck_assert_uint_eq(get32(out + BOOT + 12), ADDRESS);
	ck_assert_ptr_null(option(50));
	ck_assert_ptr_null(option(54));
	while (client.state == DHCP_RENEWING)
		next();
	ck_assert_uint_eq(now, begin + 3150 * SECOND);
	ck_assert_int_eq(client.state, DHCP_REBINDING);
	ck_assert_uint_eq(get32(out + 30), UINT32_MAX);
	ck_assert_uint_lt(sent, 20);
	while (client.state == DHCP_REBINDING)
		next();
	ck_assert_uint_eq(now, begin + 3600 * SECOND);
	ck_assert_uint_eq(lost, 1);
	ck_assert_int_eq(client.state, DHCP_SELECTING);
}
END_TEST

/* After a night that nobody counted: the lease is asked about at once, and kept meanwhile. */
START_TEST(a_lease_that_may_be_older_than_it_seems)
{
	get_bound(3600);
	now += 10 * SECOND;
	dhcp_client_renew(&client, now);
	ck_assert_uint_eq(dhcp_client_next_ns(&client), now);
	dhcp_client_run(&client, now);
	ck_assert_int_eq(client.state, DHCP_RENEWING);
	ck_assert_int_eq(*option(53), REQUEST);
	ck_assert_ptr_nonnull(dhcp_client_lease(&client));
	ck_assert_int_eq(answer(ACK, 3600), 0);
	ck_assert_int_eq(client.state, DHCP_BOUND);
	ck_assert_uint_eq(lost, 0);
	dhcp_client_stop(&client, now);
	dhcp_client_renew(&client, now); /* without a lease there is nothing to renew */
	ck_assert_uint_eq(dhcp_client_next_ns(&client), UINT64_MAX);
}
END_TEST

START_TEST(rfc2131_4_4_5_a_renewed_lease_is_not_news_unless_it_differs)
{
	get_bound(3600);
	next();
	ck_assert_int_eq(answer(ACK, 3600), 0);
	ck_assert_uint_eq(bound, 1);
	ck_assert_uint_eq(dhcp_client_next_ns(&client), now + 1800 * SECOND);
	next();
	ck_assert_int_eq(answer(ACK, 7200), 0);
	ck_assert_uint_eq(bound, 2);
	ck_assert_uint_eq(lost, 0);
}
END_TEST

START_TEST(rfc2131_3_3_an_endless_lease)
{
	get_bound(UINT32_MAX);
	ck_assert_uint_eq(dhcp_client_next_ns(&client), UINT64_MAX);
}
END_TEST

START_TEST(rfc2131_3_2_init_reboot)
{
	dhcp_client_start(&client, be32_of(ADDRESS), now);
	ck_assert_int_eq(*option(53), REQUEST);
	ck_assert_uint_eq(option_32(50), ADDRESS);
	ck_assert_ptr_null(option(54));
	ck_assert_int_eq(answer(ACK, 3600), 0);
	ck_assert_uint_eq(bound, 1);
	dhcp_client_start(&client, be32_of(ADDRESS), now);
	ck_assert_uint_eq(lost, 1);
	next();
	next(); /* nobody answers */
	ck_assert_int_eq(*option(53), DISCOVER);
}
END_TEST

START_TEST(rfc2131_3_1_5_nak_and_silence_begin_again)
{
	dhcp_client_start(&client, (be32){ 0 }, now);
	ck_assert_int_eq(answer(OFFER, 3600), 0);
	ck_assert_int_eq(answer(NAK, 0), 0);
	ck_assert_uint_eq(sent, 2); /* not at once */
	next();
	ck_assert_int_eq(*option(53), DISCOVER);
	ck_assert_int_eq(answer(OFFER, 3600), 0);
	for (uint32_t i = 1; i < DHCP_REQUEST_TRIES; i++) {
		next();
		ck_assert_int_eq(*option(53), REQUEST);
	}
	next();
	ck_assert_int_eq(*option(53), DISCOVER);
	get_bound(3600);
	next();
	ck_assert_int_eq(answer(NAK, 0), 0);
	ck_assert_uint_eq(lost, 1);
	ck_assert_ptr_null(dhcp_client_lease(&client));
}
END_TEST

START_TEST(rfc2131_4_4_6_decline_and_release)
{
	uint64_t before;

	get_bound(3600);
	before = now;
	dhcp_client_decline(&client, now);
	ck_assert_int_eq(*option(53), DECLINE);
	ck_assert_uint_eq(option_32(50), ADDRESS);
	ck_assert_uint_eq(option_32(54), SERVER);
	ck_assert_uint_eq(lost, 1);
	next();
	ck_assert_uint_eq(now - before, 10 * SECOND);
	ck_assert_int_eq(*option(53), DISCOVER);
	get_bound(3600);
	dhcp_client_stop(&client, now);
	ck_assert_int_eq(*option(53), RELEASE);
	ck_assert_uint_eq(get32(out + BOOT + 12), ADDRESS);
	ck_assert_mem_eq(out, server_mac, 6);
	ck_assert_uint_eq(lost, 2);
	ck_assert_uint_eq(dhcp_client_next_ns(&client), UINT64_MAX);
}
END_TEST

START_TEST(rfc3442_the_classless_default_route_counts)
{
	struct reply reply;
	static const uint8_t routes[] = { 8, 10, 10, 0, 0, 9, 0, 10, 0, 0, 7 };
	static const uint8_t cut[] = { 8, 10, 10, 0, 0, 9, 33, 10, 0, 0, 0, 7, 10, 0, 0, 7 };

	dhcp_client_start(&client, (be32){ 0 }, now);
	reply_common(&reply, OFFER, 3600);
	reply_add(&reply, 121, cut, sizeof(cut));
	reply_end(&reply);
	ck_assert_int_eq(give(&reply), -EINVAL);
	reply_common(&reply, OFFER, 3600);
	reply_add(&reply, 121, routes, 6); /* in two parts, RFC 3396 */
	reply_add(&reply, 121, routes + 6, 5);
	reply_end(&reply);
	ck_assert_int_eq(give(&reply), 0);
	ck_assert_uint_eq(be32_get(client.offer.gateway), 0x0a000007);
}
END_TEST

START_TEST(rfc2132_9_3_option_overload)
{
	struct reply reply;

	dhcp_client_start(&client, (be32){ 0 }, now);
	reply_begin(&reply, OFFER);
	reply_add(&reply, 52, "\3", 1);
	memcpy(reply.frame + BOOT + 108, "\x01\x04\xff\xff\0\0\xff", 7); /* file */
	memcpy(reply.frame + BOOT + 44, "\x33\x04\0\0\x0e\x10\xff", 7);	 /* sname */
	reply_end(&reply);
	ck_assert_int_eq(give(&reply), 0);
	ck_assert_uint_eq(client.offer.prefix, 16);
	ck_assert_uint_eq(client.offer.lease, 3600);
}
END_TEST

START_TEST(answers_to_others_are_ignored)
{
	static const uint32_t wrong[] = { 6, 42 + 4, 42 + 7, 42 + 28, 42 + 33, 42, 34, 37 };
	struct reply reply;

	dhcp_client_start(&client, (be32){ 0 }, now);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		reply_common(&reply, OFFER, 3600);
		reply_end(&reply);
		reply.frame[wrong[i]] ^= 1;
		ck_assert_int_ne(dhcp_client_input(&client, reply.frame, reply.bytes, true, now),
				 0);
	}
	ck_assert_int_eq(answer(ACK, 3600), -ENOENT); /* not before we asked */
	ck_assert_int_eq(client.state, DHCP_SELECTING);
	ck_assert_int_eq(answer(OFFER, 3600), 0);
	/* From another server than the one that we took. */
	reply_common(&reply, ACK, 3600);
	reply.frame[OPTIONS + 3 + 5] ^= 4;
	reply_end(&reply);
	ck_assert_int_eq(give(&reply), -ENOENT);
	/* Another address than what was offered. */
	reply_common(&reply, ACK, 3600);
	reply.frame[BOOT + 19] ^= 1;
	reply_end(&reply);
	ck_assert_int_eq(give(&reply), -ENOENT);
	ck_assert_uint_eq(bound, 0);
	ck_assert_int_eq(answer(ACK, 3600), 0);
}
END_TEST

START_TEST(nonsense_from_a_server_is_refused)
{
	static const struct {
		uint8_t code;
		uint8_t bytes;
		const char *data;
	} wrong[] = {
		{ 1, 4, "\xff\0\xff\0" }, { 1, 3, "\xff\xff\xff" }, { 3, 3, "\x0a\0\0" },
		{ 3, 4, "\xe0\0\0\1" },	  { 6, 5, "\x0a\0\0\5\0" }, { 51, 4, "\0\0\0\0" },
		{ 51, 2, "\1\1" },	  { 58, 1, "\1" },	    { 53, 1, "\2" },
		{ 52, 1, "\4" },	  { 54, 4, "\x0a\0\0\1" },
	};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		dhcp_client_start(&client, (be32){ 0 }, now);
		reply_begin(&reply, OFFER);
		reply_add(&reply, wrong[i].code, wrong[i].data, wrong[i].bytes);
		if (wrong[i].code != 51)
			reply_add_32(&reply, 51, 3600);
		reply_end(&reply);
		ck_assert_int_eq(give(&reply), -EINVAL);
	}
	/* Checksums: wrong ones are refused, a blank one that the wire vouches for is not. */
	reply_common(&reply, OFFER, 3600);
	reply_end(&reply);
	reply.frame[40] ^= 1;
	ck_assert_int_eq(give(&reply), -EINVAL);
	ck_assert_int_eq(dhcp_client_input(&client, reply.frame, reply.bytes, true, now), 0);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
	struct reply reply;

	dhcp_client_start(&client, (be32){ 0 }, now);
	reply_common(&reply, OFFER, 3600);
	reply_end(&reply);
	for (size_t whole = reply.bytes; reply.bytes > 1;) {
		ck_assert(reply.bytes == whole || give(&reply) != 0);
		reply.bytes--;
	}
	/* And with lengths that agree. */
	reply_common(&reply, OFFER, 3600);
	while (reply.bytes > OPTIONS) {
		struct reply cut = reply;

		reply_end(&cut);
		if (give(&cut) == 0)
			dhcp_client_start(&client, (be32){ 0 }, now);
		reply_begin(&cut, OFFER); /* its xid */
		memcpy(reply.frame + BOOT + 4, cut.frame + BOOT + 4, 4);
		reply.bytes--;
	}
}
END_TEST

START_TEST(mutations)
{
	uint32_t good = 0;

	get_bound(3600);
	for (uint32_t round = 0; round < 100000; round++) {
		uint8_t type = (uint8_t)(1 + random_below(&numbers, 7));
		struct reply reply;
		uint8_t *copy;

		reply_common(&reply, type, 60 + random_below(&numbers, 4000));
		for (uint32_t n = random_below(&numbers, 4); n; n--)
			reply.frame[BOOT + random_below(&numbers, 280)] =
				(uint8_t)random_u32(&numbers);
		reply_end(&reply);
		if (random_below(&numbers, 8) == 0)
			reply.bytes = 1 + random_below(&numbers, (uint32_t)reply.bytes);
		copy = malloc(reply.bytes);
		memcpy(copy, reply.frame, reply.bytes);
		good += dhcp_client_input(&client, copy, reply.bytes, true, now) == 0;
		free(copy);
		if (random_below(&numbers, 4) == 0 && dhcp_client_next_ns(&client) != UINT64_MAX)
			next();
		ck_assert(dhcp_client_next_ns(&client) > now);
	}
	ck_assert_uint_gt(good, 100);
	ck_assert_uint_lt(sent, 100000);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_checked_fixture(cases, setup, NULL);
	tcase_add_test(cases, rfc2131_3_1_discover_offer_request_ack);
	tcase_add_test(cases, rfc2131_4_1_back_off_with_jitter);
	tcase_add_test(cases, rfc2131_4_4_5_renewing_rebinding_expiry);
	tcase_add_test(cases, rfc2131_4_4_5_renewal_times_that_leave_no_time);
	tcase_add_test(cases, a_lease_that_may_be_older_than_it_seems);
	tcase_add_test(cases, rfc2131_4_4_5_a_renewed_lease_is_not_news_unless_it_differs);
	tcase_add_test(cases, rfc2131_3_3_an_endless_lease);
	tcase_add_test(cases, rfc2131_3_2_init_reboot);
	tcase_add_test(cases, rfc2131_3_1_5_nak_and_silence_begin_again);
	tcase_add_test(cases, rfc2131_4_4_6_decline_and_release);
	tcase_add_test(cases, rfc3442_the_classless_default_route_counts);
	tcase_add_test(cases, rfc2132_9_3_option_overload);
	tcase_add_test(cases, answers_to_others_are_ignored);
	tcase_add_test(cases, nonsense_from_a_server_is_refused);
	tcase_add_test(cases, truncated_at_every_byte);
	tcase_add_test(cases, mutations);
}

int main(void)
{
	return unit_main("net/dhcp_client", add_cases);
}
