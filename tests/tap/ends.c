/* SPDX-License-Identifier: ISC */
/*
 * An application for tests, which does what its arguments say, each a word:
 *
 *	echo=PORT		gives back what comes
 *	discard=PORT		at its end says how many bytes came, and their sum
 *	source=PORT		a line "N" asks for N bytes with their sum
 *	slow=PORT,RATE		as discard, at so many bytes a second
 *	late=PORT,MS		as discard, but reads nothing before MS ms have passed
 *	half=PORT		ends its own direction at once, and goes on reading
 *	udp=PORT		gives datagrams back
 *	connect=ADDRESS:PORT,COUNT,BYTES	COUNT connections, each sends BYTES with their sum
 *				and expects them back
 *	get=ADDRESS:PORT,PATH	asks a web server
 *
 * What asks does so a moment later, for the neighbour gets his addresses after the link.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"
#include "tests/tap/ends_parts.h"

#define CRC_POLYNOMIAL 0xedb88320u
#define ASK_AFTER_NS 300000000ull

static char questions[4096];
static uint64_t ask_ns; /* 0: there is nothing to ask, or it is done */

struct ends_counts ends_counts;
const struct station *ends_station;

uint32_t ends_crc(uint32_t crc, const void *data, size_t bytes)
{
	static uint32_t table[256];
	const uint8_t *at = data;

	for (uint32_t i = 0; !table[255] && i < 256; i++) {
		uint32_t value = i;

		for (unsigned int bit = 0; bit < 8; bit++)
			value = value >> 1 ^ (value & 1 ? CRC_POLYNOMIAL : 0);
		table[i] = value;
	}
	crc = ~crc;
	while (bytes--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return ~crc;
}

bool ends_address_read(const char *text, struct socket_address *address)
{
	const char *colon = strrchr(text, ':');
	uint8_t ip6[16];
	be32 ip4;
	char end;

	if (!colon || sscanf(colon + 1, "%" SCNu16 "%c", &address->port, &end) != 1)
		return false;
	if (ip4_text_parse(text, (size_t)(colon - text), &ip4) == 0) {
		address->ip = ip_address_of4(ip4);
		return true;
	}
	if (text[0] != '[' || colon[-1] != ']' ||
	    ip6_text_parse(text + 1, (size_t)(colon - text) - 2, ip6) != 0)
		return false;
	address->ip = ip_address_of6(ip6);
	return true;
}

static int each_word(const char *text, int (*begin_word)(const char *word))
{
	char words[4096];
	char *rest = NULL;

	snprintf(words, sizeof(words), "%s", text);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		int error = begin_word(word);

		if (error) {
			fprintf(stderr, "ends: %s: %d\n", word, error);
			return error;
		}
	}
	return 0;
}

static int begin_word(const char *word)
{
	size_t used = strlen(questions);

	if (strncmp(word, "connect=", 8) != 0 && strncmp(word, "get=", 4) != 0)
		return ends_serve(word);
	snprintf(questions + used, sizeof(questions) - used, "%s ", word);
	ask_ns = station_now_ns() + ASK_AFTER_NS;
	return 0;
}

static int begin(const struct station *station)
{
	ends_station = station;
	return each_word(station->arguments, begin_word);
}

static void run(uint64_t now_ns)
{
	ends_serve_run(now_ns);
	if (!ask_ns || ask_ns > now_ns)
		return;
	ask_ns = 0;
	if (each_word(questions, ends_ask))
		station_end(1);
}

static uint64_t next_ns(void)
{
	uint64_t next = ends_serve_next_ns();

	return ask_ns && ask_ns < next ? ask_ns : next;
}

static void print_stats(void (*line)(void *context, const char *text), void *context)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "ends accepted %" PRIu64 " closed %" PRIu64 " failed %" PRIu64
		 " udp_echoed %" PRIu64,
		 ends_counts.accepted, ends_counts.closed, ends_counts.failed,
		 ends_counts.udp_echoed);
	line(context, text);
	snprintf(text, sizeof(text),
		 "clients all %" PRIu64 " done %" PRIu64 " failed %" PRIu64 " bytes %" PRIu64
		 " error %d",
		 ends_counts.clients, ends_counts.clients_done, ends_counts.clients_failed,
		 ends_counts.clients_bytes, ends_counts.client_error);
	line(context, text);
	ends_ask_print(line, context);
}

const struct station_app station_app = {
	.name = "ends",
	.begin = begin,
	.run = run,
	.next_ns = next_ns,
	.print_stats = print_stats,
	.sizes = { .connections = 2048, .time_waits = 4096, .memory_bytes = 64u << 20 },
};
