/* SPDX-License-Identifier: ISC */
/*
 * xenbus: the state words by which the two halves of a split device follow one
 * another (<xen/io/xenbus.h>), and the helpers that frontends and backends
 * share. Calls block the fiber.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/io/xenbus.h>

#include "lib/compiler.h"
#include "xen/store.h"

/* The state in `directory`/state; XenbusStateUnknown when it is missing or no state. */
enum xenbus_state bus_state_read(const char *directory);

/* Writes `directory`/state. Errors as store_write(). */
must_check int bus_state_write(store_transaction t, const char *directory, enum xenbus_state state);

/* "InitWait" and so on, for messages; never NULL. */
const char *bus_state_name(enum xenbus_state state);

/* Reads `directory`/`key`: a number, or `otherwise` when missing or no number. */
uint64_t bus_read_u64(const char *directory, const char *key, uint64_t otherwise);

/* Reads `directory`/`key` as a string; -ENOENT and others as store_read(). */
must_check int bus_read_string(const char *directory, const char *key, char *to, size_t size);

/* Writes `directory`/`key`. */
must_check int bus_write(store_transaction t, const char *directory, const char *key,
			 const char *format, ...) __attribute__((format(printf, 4, 5)));

#define BUS_DEFAULT_MTU 1500u
#define BUS_LEAST_MTU 576u /* below it IPv4 hosts need not follow (RFC 791, 3.2) */

/* Reads `directory`/mtu, bytes of an IP packet; BUS_DEFAULT_MTU when missing or absurd. */
uint16_t bus_read_mtu(const char *directory);

/* Reads `directory`/mac as six bytes "aa:bb:cc:dd:ee:ff"; -EINVAL when it is none. */
must_check int bus_read_mac(const char *directory, const char *key, uint8_t mac[6]);
