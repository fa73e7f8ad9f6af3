/* SPDX-License-Identifier: ISC */
/* What the core makes of a loss: the window, what the peer is told, and what leaves next. */
#include "net/tcp_core_parts.h"
#include "tests/net/test_tcp.h"

#define PORT 1000

static struct lab *lab;
static struct tcp_connection *client, *server;
static uint8_t bytes[1 << 16];
static unsigned int to_lose; /* the n-th segment of data from the client; 0: none */

static bool lose_one(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	(void)l;
	return from || !segment->bytes || to_lose == 0 || --to_lose;
}

static void begin(void)
{
	lab = lab_begin(NULL);
	lab_pair(lab, PORT, &client, &server);
	lab_run(lab, 100 * LAB_MS);
	lab->filter = lose_one;
}

static void says(uint32_t count)
{
	ck_assert_int_eq(tcp_send(client, bytes, count, lab->now), (int)count);
}

START_TEST(rfc3168_6_1_2_a_loss_is_told_with_cwr)
{
	unsigned int with_cwr = 0;

	begin();
	ck_assert(client->flags & TCP_FLAG_ECN);
	to_lose = 2;
	says(12 * client->mss);
	lab_run(lab, LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.stats.retransmissions, 1);
	says(2 * client->mss);
	lab_run(lab, LAB_S);
	for (uint32_t i = 0; i + 1 < lab->host[0].sent; i++) {
		const struct lab_sent *sent = lab_last(lab, 0, i);

		if (!(sent->flags & TCP_CWR) || sent->flags & TCP_SYN)
			continue;
		with_cwr++;
		ck_assert_uint_gt(sent->bytes, 0);
		ck_assert_uint_eq(sent->ecn, TCP_ECN_ECT0); /* new data */
	}
	ck_assert_uint_eq(with_cwr, 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc3168_6_1_2_a_timeout_too)
{
	unsigned int with_cwr = 0;

	begin();
	lab->host[0].cut_off = true;
	says(client->mss);
	lab_run(lab, 2 * LAB_S);
	ck_assert_uint_gt(lab->host[0].stack.stats.timeouts, 0);
	lab->host[0].cut_off = false;
	lab_run(lab, 4 * LAB_S);
	says(client->mss);
	lab_run(lab, LAB_S);
	for (uint32_t i = 0; i < 4; i++)
		with_cwr += !!(lab_last(lab, 0, i)->flags & TCP_CWR);
	ck_assert_uint_eq(with_cwr, 1);
	lab_end(lab);
}
END_TEST

START_TEST(rfc9438_4_6_the_window_is_of_all_that_was_out)
{
	uint32_t flight;

	begin();
	flight = 10u * client->mss;
	to_lose = 1;
	says(flight); /* and there is no more, so that all but the first is SACKed at last */
	lab_run(lab, LAB_S);
	ck_assert_uint_eq(lab->host[0].stack.stats.timeouts, 0);
	ck_assert_uint_eq(client->snd_una, client->snd_nxt);
	ck_assert_uint_eq(client->flight->cubic.ssthresh, flight * 7 / 10);
	lab_end(lab);
}
END_TEST

static bool lose_before_a_timeout(struct lab *l, unsigned int from, struct tcp_segment *segment)
{
	return from || !segment->bytes || l->host[0].stack.stats.timeouts;
}

START_TEST(rfc5682_2_1_new_data_that_nagle_holds_is_none)
{
	begin();
	lab->filter = lose_before_a_timeout;
	says(4u * client->mss + 100);
	lab_run(lab, 5 * LAB_MS);
	says(50); /* held: the small one before it is under way */
	while (lab->host[0].stack.stats.timeouts == 0)
		lab_run(lab, LAB_MS);
	lab_run(lab, 20 * lab->delay);
	ck_assert_uint_eq(tcp_outstanding(client), 0);
	ck_assert_uint_eq(lab->host[0].stack.stats.timeouts, 1);
	lab_end(lab);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, rfc3168_6_1_2_a_loss_is_told_with_cwr);
	tcase_add_test(cases, rfc3168_6_1_2_a_timeout_too);
	tcase_add_test(cases, rfc9438_4_6_the_window_is_of_all_that_was_out);
	tcase_add_test(cases, rfc5682_2_1_new_data_that_nagle_holds_is_none);
}

int main(void)
{
	return unit_main("net/tcp_core_recovery", add_cases);
}
