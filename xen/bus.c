/* SPDX-License-Identifier: ISC */
#include "xen/bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define MAC_TEXT_BYTES 18u

/* `directory`/`key` as one path; -E2BIG when it is longer than any we build. */
static int path_join(char *path, const char *directory, const char *key)
{
	int length = snprintf(path, STORE_PATH_BYTES, "%s/%s", directory, key);

	return length < 0 || (unsigned int)length >= STORE_PATH_BYTES ? -E2BIG : 0;
}

enum xenbus_state bus_state_read(const char *directory)
{
	uint64_t state = bus_read_u64(directory, "state", XenbusStateUnknown);

	return state <= XenbusStateReconfigured ? (enum xenbus_state)state : XenbusStateUnknown;
}

int bus_state_write(store_transaction t, const char *directory, enum xenbus_state state)
{
	return bus_write(t, directory, "state", "%d", (int)state);
}

const char *bus_state_name(enum xenbus_state state)
{
	static const char *const names[] = { "Unknown",	    "Initialising",  "InitWait",
					     "Initialised", "Connected",     "Closing",
					     "Closed",	    "Reconfiguring", "Reconfigured" };

	return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

uint64_t bus_read_u64(const char *directory, const char *key, uint64_t otherwise)
{
	char path[STORE_PATH_BYTES];
	uint64_t value;

	if (path_join(path, directory, key) || store_read_u64(STORE_NO_TRANSACTION, path, &value))
		return otherwise;
	return value;
}

int bus_read_string(const char *directory, const char *key, char *to, size_t size)
{
	char path[STORE_PATH_BYTES];
	int error = path_join(path, directory, key);

	return error ? error : store_read(STORE_NO_TRANSACTION, path, to, size);
}

int bus_write(store_transaction t, const char *directory, const char *key, const char *format, ...)
{
	char path[STORE_PATH_BYTES];
	char value[STORE_PATH_BYTES];
	va_list arguments;
	int length;
	int error = path_join(path, directory, key);

	if (error)
		return error;
	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(value))
		return -E2BIG;
	return store_write(t, path, value);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int bus_read_mac(const char *directory, const char *key, uint8_t mac[6])
{
	char text[MAC_TEXT_BYTES];
	int length = bus_read_string(directory, key, text, sizeof(text));

	if (length < 0)
		return length;
	if (length != MAC_TEXT_BYTES - 1)
		return -EINVAL;
	for (unsigned int i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

uint16_t bus_read_mtu(const char *directory)
{
	uint64_t mtu = bus_read_u64(directory, "mtu", BUS_DEFAULT_MTU);

	return mtu < BUS_LEAST_MTU || mtu > UINT16_MAX ? BUS_DEFAULT_MTU : (uint16_t)mtu;
}
