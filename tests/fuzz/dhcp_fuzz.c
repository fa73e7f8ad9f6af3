/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on the DHCP client: a server that says anything, at any time, in messages that
 * are right up to where the script begins, and in raw frames. Whatever the client takes for
 * a lease must be one that a host can use, and all that it sends must be well-formed.
 */
#include "net/dhcp_client.h"

#include "lib/checksum.h"
#include "net/parse.h"
#include "tests/fuzz/script.h"

#define FRAME_BYTES 1514u
#define HEAD_BYTES 42u
#define BOOT_BYTES 240u
#define STEPS 200u
#define SECOND 1000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t server_mac[MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };
static struct dhcp_client client;
static uint64_t now_ns;
static uint8_t sent[DHCP_FRAME_BYTES];
static uint32_t sent_count;
static bool has_lease; /* as `changed` has told */

static uint16_t sum16(const uint8_t *at, size_t bytes, uint32_t sum)
{
	for (size_t i = 0; i < bytes; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void on_send(void *context, const uint8_t *frame, size_t bytes)
{
	uint16_t udp_bytes = (uint16_t)(bytes - 34);

	(void)context;
	fuzz_assert(bytes == DHCP_FRAME_BYTES);
	fuzz_assert(memcmp(frame + 6, mac, MAC_BYTES) == 0);
	fuzz_assert(sum16(frame + 14, 20, 0) == 0xffff);
	fuzz_assert(sum16(frame + 26, 8 + udp_bytes, 17u + udp_bytes) == 0xffff);
	fuzz_assert(memcmp(frame + HEAD_BYTES + 236, "\x63\x82\x53\x63\x35\x01", 6) == 0);
	memcpy(sent, frame, bytes);
	sent_count++;
}

static void assert_lease(const struct dhcp_lease *lease)
{
	fuzz_assert(!address_is_martian(lease->address) && be32_get(lease->address) >> 24 != 0);
	fuzz_assert(lease->gateway.raw == 0 || !address_is_martian(lease->gateway));
	fuzz_assert(lease->prefix >= 1 && lease->prefix <= 32);
	fuzz_assert(lease->dns_count <= DHCP_DNS_SERVERS);
	for (uint32_t i = 0; i < lease->dns_count; i++)
		fuzz_assert(!address_is_martian(lease->dns[i]));
	fuzz_assert(lease->mtu == 0 || lease->mtu >= DHCP_MTU_MIN);
	fuzz_assert(lease->lease >= DHCP_LEASE_MIN_S);
	fuzz_assert(lease->renew > 0 && lease->renew < lease->rebind &&
		    lease->rebind < lease->lease);
}

static void on_changed(void *context, const struct dhcp_lease *lease)
{
	(void)context;
	has_lease = lease != NULL;
	if (lease)
		assert_lease(lease);
}

static void checksums_write(uint8_t *frame, size_t bytes)
{
	uint16_t udp_bytes = (uint16_t)(bytes - 34);
	be16 sum = be16_of((uint16_t)~sum16(frame + 14, 20, 0));

	memcpy(frame + 24, &sum, 2);
	sum = be16_of((uint16_t)~sum16(frame + 26, 8 + udp_bytes, 17u + udp_bytes));
	if (sum.raw == 0)
		sum.raw = 0xffff;
	memcpy(frame + 40, &sum, 2);
}

/* Options as the script lists them: right ones by number, or its own bytes. */
static size_t options_write(struct script *script, uint8_t *to, size_t room)
{
	static const struct {
		uint8_t bytes[7];
	} common[] = { { { 53, 1, 2 } },
		       { { 53, 1, 5 } },
		       { { 53, 1, 6 } },
		       { { 54, 4, 10, 0, 0, 1 } },
		       { { 1, 4, 255, 255, 255, 0 } },
		       { { 3, 4, 10, 0, 0, 1 } },
		       { { 6, 4, 10, 0, 0, 5 } },
		       { { 51, 4, 0, 0, 1, 44 } },
		       { { 51, 4, 255, 255, 255, 255 } },
		       { { 58, 4, 0, 0, 0, 100 } },
		       { { 59, 4, 0, 0, 0, 200 } },
		       { { 26, 2, 5, 120 } },
		       { { 52, 1, 3 } },
		       { { 121, 5, 0, 10, 0, 0, 1 } } };
	size_t used = 0;
	uint8_t which;

	while ((which = script_u8(script)) != 0 && used + 260 < room) {
		if (which <= ARRAY_SIZE(common)) {
			size_t bytes = 2u + common[which - 1].bytes[1];

			memcpy(to + used, common[which - 1].bytes, bytes);
			used += bytes;
		} else {
			to[used++] = script_u8(script);
			to[used++] = which & 63;
			used += script_bytes(script, to + used, which & 63);
		}
	}
	to[used++] = 255;
	return used;
}

static size_t reply_write(struct script *script, uint8_t *frame, uint8_t how)
{
	static const uint8_t ip[] = { 0x45, 0, 0,  0, 0, 0, 0,	0, 64, 17,
				      0,    0, 10, 0, 0, 1, 10, 0, 0,  50 };
	uint8_t *boot = frame + HEAD_BYTES;
	size_t bytes;
	be16 length;

	memset(frame, 0, FRAME_BYTES);
	memcpy(frame, mac, 6);
	memcpy(frame + 6, server_mac, 6);
	frame[12] = 8;
	memcpy(frame + 14, ip, sizeof(ip));
	frame[35] = 67;
	frame[37] = 68;
	boot[0] = 2;
	boot[1] = 1;
	boot[2] = 6;
	memcpy(boot + 4, sent + HEAD_BYTES + 4, 4);
	memcpy(boot + 16, "\x0a\0\0\x32", 4);
	if (how & 1)
		script_bytes(script, boot + 16, 4);
	memcpy(boot + 28, mac, 6);
	if (how & 2) /* sname and file, for overloaded options */
		script_bytes(script, boot + 44, 1 + script_u8(script) % 192u);
	memcpy(boot + 236, "\x63\x82\x53\x63", 4);
	bytes = HEAD_BYTES + BOOT_BYTES;
	bytes += options_write(script, frame + bytes, FRAME_BYTES - bytes);
	length = be16_of((uint16_t)(bytes - 14));
	memcpy(frame + 16, &length, 2);
	length = be16_of((uint16_t)(bytes - 34));
	memcpy(frame + 38, &length, 2);
	if (how & 4) /* one byte of it, anywhere */
		frame[script_u16(script) % bytes] = script_u8(script);
	if (!(how & 8))
		checksums_write(frame, bytes);
	return how & 16 ? script_u16(script) % (bytes + 1) : bytes;
}

static void input(struct script *script, uint8_t step)
{
	uint8_t frame[FRAME_BYTES];
	uint8_t how = script_u8(script);
	size_t bytes =
		step == 7 ? script_bytes(script, frame, how) : reply_write(script, frame, how);
	uint8_t *copy = malloc(bytes ? bytes : 1); /* its end is guarded */

	memcpy(copy, frame, bytes);
	(void)!dhcp_client_input(&client, copy, bytes, how & 32, now_ns);
	free(copy);
}

static void advance(struct script *script)
{
	uint64_t next_ns = dhcp_client_next_ns(&client);
	uint8_t how = script_u8(script);
	uint32_t before = sent_count;

	if (now_ns > SCRIPT_LAST_NS)
		return;
	if (how & 128 && next_ns != UINT64_MAX && next_ns > now_ns)
		now_ns = next_ns;
	else
		now_ns += (uint64_t)how * SECOND / 8;
	dhcp_client_run(&client, now_ns);
	/* One thing is due at a time, and nothing at once again. */
	fuzz_assert(sent_count - before <= 1);
	fuzz_assert(dhcp_client_next_ns(&client) > now_ns);
}

static void operate(struct script *script)
{
	uint8_t step = script_u8(script) % 16;

	switch (step) {
	case 0:
		dhcp_client_start(
			&client, script_u8(script) & 1 ? be32_of(0x0a000032) : (be32){ 0 }, now_ns);
		break;
	case 1:
		dhcp_client_stop(&client, now_ns);
		break;
	case 2:
		dhcp_client_decline(&client, now_ns);
		break;
	case 3:
	case 4:
	case 5:
		advance(script);
		break;
	default:
		input(script, step);
	}
	fuzz_assert(client.state <= DHCP_PAUSED);
	fuzz_assert((dhcp_client_lease(&client) != NULL) == has_lease);
	if (has_lease)
		assert_lease(dhcp_client_lease(&client));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[RANDOM_SEED_BYTES] = { 3 };
	struct script script = { data, size };
	struct random numbers;
	struct dhcp_config config = { .random = &numbers, .output = { on_send, on_changed, NULL } };

	random_init(&numbers, seed);
	memcpy(config.mac, mac, sizeof(mac));
	memset(sent, 0, sizeof(sent));
	now_ns = 5 * SECOND;
	sent_count = 0;
	has_lease = false;
	dhcp_client_init(&client, &config);
	dhcp_client_start(&client, (be32){ 0 }, now_ns);
	for (uint32_t i = 0; i < STEPS && !script_is_over(&script); i++)
		operate(&script);
	return 0;
}
