/* SPDX-License-Identifier: ISC */
#include "configs/iperf/options.h"

#include <errno.h>
#include <string.h>

#include "lib/ip_text.h"

#define WORD "iperf="
#define UDP_RATE 1000000u /* iperf3's */
#define SECONDS_MOST 86400u

struct item {
	const char *text;
	size_t length;
};

static bool item_is(const struct item *item, const char *text)
{
	return item->length == strlen(text) && memcmp(item->text, text, item->length) == 0;
}

/* A number with K, M, G behind it: of `unit`, which is 1000 for bits and 1024 for bytes. */
static bool number_parse(const struct item *item, uint32_t unit, uint64_t *number)
{
	static const char letters[] = "kmgt";
	uint64_t sum = 0;
	size_t i = 0;

	for (; i < item->length && item->text[i] >= '0' && item->text[i] <= '9'; i++) {
		if (sum > 100000000000000ull)
			return false;
		sum = sum * 10 + (uint64_t)(item->text[i] - '0');
	}
	*number = sum;
	if (i == 0 || i == item->length)
		return i > 0;
	for (const char *letter = letters; *letter; letter++) {
		if (sum > UINT64_MAX / 4 / unit)
			return false;
		sum *= unit;
		*number = sum;
		if ((item->text[i] | 0x20) == *letter)
			return i + 1 == item->length;
	}
	return false;
}

static bool number_up_to(const struct item *item, uint32_t unit, uint32_t most, uint32_t *number)
{
	uint64_t wide;

	if (!number_parse(item, unit, &wide) || wide > most)
		return false;
	*number = (uint32_t)wide;
	return true;
}

/* ---- one option each ---- */

static bool set_server(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->server = true;
}

static bool set_once(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->once = true;
}

static bool set_udp(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->settings.udp = true;
}

static bool set_reverse(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->settings.reverse = true;
}

static bool set_bidirectional(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->settings.bidirectional = true;
}

static bool set_no_delay(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->settings.no_delay = true;
}

static bool set_counters64(struct iperf_options *o, const struct item *v)
{
	(void)v;
	return o->settings.counters64 = true;
}

static bool set_peer(struct iperf_options *o, const struct item *v)
{
	return ip_text_parse(v->text, v->length, &o->peer.ip) == 0;
}

static bool set_port(struct iperf_options *o, const struct item *v)
{
	uint32_t port;

	if (!number_up_to(v, 1000, UINT16_MAX, &port) || !port)
		return false;
	o->peer.port = (uint16_t)port;
	return true;
}

static bool set_seconds(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1000, SECONDS_MOST, &o->settings.seconds);
}

static bool set_omit(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1000, 60, &o->settings.omit_seconds);
}

static bool set_interval(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1000, SECONDS_MOST, &o->interval_s);
}

static bool set_bytes(struct iperf_options *o, const struct item *v)
{
	return number_parse(v, 1024, &o->settings.bytes);
}

static bool set_blocks(struct iperf_options *o, const struct item *v)
{
	return number_parse(v, 1024, &o->settings.blocks);
}

static bool set_block_bytes(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1024, IPERF_BLOCK_MOST, &o->settings.block_bytes);
}

static bool set_rate(struct iperf_options *o, const struct item *v)
{
	return number_parse(v, 1000, &o->settings.rate);
}

static bool set_window(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1024, 1u << 30, &o->settings.window);
}

static bool set_mss(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1024, UINT16_MAX, &o->settings.mss);
}

static bool set_parallel(struct iperf_options *o, const struct item *v)
{
	return number_up_to(v, 1000, IPERF_STREAMS, &o->settings.parallel) && o->settings.parallel;
}

static const struct {
	const char *name, *long_name;
	bool has_value;
	bool (*set)(struct iperf_options *options, const struct item *value);
} table[] = {
	{ "-s", "--server", false, set_server },
	{ "-1", "--one-off", false, set_once },
	{ "-c", "--client", true, set_peer },
	{ "-p", "--port", true, set_port },
	{ "-u", "--udp", false, set_udp },
	{ "-R", "--reverse", false, set_reverse },
	{ "-P", "--parallel", true, set_parallel },
	{ "-t", "--time", true, set_seconds },
	{ "-O", "--omit", true, set_omit },
	{ "-i", "--interval", true, set_interval },
	{ "-n", "--bytes", true, set_bytes },
	{ "-k", "--blockcount", true, set_blocks },
	{ "-l", "--length", true, set_block_bytes },
	{ "-b", "--bitrate", true, set_rate },
	{ "-w", "--window", true, set_window },
	{ "-M", "--set-mss", true, set_mss },
	{ "-N", "--no-delay", false, set_no_delay },
	{ "", "--bidir", false, set_bidirectional },
	{ "", "--udp-counters-64bit", false, set_counters64 },
};

/* ---- all of them ---- */

static struct item next_item(const char **p, const char *end)
{
	const char *comma = memchr(*p, ',', (size_t)(end - *p));
	struct item item = { *p, (size_t)((comma ? comma : end) - *p) };

	*p = comma ? comma + 1 : end;
	return item;
}

static bool parse_item(struct iperf_options *options, const struct item *item, const char **p,
		       const char *end)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct item value = { 0 };

		if (!item_is(item, table[i].name) && !item_is(item, table[i].long_name))
			continue;
		if (table[i].has_value)
			value = next_item(p, end);
		return (!table[i].has_value || value.length) && table[i].set(options, &value);
	}
	return false;
}

/* A server takes from its clients what is to be measured. */
static bool fits(struct iperf_options *options)
{
	struct iperf_settings *settings = &options->settings;
	unsigned int ends =
		(settings->seconds != 0) + (settings->bytes != 0) + (settings->blocks != 0);

	if (options->server)
		return options->peer.ip.version == 0;
	if (options->peer.ip.version == 0 || ends > 1 ||
	    (settings->reverse && settings->bidirectional))
		return false;
	if (ends == 0)
		settings->seconds = 10;
	return true;
}

static const char *find_word(const char *arguments)
{
	const char *p = arguments;

	while (*p) {
		size_t length = strcspn(p, " \t\n");

		if (length >= sizeof(WORD) - 1 && memcmp(p, WORD, sizeof(WORD) - 1) == 0)
			return p + sizeof(WORD) - 1;
		p += length ? length : 1;
	}
	return NULL;
}

int iperf_options_parse(const char *arguments, struct iperf_options *options, const char **wrong,
			size_t *wrong_bytes)
{
	const char *p = find_word(arguments);
	const char *end;

	memset(options, 0, sizeof(*options));
	options->peer.port = IPERF_PORT;
	options->interval_s = 1;
	options->settings.parallel = 1;
	options->settings.rate = UINT64_MAX;
	if (!p)
		return -ENOENT;
	end = p + strcspn(p, " \t\n");
	*wrong = p;
	*wrong_bytes = (size_t)(end - p);
	while (p < end) {
		struct item item = next_item(&p, end);

		if (parse_item(options, &item, &p, end))
			continue;
		*wrong = item.text;
		*wrong_bytes = item.length;
		return -EINVAL;
	}
	if (options->settings.rate == UINT64_MAX)
		options->settings.rate = options->settings.udp ? UDP_RATE : 0;
	return fits(options) ? 0 : -EINVAL;
}
