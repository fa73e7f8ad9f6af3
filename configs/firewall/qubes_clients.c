/* SPDX-License-Identifier: ISC */
/*
 * What QubesDB says of clients: all addresses that belong behind us, and which of them are
 * shown something else than their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/firewall/clients.h"
#include "configs/firewall/qubes_parts.h"
#include "lib/ip4_text.h"
#include "lib/ip_text.h"
#include "lib/log.h"

#define CONNECTED4 "/connected-ips"
#define CONNECTED6 "/connected-ips6"
#define MAPPED "/mapped-ip/"
/* What the shortest address and a blank take bounds how many a value can hold. */
#define SHORTEST 3u

static struct log_limit limit = LOG_LIMIT_INIT;

bool qubes_clients_read(const char *path)
{
	return strcmp(path, CONNECTED4) == 0 || strcmp(path, CONNECTED6) == 0 ||
	       strncmp(path, MAPPED, strlen(MAPPED)) == 0;
}

/* Addresses with blanks between them; what is none is left out and said. */
static uint32_t list_read(const char *path, struct ip_address *to, uint32_t room)
{
	const struct qubesdb_entry *entry = qubesdb_get(qubes.db, path);
	const char *at = entry ? entry->value : "";
	uint32_t count = 0;

	while (*at && count < room) {
		size_t length = strcspn(at, " ");

		if (length && ip_text_parse(at, length, &to[count]) == 0)
			count++;
		else if (length)
			log_limited(&limit, LOG_WARNING, "qubes", "%s: \"%.*s\" is no address",
				    path, (int)(length > 46 ? 46 : length), at);
		at += length + (at[length] == ' ');
	}
	return count;
}

static void downstream_apply(void)
{
	uint32_t room = 2 * (QUBESDB_VALUE_MAX / SHORTEST), count;
	struct ip_address *all = malloc(room * sizeof(*all));

	if (!all) {
		log_limited(&limit, LOG_ERROR, "qubes", "no memory for the clients' addresses");
		return;
	}
	count = list_read(CONNECTED4, all, room);
	count += list_read(CONNECTED6, all + count, room - count);
	router_set_now(qubes.config.router, clock_now_ns());
	if (router_set_downstream(qubes.config.router, all, count))
		log_limited(&limit, LOG_ERROR, "qubes", "too many clients' addresses");
	free(all);
}

void qubes_clients_apply(void)
{
	downstream_apply();
	clients_refresh();
}

void qubes_client_visible(be32 real, struct router_visible *visible)
{
	char text[IP4_TEXT_BYTES], path[QUBESDB_PATH_BYTES];
	struct ip_address address;

	*visible = (struct router_visible){ 0 };
	ip4_text_format(real, text);
	snprintf(path, sizeof(path), MAPPED "%s/visible-ip", text);
	if (!qubes_read_address(path, 4, &address) || be32_equal(ip_address_get4(&address), real))
		return;
	visible->real = real;
	visible->address = ip_address_get4(&address);
	snprintf(path, sizeof(path), MAPPED "%s/visible-gateway", text);
	if (qubes_read_address(path, 4, &address))
		visible->gateway = ip_address_get4(&address);
}
