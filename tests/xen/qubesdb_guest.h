/* SPDX-License-Identifier: ISC */
/*
 * The two guests of the hosted tests of xen/qubesdb.c: one plays dom0's daemon, the other has
 * the client. They are images of their own (tests/host/image.h); the tests reach them
 * through the table below. What is in the structs is looked at in the guest that it belongs to,
 * or while neither runs.
 *
 * The daemon is made from the protocol's description alone, and is as strict as the real
 * one: `fault` says what would have made that exit. It does one thing at a time: while it
 * waits for room to write it reads nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen/qubesdb.h"

#define DAEMON_ENTRIES 700u
#define DAEMON_VALUE_BYTES 256u
#define DAEMON_ANSWERS 4096u

struct vchan;

struct daemon_entry {
	char path[QUBESDB_PATH_BYTES]; /* "": none */
	char value[DAEMON_VALUE_BYTES];
};

struct daemon {
	uint16_t client;
	struct daemon_entry entries[DAEMON_ENTRIES];
	/* Besides, so many entries /bulk/NNNNN of so many bytes in the full read. */
	uint32_t bulk_count;
	uint32_t bulk_bytes;
	uint32_t ring_bytes; /* 0: 4096 */
	bool refuses_writes; /* RESP_ERROR for each WRITE */
	_Atomic bool mute;   /* does not answer MULTIREAD */

	struct vchan *vchan;
	bool busy;
	bool closing;
	bool serving; /* its fiber runs */
	bool synced;  /* MULTIREAD was answered: changes are told */
	char fault[128];
	uint32_t multireads; /* over all connections, as the following */
	uint32_t writes;     /* of the client's */
	uint32_t connections;
	/* Paths whose RESP_OK is to come. */
	char expected[DAEMON_ANSWERS][QUBESDB_PATH_BYTES];
	uint32_t expected_head;
	uint32_t expected_count;
	char last_write[QUBESDB_PATH_BYTES];
};

/* WRITE, or RM when `value` is NULL; a slash at the path's end removes all below. */
struct daemon_change {
	char path[QUBESDB_PATH_BYTES];
	const char *value;
};

/* Changes made one after the other without reading in between (`together`) or with. */
struct daemon_batch {
	struct daemon *daemon;
	const struct daemon_change *changes;
	uint32_t count;
	bool together;
	int error;
};

struct daemon_bytes {
	struct daemon *daemon;
	const uint8_t *bytes;
	size_t count;
	const char *answered; /* whose RESP_OK is to come for it; NULL: none */
	int error;
};

#define CLIENT_CALLS 64u

struct client {
	uint16_t server;
	int error;
	struct qubesdb *db;
	uint32_t loaded;
	uint32_t changed;
	uint32_t removed;
	/* The last calls of `changed`; a removal is "path" without "=value". */
	char calls[CLIENT_CALLS][160];
	uint32_t call_count;
	/* What qubesdb_write() is to be called with. */
	const char *path;
	const char *value;
	/* For `get`. */
	char got[QUBESDB_VALUE_MAX + 1];
	bool found;
	bool said, drained; /* the entry; QubesDB */
	/* For `compare`: those that there must be, and no others. */
	const struct daemon_entry *expected;
	uint32_t expected_count;
	bool same;
	uint32_t entries; /* how many there are */
	bool offered;
	char stats[3][160];
	uint32_t stats_lines;
	uint32_t log_lines; /* of warnings and errors */
	char first_log[256];
	char last_log[256];
};

struct qubesdb_guest_program {
	/* struct daemon: fibers. */
	void (*daemon_listen)(void *daemon);
	void (*daemon_close)(void *daemon);
	void (*daemon_batch)(void *batch);
	void (*daemon_bytes)(void *bytes);
	/* struct client. */
	void (*client_start)(void *client);   /* a fiber, or none */
	void (*client_write)(void *client);   /* none */
	void (*client_get)(void *client);     /* none */
	void (*client_forget)(void *client);  /* none */
	void (*client_compare)(void *client); /* none */
	void (*client_offered)(void *client); /* a fiber */
	void (*client_flush)(void *client);   /* a fiber; at most ten seconds */
	void (*client_stats)(void *client);
	bool (*client_is_loaded)(void *client);
	bool (*client_is_connected)(void *client);
	bool (*client_is_whole)(void *client);
};
