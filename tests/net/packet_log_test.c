/* SPDX-License-Identifier: ISC */
/*
 * The packet log and the captures that are read from it, taken apart here by a reader of
 * its own. CAPTURE=FILE in the environment gets a capture for other readers.
 */
#include "net/packet_log.h"

#include <string.h>

#include "lib/iopage.h"
#include "net/judge.h"
#include "tests/host/unit.h"
#include "tests/net/test_frames.h"

#define SECOND 1000000000ull
#define WALL (1700000000ull * SECOND)
#define RECORDS 8u
#define BLOCKS 512u

static struct packet_log_record memory[RECORDS];
static struct packet_log packet_log;
static struct packet_log_reader reader;
static struct frame frame;
static struct packet packet;
static const uint8_t macs[2][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 } };

/* ---- a reader of pcapng ---- */

struct packet_block {
	char interface[64];
	char comment[512];
	uint64_t time_ns;
	uint32_t captured, length, flags;
	uint64_t action; /* of the verdict; UINT64_MAX: none */
	const uint8_t *bytes;
};

static uint8_t stream[1 << 20];
static size_t stream_bytes;
static struct packet_block blocks[BLOCKS];
static uint32_t block_count, sections;

static uint32_t word(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint16_t half(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The option's value and length in [at, end), NULL when it is not there. */
static const uint8_t *option(const uint8_t *at, const uint8_t *end, uint16_t code, uint16_t *length)
{
	while (at < end) {
		ck_assert_uint_ge((size_t)(end - at), 4);
		*length = half(at + 2);
		if (half(at) == 0) {
			ck_assert_uint_eq(*length, 0);
			ck_assert_ptr_eq(at + 4, end);
			return NULL;
		}
		if (half(at) == code)
			return at + 4;
		for (uint32_t i = *length; i % 4; i++)
			ck_assert_uint_eq(at[4 + i], 0);
		at += 4 + (*length + 3u) / 4 * 4;
	}
	ck_abort_msg("options without an end");
	return NULL;
}

static void text_option(const uint8_t *at, const uint8_t *end, uint16_t code, char *to)
{
	uint16_t length;
	const uint8_t *value = option(at, end, code, &length);

	ck_assert_ptr_nonnull(value);
	memcpy(to, value, length);
	to[length] = '\0';
}

static void read_packet(const uint8_t *at, const uint8_t *end, char names[][64], uint32_t count)
{
	struct packet_block *block = &blocks[block_count++];
	const uint8_t *options, *value;
	uint16_t length;

	ck_assert_uint_lt(block_count, BLOCKS);
	ck_assert_uint_lt(word(at), count);
	memcpy(block->interface, names[word(at)], 64);
	block->time_ns = (uint64_t)word(at + 4) << 32 | word(at + 8);
	block->captured = word(at + 12);
	block->length = word(at + 16);
	block->bytes = at + 20;
	options = at + 20 + (block->captured + 3) / 4 * 4;
	ck_assert(options <= end);
	text_option(options, end, 1, block->comment);
	value = option(options, end, 2, &length);
	ck_assert(value && length == 4);
	block->flags = word(value);
	value = option(options, end, 7, &length);
	block->action = UINT64_MAX;
	if (value) {
		ck_assert_uint_eq(length, 9);
		ck_assert_uint_eq(value[0], 1);
		memcpy(&block->action, value + 1, 8);
	}
}

static void read_interface(const uint8_t *at, const uint8_t *end, char *name)
{
	const uint8_t *value;
	uint16_t length;

	ck_assert_uint_eq(half(at), 1);
	ck_assert_uint_eq(word(at + 4), PACKET_LOG_SNAP);
	text_option(at + 8, end, 2, name);
	value = option(at + 8, end, 9, &length);
	ck_assert(value && length == 1 && *value == 9);
}

static void read_stream(void)
{
	static char names[256][64];
	uint32_t interfaces = 0;
	uint16_t length;

	block_count = sections = 0;
	for (size_t at = 0; at < stream_bytes;) {
		uint32_t bytes = word(stream + at + 4);
		const uint8_t *body = stream + at + 8, *end = stream + at + bytes - 4;

		ck_assert_uint_ge(bytes, 12);
		ck_assert_uint_eq(bytes % 4, 0);
		ck_assert_uint_le(bytes, stream_bytes - at);
		ck_assert_uint_eq(word(end), bytes);
		if (word(stream + at) == 0x0a0d0d0a) {
			ck_assert_uint_eq(word(body), 0x1a2b3c4d);
			ck_assert_uint_eq(half(body + 4), 1);
			ck_assert(word(body + 8) == UINT32_MAX && word(body + 12) == UINT32_MAX);
			ck_assert_ptr_nonnull(option(body + 16, end, 4, &length));
			interfaces = 0;
			sections++;
		} else if (word(stream + at) == 1) {
			ck_assert_uint_lt(interfaces, 256);
			read_interface(body, end, names[interfaces++]);
		} else {
			ck_assert_uint_eq(word(stream + at), 6);
			read_packet(body, end, names, interfaces);
		}
		ck_assert_uint_gt(sections, 0);
		at += bytes;
	}
}

/* All that the reader still gives, in pieces of `piece` bytes. */
static void take_rest(size_t piece)
{
	size_t got;

	while ((got = packet_log_read(&reader, stream + stream_bytes, piece)) > 0) {
		stream_bytes += got;
		ck_assert_uint_lt(stream_bytes + piece, sizeof(stream));
	}
	ck_assert_uint_eq(packet_log_read(&reader, stream, piece), 0);
	read_stream();
}

static void take(size_t piece)
{
	stream_bytes = 0;
	packet_log_open(&reader, &packet_log, WALL);
	take_rest(piece);
}

/* ---- what is logged ---- */

static void make_log(uint32_t per_second, uint32_t burst)
{
	packet_log_init(&packet_log, memory, sizeof(memory) + 100, per_second, burst, 0);
	ck_assert_uint_eq(packet_log.capacity, RECORDS);
}

static void set_packet(uint32_t head)
{
	packet = (struct packet){ .data = frame.bytes,
				  .length = frame.length,
				  .head_length =
					  (uint16_t)(head < frame.length ? head : frame.length) };
}

static void make_ip4(uint32_t payload)
{
	const struct ends ends = { macs[0], macs[1], IP(10, 137, 0, 10), IP(192, 0, 2, 80) };

	frame_udp(&frame, &ends, 4000, 9, payload);
	set_packet(FRAME_MAX);
}

static void make_ip6(void)
{
	uint8_t *ip = frame.bytes + 14, *udp = ip + 40;

	memset(&frame, 0, sizeof(frame));
	memcpy(frame.bytes, macs[1], 6);
	memcpy(frame.bytes + 6, macs[0], 6);
	put16(frame.bytes + 12, 0x86dd);
	put32(ip, 0x60000000);
	put16(ip + 4, 16);
	ip[6] = 17;
	ip[7] = 64;
	put32(ip + 8, 0x20010db8);
	ip[23] = 1;
	put32(ip + 24, 0x20010db8);
	ip[39] = 2;
	put16(udp, 4000);
	put16(udp + 2, 9);
	put16(udp + 4, 16);
	put16(udp + 6, (uint16_t)~naive_sum(ip + 8, 48, 16 + 17));
	frame.length = 14 + 40 + 16;
	set_packet(FRAME_MAX);
}

static void add(const char *interface, uint32_t line, const char *label, enum rules_action action,
		enum drop_reason reason, uint64_t now_ns)
{
	struct packet_log_entry entry = { .packet = &packet,
					  .interface = interface,
					  .direction = action == RULES_PASS ? RULES_OUT : RULES_IN,
					  .action = action,
					  .reason = reason,
					  .line = line,
					  .label = label };

	packet_log_add(&packet_log, &entry, now_ns);
}

START_TEST(an_empty_log_is_a_capture_without_packets)
{
	make_log(10, 10);
	take(7);
	ck_assert_uint_eq(sections, 1);
	ck_assert_uint_eq(block_count, 0);
}
END_TEST

static void keep_capture(void)
{
	const char *name = getenv("CAPTURE");
	FILE *to = name ? fopen(name, "wb") : NULL;

	if (!to)
		return;
	ck_assert_uint_eq(fwrite(stream, 1, stream_bytes, to), stream_bytes);
	fclose(to);
}

START_TEST(both_versions)
{
	make_log(10, 10);
	make_ip4(20);
	add("uplink0", 12, "the web", RULES_PASS, DROP_REASON_COUNT, 5);
	make_ip6();
	add("client3.0", 3, "", RULES_BLOCK_RETURN, DROP_BLOCKED, 2 * SECOND);
	make_ip4(0);
	add("client3.0", 0, "", RULES_BLOCK_DROP, DROP_SPOOFED, 3 * SECOND);
	take(1);
	ck_assert_uint_eq(block_count, 3);
	ck_assert_str_eq(blocks[0].comment, "line 12 \"the web\": pass");
	ck_assert_str_eq(blocks[1].comment, "line 3: block return (blocked: a rule said block)");
	ck_assert_str_eq(blocks[2].comment,
			 "drop (spoofed: the source address is not the client's)");
	ck_assert_str_eq(blocks[0].interface, "uplink0");
	ck_assert_str_eq(blocks[1].interface, "client3.0");
	ck_assert_str_eq(blocks[2].interface, "client3.0");
	ck_assert_uint_eq(blocks[0].time_ns, WALL + 5);
	ck_assert_uint_eq(blocks[1].time_ns, WALL + 2 * SECOND);
	ck_assert_uint_eq(blocks[0].flags, 2);
	ck_assert_uint_eq(blocks[1].flags, 1);
	ck_assert_uint_eq(blocks[0].action, 0);
	ck_assert_uint_eq(blocks[1].action, 2);
	ck_assert_uint_eq(blocks[1].length, 70);
	ck_assert_uint_eq(blocks[1].captured, 70);
	ck_assert_mem_eq(blocks[2].bytes, frame.bytes, frame.length);
	keep_capture();
}
END_TEST

/* Only the head is private memory, and of it only the first bytes are kept. */
START_TEST(long_packets)
{
	make_log(10, 10);
	make_ip4(9000);
	add("uplink0", 1, "", RULES_PASS, DROP_REASON_COUNT, 0);
	set_packet(90);
	add("uplink0", 1, "", RULES_PASS, DROP_REASON_COUNT, 0);
	set_packet(61);
	add("uplink0", 1, "", RULES_PASS, DROP_REASON_COUNT, 0);
	take(4096);
	ck_assert_uint_eq(block_count, 3);
	ck_assert_uint_eq(blocks[0].captured, PACKET_LOG_SNAP);
	ck_assert_uint_eq(blocks[1].captured, 90);
	ck_assert_uint_eq(blocks[2].captured, 61);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(blocks[i].length, 9042);
		ck_assert_mem_eq(blocks[i].bytes, frame.bytes, blocks[i].captured);
	}
}
END_TEST

START_TEST(the_newest_stay)
{
	make_log(1000, 1000);
	make_ip4(0);
	for (uint32_t i = 1; i <= 100; i++)
		add("uplink0", i, "", RULES_PASS, DROP_REASON_COUNT, i);
	take(50);
	ck_assert_uint_eq(block_count, RECORDS);
	for (uint32_t i = 0; i < RECORDS; i++)
		ck_assert_uint_eq(blocks[i].time_ns, WALL + 101 - RECORDS + i);
	ck_assert_uint_eq(reader.lost, 0);
}
END_TEST

START_TEST(rationed)
{
	make_log(2, 3);
	make_ip4(0);
	for (uint32_t i = 1; i <= 50; i++)
		add("uplink0", i, "", RULES_BLOCK_DROP, DROP_BLOCKED, 0);
	add("uplink0", 51, "", RULES_BLOCK_DROP, DROP_BLOCKED, SECOND);
	add("uplink0", 52, "", RULES_BLOCK_DROP, DROP_BLOCKED, SECOND);
	add("uplink0", 53, "", RULES_BLOCK_DROP, DROP_BLOCKED, SECOND);
	take(50);
	ck_assert_uint_eq(packet_log.left_out, 48);
	ck_assert_uint_eq(block_count, 5);
	ck_assert_str_eq(blocks[2].comment, "line 3: block (blocked: a rule said block)");
	ck_assert_str_eq(blocks[3].comment,
			 "line 51: block (blocked: a rule said block); 47 were left out before");
	ck_assert_str_eq(blocks[4].comment, "line 52: block (blocked: a rule said block)");
}
END_TEST

/* What is read stays a whole stream whatever is added meanwhile. */
START_TEST(overwritten_while_read)
{
	make_log(100000, 100000);
	make_ip4(0);
	for (uint32_t i = 0; i < 100; i++)
		add("uplink0", 1, "", RULES_PASS, DROP_REASON_COUNT, i);
	packet_log_open(&reader, &packet_log, 0);
	stream_bytes = packet_log_read(&reader, stream, 150);
	ck_assert_uint_eq(stream_bytes, 150);
	for (uint32_t i = 100; i < 105; i++)
		add("client1.0", 2, "", RULES_PASS, DROP_REASON_COUNT, i);
	take_rest(13);
	ck_assert_uint_eq(block_count + reader.lost, RECORDS);
	ck_assert_uint_gt(reader.lost, 0);
	for (uint32_t i = 0; i < block_count; i++)
		ck_assert_str_eq(blocks[i].interface, "uplink0");
	ck_assert_uint_eq(blocks[block_count - 1].time_ns, 99);

	packet_log_open(&reader, &packet_log, 0);
	for (uint32_t i = 105; i < 200; i++)
		add("client1.0", 2, "", RULES_PASS, DROP_REASON_COUNT, i);
	stream_bytes = 0;
	take_rest(13);
	ck_assert_uint_eq(block_count, 0);
	ck_assert_uint_eq(reader.lost, RECORDS);
}
END_TEST

START_TEST(more_interfaces_than_a_section_has)
{
	static struct packet_log_record many[100];
	char name[NETDEV_NAME_BYTES];

	packet_log_init(&packet_log, many, sizeof(many), 1000, 1000, 0);
	make_ip4(0);
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "client%u.0", i % 50);
		add(name, 1, "", RULES_PASS, DROP_REASON_COUNT, i);
	}
	take(1000);
	ck_assert_uint_eq(block_count, 100);
	ck_assert_uint_eq(sections, 4);
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "client%u.0", i % 50);
		ck_assert_str_eq(blocks[i].interface, name);
	}
}
END_TEST

START_TEST(the_longest_comment_fits)
{
	char label[RULES_LABEL_BYTES];

	make_log(1, 1);
	make_ip4(1000);
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
		packet_log.left_out_unsaid = UINT64_MAX;
		packet_log.bucket.tokens = 1;
		add("client65535.65535", UINT32_MAX, label, RULES_BLOCK_RETURN,
		    (enum drop_reason)reason, 0);
		take(1000);
		ck_assert_str_eq(strrchr(blocks[block_count - 1].comment, ' '), " before");
	}
}
END_TEST

/* ---- rules ---- */

static char said[256];

static void sink(const char *line, size_t length)
{
	memcpy(said, line, length);
	said[length] = '\0';
}

static struct rules_verdict ask(const char *text, const struct packet_info *info)
{
	struct log_limit limit = LOG_LIMIT_INIT;
	const struct judge_log log = { &limit, &packet_log, 77 };
	struct rules_query query = judge_query(info, RULES_IN, "client1.0", "clients");
	struct rules_verdict verdict;
	struct rules_error error;
	struct ruleset *rules;

	said[0] = '\0';
	log_init(sink, NULL);
	if (ruleset_parse(text, strlen(text), &rules, &error))
		ck_abort_msg("%s", error.message);
	verdict = judge_ask(rules, &query, &packet, &log);
	ruleset_free(rules);
	return verdict;
}

START_TEST(rules_log_both_versions)
{
	struct packet_info info = { .key = { .source = be32_of(IP(10, 137, 0, 10)),
					     .destination = be32_of(IP(192, 0, 2, 80)),
					     .source_port = be16_of(4000),
					     .destination_port = be16_of(53),
					     .protocol = 17,
					     .version = 4 } };

	make_log(10, 10);
	make_ip4(3);
	ck_assert_int_eq(ask("pass in\n", &info).action, RULES_PASS);
	ck_assert_uint_eq(packet_log.written, 0);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(ask("\npass in log label \"names\"\n", &info).action, RULES_PASS);
	ck_assert_ptr_nonnull(strstr(said, "line 2 \"names\": pass in on client1.0 proto 17 "
					   "10.137.0.10:4000 > 192.0.2.80:53\n"));
	make_ip6();
	info.key.version = 6;
	memcpy(info.ip6.source.bytes, frame.bytes + 22, 16);
	memcpy(info.ip6.destination.bytes, frame.bytes + 38, 16);
	ck_assert_int_eq(ask("block in log\npass in inet6 to 2001:db8::3\n", &info).action,
			 RULES_BLOCK_DROP);
	ck_assert_ptr_nonnull(strstr(said, "line 1: block in on client1.0 proto 17 "
					   "[2001:db8::1]:4000 > [2001:db8::2]:53\n"));
	info.key.protocol = 58;
	ck_assert_int_eq(ask("pass in log inet6 to 2001:db8::2\n", &info).action, RULES_PASS);
	ck_assert_ptr_nonnull(strstr(said, " proto 58 2001:db8::1 > 2001:db8::2\n"));
	/* No rule decides. */
	ck_assert_int_eq(ask("match in log\n", &info).action, RULES_BLOCK_DROP);
	ck_assert_ptr_nonnull(strstr(said, "line 0: block in on client1.0 proto 58 "));
	take(100);
	ck_assert_uint_eq(block_count, 4);
	ck_assert_str_eq(blocks[3].comment, "drop (blocked: a rule said block)");
	ck_assert_str_eq(blocks[0].comment, "line 2 \"names\": pass");
	ck_assert_uint_eq(blocks[0].time_ns, WALL + 77);
	ck_assert_str_eq(blocks[1].comment, "line 1: block (blocked: a rule said block)");
	ck_assert_mem_eq(blocks[1].bytes, frame.bytes, frame.length);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, an_empty_log_is_a_capture_without_packets);
	tcase_add_test(cases, both_versions);
	tcase_add_test(cases, long_packets);
	tcase_add_test(cases, the_newest_stay);
	tcase_add_test(cases, rationed);
	tcase_add_test(cases, overwritten_while_read);
	tcase_add_test(cases, more_interfaces_than_a_section_has);
	tcase_add_test(cases, the_longest_comment_fits);
	tcase_add_test(cases, rules_log_both_versions);
}

int main(void)
{
	return unit_main("net/packet_log", add_cases);
}
