/* SPDX-License-Identifier: ISC */
/* A resolver that knows what the command line told it, and asks nobody. */
#include <string.h>

#include "configs/check/check.h"
#include "lib/ip_text.h"

const char *name_list_add(struct name_list *list, const char *text)
{
	struct name_address *item = &list->items[list->count];
	const char *equals = strchr(text, '=');
	struct dns_name name;

	if (!equals || dns_name_from_text(&name, text, (size_t)(equals - text)) ||
	    ip_text_parse(equals + 1, strlen(equals + 1), &item->address))
		return "--name needs a host name and an address, as www.example.com=192.0.2.1";
	if (list->count == NAME_ADDRESSES_MAX - 1)
		return "too many --name options";
	dns_name_to_text(&name, item->name, sizeof(item->name));
	list->count++;
	return NULL;
}

static bool contains(void *context, uint16_t name, const struct ip_address *address)
{
	const struct name_list *list = context;

	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, ruleset_name(list->set, name)) == 0 &&
		    ip_address_equal(&list->items[i].address, address))
			return true;
	return false;
}

static bool known(void *context, uint16_t name, uint8_t version)
{
	const struct name_list *list = context;

	(void)version;
	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, ruleset_name(list->set, name)) == 0)
			return true;
	return false;
}

static uint32_t names_of(void *context, const struct ip_address *address, uint16_t *names,
			 uint32_t room)
{
	const struct name_list *list = context;
	uint32_t count = 0;

	for (uint32_t i = 0; i < ruleset_names_count(list->set); i++)
		if (contains(context, (uint16_t)i, address) && count++ < room)
			names[count - 1] = (uint16_t)i;
	return count;
}

void name_list_resolve(struct name_list *list, struct ruleset *set)
{
	struct rules_resolver resolver = { contains, known, names_of, list };

	list->set = set;
	ruleset_set_resolver(set, &resolver);
}
