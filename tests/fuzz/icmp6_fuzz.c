/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on what neighbours say in IPv6: any frame is parsed, as is what an error in it
 * quotes, and given to whoever listens; then advertisements that are right up to where the
 * script begins. What is believed of them must be something that a host can use.
 */
#include "lib/checksum.h"
#include "net/martian6.h"
#include "net/parse6.h"
#include "net/slaac.h"
#include "tests/fuzz/script.h"

#define FRAME_BYTES 1514u
#define HEAD 54u
#define STEPS 100u
#define SECOND 1000000000ull
#define INTERFACE 7u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slaac slaac;
static uint64_t now_ns;
static uint32_t sent, told;

/* ---- any packet ---- */

static void assert_parsed(const struct packet *packet, const struct packet_info *info,
			  uint32_t length)
{
	fuzz_assert(packet->length <= length && packet->head_length <= packet->length);
	fuzz_assert(packet->l3_offset == 14);
	fuzz_assert(packet->l4_offset >= HEAD && packet->l4_offset <= packet->head_length);
	fuzz_assert(info->key.version == 6 && info->key.interface == INTERFACE);
	fuzz_assert(info->ip_length == packet->length - 14);
	fuzz_assert(info->transport_length == packet->length - packet->l4_offset);
	fuzz_assert(14u + info->header_length + info->payload_length == packet->length);
	fuzz_assert(14u + info->header_length <= packet->head_length);
	fuzz_assert(memcmp(&info->ip6, packet->data + 22, 32) == 0);
	fuzz_assert(info->kind <= PACKET_ICMP_OTHER);
}

static void assert_quoted(const struct packet *packet, const struct quoted_packet *quoted)
{
	fuzz_assert(quoted->ip_offset == packet->l4_offset + 8);
	fuzz_assert(quoted->transport_offset >= quoted->ip_offset + 40);
	fuzz_assert(quoted->transport_offset + 8u <= packet->head_length);
	fuzz_assert(quoted->answer.key.version == 6 && quoted->answer.key.interface == INTERFACE);
	/* Answers come from where it was sent to. */
	fuzz_assert(memcmp(&quoted->answer.ip6.source, packet->data + quoted->ip_offset + 24, 16) ==
		    0);
	fuzz_assert(memcmp(&quoted->answer.ip6.destination, packet->data + quoted->ip_offset + 8,
			   16) == 0);
}

/*
 * A frame of which `head` bytes can be read, in memory of just that size. What listens to
 * neighbours (slaac, and who answers solicitations) gets the same bytes.
 */
static void frame_give(const uint8_t *bytes, uint32_t head, uint32_t length, bool vouched,
		       uint8_t flags, uint16_t segment)
{
	uint8_t *data = malloc(head ? head : 1);
	struct packet packet = { .data = data,
				 .length = length,
				 .head_length = (uint16_t)head,
				 .flags = flags,
				 .gso_type = segment ? PACKET_GSO_TCPV6 : PACKET_GSO_NONE,
				 .gso_size = segment };
	struct packet_info info;
	struct quoted_packet quoted;
	enum drop_reason reason = DROP_REASON_COUNT;

	memcpy(data, bytes, head);
	(void)!slaac_input(&slaac, data, head, vouched, now_ns);
	if (!parse_ip6(&packet, INTERFACE, &info, &reason)) {
		fuzz_assert(reason < DROP_REASON_COUNT);
	} else {
		assert_parsed(&packet, &info, length);
		if (info.kind == PACKET_ICMP_ERROR && parse6_quoted(&packet, &info, &quoted))
			assert_quoted(&packet, &quoted);
	}
	free(data);
}

static size_t checksum_write(uint8_t *frame, size_t bytes)
{
	be16 length = be16_of((uint16_t)(bytes - HEAD)), sum = { 0 };

	memcpy(frame + 18, &length, 2);
	memcpy(frame + 56, &sum, 2);
	sum = checksum_finish(checksum_add(
		checksum_pseudo_ip6(frame + 22, frame + 38, 58, (uint16_t)(bytes - HEAD)),
		frame + HEAD, bytes - HEAD));
	memcpy(frame + 56, &sum, 2);
	return bytes;
}

/* A header chain as the script has it, each header with an honest length or not. */
static void chain(struct script *script)
{
	static const uint8_t types[] = { 0, 43, 44, 51, 60, 135, 139, 140, 6, 17, 58, 59, 50, 47 };
	uint8_t frame[FRAME_BYTES] = { [12] = 0x86, [13] = 0xdd, [14] = 0x60, [21] = 255 };
	uint32_t at = HEAD, next_at = 20, head;
	uint8_t how = script_u8(script);
	uint16_t length;

	memset(frame + 22, 0xfd, 32);
	for (uint32_t i = 0; i < (how & 15u) && at + 128 < FRAME_BYTES; i++) {
		uint8_t type = script_u8(script), size = 8 * (1 + type / 16 % 8);

		frame[next_at] = type & 0x80 ? types[type % 14] : types[type % 5];
		next_at = at;
		(void)script_bytes(script, frame + at, size);
		frame[at + 1] = frame[at + 1] & 0x80 ? frame[at + 1] : (uint8_t)(size / 8 - 1);
		at += size;
	}
	frame[next_at] = types[script_u8(script) % 14];
	at += (uint32_t)script_bytes(script, frame + at, script_u8(script) % 120u);
	length = how & 16 ? script_u16(script) : (uint16_t)(at - HEAD);
	frame[18] = (uint8_t)(length >> 8);
	frame[19] = (uint8_t)length;
	head = how & 32 ? script_u16(script) % (at + 1) : at;
	frame_give(frame, head, at, true, how & 64 ? PACKET_CSUM_BLANK : 0,
		   how & 128 ? script_u16(script) : 0);
}

/* An error that quotes a packet of the script's. */
static void error(struct script *script)
{
	uint8_t frame[FRAME_BYTES] = {
		[12] = 0x86, [13] = 0xdd, [14] = 0x60, [20] = 58, [21] = 64
	};
	uint32_t at = HEAD + 8;
	uint8_t how = script_u8(script);

	memset(frame + 22, 0xfd, 32);
	frame[HEAD] = (uint8_t)(1 + how % 4);
	frame[at] = 0x60;
	frame[at + 6] = how & 4 ? 44 : how & 8 ? 60 : 17;
	frame[at + 7] = 3;
	memset(frame + at + 8, 0xfc, 32);
	at += 40;
	at += (uint32_t)script_bytes(script, frame + at, how % 80u);
	if (how & 0x80)
		frame[script_u16(script) % at] = script_u8(script);
	(void)checksum_write(frame, at);
	frame_give(frame, at, at, true, 0, 0);
}

/* ---- advertisements ---- */

static void on_send(void *context, const uint8_t *frame, size_t bytes)
{
	struct packet packet = { .length = (uint32_t)bytes, .head_length = (uint16_t)bytes };
	struct packet_info info;
	enum drop_reason reason;
	uint8_t copy[SLAAC_FRAME_BYTES];

	(void)context;
	fuzz_assert(bytes == SLAAC_FRAME_BYTES);
	memcpy(copy, frame, bytes);
	packet.data = copy;
	fuzz_assert(parse_ip6(&packet, INTERFACE, &info, &reason));
	fuzz_assert(info.icmp_type == 133);
	sent++;
}

static void on_changed(void *context)
{
	(void)context;
	told++;
}

static void assert_prefix(const struct slaac_prefix *prefix)
{
	struct ip6_address address;

	if (!prefix->valid_ns)
		return;
	memcpy(address.bytes, prefix->address, 16);
	fuzz_assert(!ip6_address_is_multicast(&address) && !ip6_address_is_link_local(&address));
	fuzz_assert(memcmp(prefix->address + 8, slaac.config.interface_id, 8) == 0);
	fuzz_assert(prefix->preferred_ns <= prefix->valid_ns);
}

static void assert_slaac(void)
{
	fuzz_assert(slaac.mtu == 0 || (slaac.mtu >= 1280 && slaac.mtu <= 9216));
	if (slaac.router_ns)
		fuzz_assert(slaac.router[0] == 0xfe && !mac_is_group(slaac.router_mac));
	for (uint32_t i = 0; i < SLAAC_PREFIXES; i++) {
		assert_prefix(&slaac.prefixes[i]);
		for (uint32_t k = 0; k < i; k++)
			fuzz_assert(
				!slaac.prefixes[i].valid_ns || !slaac.prefixes[k].valid_ns ||
				memcmp(slaac.prefixes[i].address, slaac.prefixes[k].address, 8));
	}
	for (uint32_t i = 0; i < SLAAC_DNS_SERVERS; i++)
		fuzz_assert(!slaac.dns[i].until_ns || slaac.dns[i].address[0] != 0xff);
}

static void advertisement(struct script *script)
{
	static const uint8_t lengths[] = { 1, 4, 1, 3, 2, 5 }, codes[] = { 1, 3, 5, 25, 24, 31 };
	uint8_t frame[FRAME_BYTES] = { 0x33,	    0x33,      0,	  0,	       0,
				       1,	    2,	       [11] = 2,  [12] = 0x86, [13] = 0xdd,
				       [14] = 0x60, [20] = 58, [21] = 255 };
	uint8_t how = script_u8(script);
	uint32_t at = HEAD + 16;

	memcpy(frame + 22, "\xfe\x80", 2);
	frame[37] = how & 1 ? script_u8(script) : 2;
	memcpy(frame + 38, "\xff\2", 2);
	frame[53] = 1;
	frame[HEAD] = 134;
	(void)script_bytes(script, frame + HEAD + 4, 4); /* hop limit, flags, lifetime */
	for (uint32_t i = how >> 1 & 7; i; i--) {
		uint8_t which = script_u8(script), size = 8 * lengths[which % 6];

		(void)script_bytes(script, frame + at, size);
		frame[at] = codes[which % 6];
		frame[at + 1] = which & 0x80 ? frame[at + 1] : lengths[which % 6];
		if (which % 6 == 1 && !(which & 0x40)) { /* a good prefix, mostly */
			memcpy(frame + at + 2, "\x40\x40", 2);
			memcpy(frame + at + 16, "\x20\1\x0d\xb8\0\0", 6);
		}
		at += size;
	}
	(void)checksum_write(frame, at);
	if (how & 0x10)
		frame[script_u16(script) % at] = script_u8(script);
	frame_give(frame, at, at, how & 0x20, 0, 0);
}

static void advance(struct script *script)
{
	uint64_t next_ns = slaac_next_ns(&slaac);
	uint8_t how = script_u8(script);
	uint32_t before = sent;

	if (now_ns > SCRIPT_LAST_NS)
		return;
	if (how & 128 && next_ns != UINT64_MAX)
		now_ns = next_ns > now_ns ? next_ns : now_ns;
	else
		now_ns += ((uint64_t)how << (how & 15)) * SECOND / 8;
	slaac_run(&slaac, now_ns);
	fuzz_assert(sent - before <= 1);
	fuzz_assert(slaac_next_ns(&slaac) > now_ns);
}

static void operate(struct script *script)
{
	uint8_t bytes[256], count;

	switch (script_u8(script) % 8) {
	case 0:
		count = script_u8(script);
		count = (uint8_t)script_bytes(script, bytes, count);
		frame_give(bytes, count, count, true, 0, 0);
		break;
	case 1:
	case 2:
		chain(script);
		break;
	case 3:
		error(script);
		break;
	case 4:
		advance(script);
		break;
	case 5:
		slaac_start(&slaac, now_ns);
		break;
	default:
		advertisement(script);
	}
	assert_slaac();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 9 };
	struct script script = { data, size };
	struct random numbers;
	struct slaac_config config = { .mac = { 2, 0, 0, 0, 0, 1 },
				       .interface_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
				       .random = &numbers,
				       .send = on_send,
				       .changed = on_changed };
	uint32_t whole = size < FRAME_BYTES ? (uint32_t)size : FRAME_BYTES;

	random_init(&numbers, seed);
	now_ns = SECOND;
	sent = told = 0;
	slaac_init(&slaac, &config);
	slaac_start(&slaac, now_ns);
	if (size)
		frame_give(data, whole, whole, false, 0, 0);
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++)
		operate(&script);
	return 0;
}
