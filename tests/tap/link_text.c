/* SPDX-License-Identifier: ISC */
#include "tests/tap/link_text.h"

#include <stdio.h>
#include <string.h>

#include "lib/ip4_text.h"
#include "lib/ip6_text.h"

static bool mac_read(const char *text, uint8_t *mac)
{
	char end;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &end) == 6;
}

/* One item of a list: any kind of address. False: it is none. */
static bool item_read(const char *text, struct link_text *link)
{
	if (ip4_text_parse_prefix(text, strlen(text), &link->address.ip4, &link->prefix) == 0)
		return true;
	if (ip6_text_parse_prefix(text, strlen(text), link->address.ip6, &link->prefix6) == 0) {
		link->address.has_ip6 = true;
		return true;
	}
	link->has_mac = mac_read(text, link->mac);
	return link->has_mac;
}

const char *link_text_read_addresses(char *text, struct link_text *link)
{
	char *rest = NULL;

	for (char *item = strtok_r(text, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
		if (!item_read(item, link))
			return item;
	return NULL;
}

const char *link_text_read(char *text, struct link_text *link)
{
	char *at = strchr(text, '@');
	char *equals = strchr(text, '=');

	if (!at || !equals || at > equals)
		return text;
	*at = *equals = '\0';
	snprintf(link->name, sizeof(link->name), "%s", text);
	snprintf(link->space, sizeof(link->space), "%s", at + 1);
	return link_text_read_addresses(equals + 1, link);
}
