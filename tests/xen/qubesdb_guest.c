/* SPDX-License-Identifier: ISC */
/* The guests' programs: dom0's daemon as a vchan server, and the client under test. */
#include "tests/xen/qubesdb_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "lib/log.h"
#include "xen/fiber.h"
#include "xen/store.h"
#include "xen/vchan.h"

#define SECOND 1000000000ull
#define RING_BYTES 4096u

extern const struct qubesdb_guest_program qubesdb_guest_program;

/* ---- the daemon: messages ---- */

struct message {
	uint8_t type;
	char path[64];
	uint8_t padding[3];
	uint32_t length;
};

_Static_assert(sizeof(struct message) == 72, "as the compiler lays out the daemon's struct");

static void fault(struct daemon *daemon, const char *what, const struct message *message)
{
	if (!daemon->fault[0])
		snprintf(daemon->fault, sizeof(daemon->fault), "%s: type %u \"%.63s\" %u", what,
			 message->type, message->path, message->length);
}

/* Whoever waits for the lock; spinning would stop the virtual clock. */
static struct fiber_event unlocked = { { &unlocked.waiters, &unlocked.waiters }, false };

static void lock(struct daemon *daemon)
{
	while (daemon->busy)
		(void)!fiber_event_wait(&unlocked, FIBER_FOREVER);
	daemon->busy = true;
}

static void unlock(struct daemon *daemon)
{
	daemon->busy = false;
	fiber_event_signal(&unlocked);
}

/* With the lock. */
static int say(struct daemon *daemon, uint8_t type, const char *path, const void *data,
	       size_t length)
{
	struct message message = { .type = type, .length = (uint32_t)length };
	int error;

	if (!daemon->vchan)
		return -ENOTCONN;
	memcpy(message.path, path, strnlen(path, 63));
	error = vchan_write(daemon->vchan, &message, sizeof(message), FIBER_FOREVER);
	if (!error && length)
		error = vchan_write(daemon->vchan, data, length, FIBER_FOREVER);
	return error;
}

static struct daemon_entry *entry_find(struct daemon *daemon, const char *path)
{
	for (uint32_t i = 0; i < DAEMON_ENTRIES; i++)
		if (strcmp(daemon->entries[i].path, path) == 0)
			return &daemon->entries[i];
	return NULL;
}

static void entry_set(struct daemon *daemon, const char *path, const void *value, size_t length)
{
	struct daemon_entry *entry = entry_find(daemon, path);

	if (!entry)
		entry = entry_find(daemon, "");
	if (!entry)
		abort();
	snprintf(entry->path, sizeof(entry->path), "%s", path);
	/* What the client wrote may be longer than what is kept of it. */
	if (length >= sizeof(entry->value))
		length = sizeof(entry->value) - 1;
	memcpy(entry->value, value, length);
	entry->value[length] = '\0';
}

static int bulk_say(struct daemon *daemon)
{
	char *value = malloc(daemon->bulk_bytes + 1);
	char path[32];
	int error = 0;

	memset(value, 'b', daemon->bulk_bytes + 1);
	for (uint32_t i = daemon->bulk_count; i-- && !error;) {
		snprintf(path, sizeof(path), "/bulk/%05u", i);
		error = say(daemon, 11, path, value, daemon->bulk_bytes);
	}
	free(value);
	return error;
}

/* In reverse order, as the real one. */
static int multiread(struct daemon *daemon)
{
	char before[64] = "";
	int error = bulk_say(daemon);

	while (!error) {
		struct daemon_entry *last = NULL;

		for (uint32_t i = 0; i < DAEMON_ENTRIES; i++) {
			struct daemon_entry *entry = &daemon->entries[i];

			if (entry->path[0] && (!before[0] || strcmp(entry->path, before) < 0) &&
			    (!last || strcmp(entry->path, last->path) > 0))
				last = entry;
		}
		if (!last)
			break;
		memcpy(before, last->path, sizeof(before));
		error = say(daemon, 11, before, last->value, strlen(last->value));
	}
	if (!error)
		error = say(daemon, 11, "", NULL, 0);
	daemon->synced = true;
	return error;
}

/* ---- the daemon: the client's messages ---- */

static bool is_path(const char *path)
{
	size_t length = strlen(path);

	return length > 1 && length < 64 && path[0] == '/' && path[length - 1] != '/' &&
	       strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "_/.:@-") == length;
}

static void check_message(struct daemon *daemon, const struct message *message)
{
	if (message->type != 1 && message->type != 2 && message->type != 7)
		fault(daemon, "a type that may not be", message);
	if (message->length > 3071 || (message->type != 1 && message->length))
		fault(daemon, "a length that may not be", message);
	if (!memchr(message->path, 0, sizeof(message->path)))
		fault(daemon, "a path without end", message);
	else if (message->type != 2 && !is_path(message->path) &&
		 !(message->type == 7 && message->path[strlen(message->path) - 1] == '/'))
		fault(daemon, "a path that may not be", message);
	for (size_t i = strnlen(message->path, 64); i < 64; i++)
		if (message->path[i])
			fault(daemon, "something behind the path", message);
	if (message->padding[0] || message->padding[1] || message->padding[2])
		fault(daemon, "something in the padding", message);
}

static void expect(struct daemon *daemon, const char *path)
{
	uint32_t at = (daemon->expected_head + daemon->expected_count++) % DAEMON_ANSWERS;

	if (daemon->expected_count > DAEMON_ANSWERS)
		abort();
	snprintf(daemon->expected[at], 64, "%s", path);
}

static void take_answer(struct daemon *daemon, const struct message *message)
{
	if (!daemon->expected_count) {
		fault(daemon, "an answer to nothing", message);
		return;
	}
	if (strcmp(daemon->expected[daemon->expected_head], message->path) != 0)
		fault(daemon, "an answer to something else", message);
	daemon->expected_head = (daemon->expected_head + 1) % DAEMON_ANSWERS;
	daemon->expected_count--;
}

static int take_write(struct daemon *daemon, const struct message *message, const uint8_t *data)
{
	if (memchr(data, 0, message->length))
		fault(daemon, "a NUL in a value", message);
	if (!daemon->synced)
		fault(daemon, "a write before the read", message);
	daemon->writes++;
	snprintf(daemon->last_write, 64, "%s", message->path);
	if (daemon->refuses_writes)
		return say(daemon, 9, message->path, NULL, 0);
	entry_set(daemon, message->path, data, message->length);
	return say(daemon, 7, message->path, NULL, 0);
}

static int take_message(struct daemon *daemon, const struct message *message, const uint8_t *data)
{
	if (message->type == 7) {
		take_answer(daemon, message);
		return 0;
	}
	if (message->type == 1)
		return take_write(daemon, message, data);
	if (daemon->synced)
		fault(daemon, "a second read", message);
	daemon->multireads++;
	return daemon->mute ? 0 : multiread(daemon);
}

/* With the lock. Positive when a message was there. */
static int message_receive(struct daemon *daemon, uint8_t *data)
{
	struct message message;
	int error;

	if (vchan_readable(daemon->vchan) < sizeof(message))
		return vchan_state(daemon->vchan) == VCHAN_ENDED ? -EPIPE : 0;
	error = vchan_read(daemon->vchan, &message, sizeof(message), FIBER_FOREVER);
	if (error)
		return error;
	check_message(daemon, &message);
	if (daemon->fault[0])
		return -EPROTO;
	error = vchan_read(daemon->vchan, data, message.length, FIBER_FOREVER);
	if (!error)
		error = take_message(daemon, &message, data);
	return error ? error : 1;
}

static void serve_main(void *argument)
{
	struct daemon *daemon = argument;
	uint8_t *data = malloc(3072);
	int got = 0;

	while (got >= 0 && !daemon->closing) {
		lock(daemon);
		got = message_receive(daemon, data);
		unlock(daemon);
		if (got == 0 && !vchan_readable(daemon->vchan))
			(void)!vchan_wait_readable(daemon->vchan, clock_now_ns() + SECOND / 100);
		else
			fiber_yield();
	}
	free(data);
	daemon->serving = false;
}

/* ---- the daemon: what the tests have it do ---- */

static void daemon_close(void *argument)
{
	struct daemon *daemon = argument;

	daemon->closing = true;
	while (daemon->serving)
		fiber_yield();
	vchan_close(daemon->vchan);
	daemon->vchan = NULL;
}

static void daemon_listen(void *argument)
{
	struct daemon *daemon = argument;
	uint32_t ring = daemon->ring_bytes ? daemon->ring_bytes : RING_BYTES;
	char path[VCHAN_PATH_BYTES];

	if (daemon->vchan)
		daemon_close(daemon);
	daemon->closing = daemon->synced = false;
	daemon->expected_count = 0;
	daemon->connections++;
	snprintf(path, sizeof(path), "/local/domain/%u/data/vchan/%u/111", store_domid(),
		 daemon->client);
	if (vchan_listen(daemon->client, path, ring, ring, NULL, &daemon->vchan))
		abort();
	daemon->serving = true;
	if (fiber_start("serve", serve_main, daemon))
		abort();
}

static bool is_below(const char *path, const char *tree)
{
	return tree[strlen(tree) - 1] == '/' ? strncmp(path, tree, strlen(tree)) == 0
					     : strcmp(path, tree) == 0;
}

/* With the lock. */
static int change(struct daemon *daemon, const struct daemon_change *wanted)
{
	if (wanted->value)
		entry_set(daemon, wanted->path, wanted->value, strlen(wanted->value));
	else
		for (uint32_t i = 0; i < DAEMON_ENTRIES; i++)
			if (is_below(daemon->entries[i].path, wanted->path))
				daemon->entries[i].path[0] = '\0';
	if (!daemon->synced || !daemon->vchan)
		return 0;
	expect(daemon, wanted->path);
	return wanted->value ? say(daemon, 1, wanted->path, wanted->value, strlen(wanted->value))
			     : say(daemon, 4, wanted->path, NULL, 0);
}

static void daemon_batch(void *argument)
{
	struct daemon_batch *batch = argument;
	struct daemon *daemon = batch->daemon;

	batch->error = 0;
	if (batch->together)
		lock(daemon);
	for (uint32_t i = 0; i < batch->count && !batch->error; i++) {
		if (!batch->together)
			lock(daemon);
		batch->error = change(daemon, &batch->changes[i]);
		if (!batch->together)
			unlock(daemon);
	}
	if (batch->together)
		unlock(daemon);
}

static void daemon_bytes(void *argument)
{
	struct daemon_bytes *bytes = argument;

	lock(bytes->daemon);
	if (bytes->answered)
		expect(bytes->daemon, bytes->answered);
	bytes->error = vchan_write(bytes->daemon->vchan, bytes->bytes, bytes->count, FIBER_FOREVER);
	unlock(bytes->daemon);
}

/* ---- the client ---- */

static struct client *self;

static void log_keep(const char *line, size_t length)
{
	if (length >= sizeof(self->last_log))
		length = sizeof(self->last_log) - 1;
	memcpy(self->last_log, line, length);
	self->last_log[length] = '\0';
	if (!self->log_lines++)
		memcpy(self->first_log, self->last_log, sizeof(self->first_log));
	if (getenv("LOG"))
		fputs(self->last_log, stderr);
}

static void on_changed(void *context, const char *path, const char *value, size_t length)
{
	struct client *client = context;
	char *call = client->calls[client->call_count++ % CLIENT_CALLS];
	const struct qubesdb_entry *entry = qubesdb_get(client->db, path);

	client->changed++;
	client->removed += !value;
	snprintf(call, sizeof(client->calls[0]), "%s%s%.80s", path, value ? "=" : "",
		 value ? value : "");
	/* What it is told is what there is. */
	if (value ? !entry || entry->length != length || strcmp(entry->value, value) != 0 ||
			    strlen(value) != length
		  : entry != NULL)
		abort();
}

static void on_loaded(void *context)
{
	struct client *client = context;

	client->loaded++;
	if (!qubesdb_is_loaded(client->db))
		abort();
}

static void client_start(void *argument)
{
	struct client *client = argument;
	struct qubesdb_config config = { .server = client->server,
					 .changed = on_changed,
					 .loaded = on_loaded,
					 .context = client };

	self = client;
	log_init(log_keep, clock_now_ns);
	log_set_level(getenv("LOG") ? LOG_INFO : LOG_WARNING);
	client->error = qubesdb_start(&config, &client->db);
}

static void client_write(void *argument)
{
	struct client *client = argument;

	client->error = qubesdb_write(client->db, client->path, client->value);
}

static void client_get(void *argument)
{
	struct client *client = argument;
	const struct qubesdb_entry *entry = qubesdb_get(client->db, client->path);

	client->found = entry != NULL;
	client->said = entry && qubesdb_is_said(client->db, entry);
	client->drained = qubesdb_is_drained(client->db);
	snprintf(client->got, sizeof(client->got), "%s", entry ? entry->value : "");
	if (entry &&
	    (strcmp(entry->path, client->path) != 0 || strlen(entry->value) != entry->length))
		abort();
}

static void client_forget(void *argument)
{
	struct client *client = argument;

	qubesdb_forget(client->db, client->path);
}

static void client_compare(void *argument)
{
	struct client *client = argument;
	const struct qubesdb_entry *entry = NULL;
	uint32_t expected = 0;

	client->entries = 0;
	client->same = true;
	for (const char *after = ""; (entry = qubesdb_next(client->db, "", after));
	     after = entry->path)
		client->entries++;
	for (uint32_t i = 0; i < client->expected_count; i++) {
		if (!client->expected[i].path[0])
			continue;
		expected++;
		entry = qubesdb_get(client->db, client->expected[i].path);
		if (!entry || strcmp(entry->value, client->expected[i].value) != 0)
			client->same = false;
	}
	if (expected != client->entries)
		client->same = false;
}

static void client_offered(void *argument)
{
	struct client *client = argument;

	client->offered = qubesdb_is_offered(client->server);
}

static void client_flush(void *argument)
{
	struct client *client = argument;

	client->error = qubesdb_flush(client->db, clock_now_ns() + 10 * SECOND);
}

static void keep_line(void *context, const char *text)
{
	struct client *client = context;

	if (client->stats_lines < 3)
		snprintf(client->stats[client->stats_lines], sizeof(client->stats[0]), "%s", text);
	client->stats_lines++;
}

static void client_stats(void *argument)
{
	struct client *client = argument;

	client->stats_lines = 0;
	qubesdb_print_stats(client->db, keep_line, client);
}

static bool client_is_loaded(void *argument)
{
	struct client *client = argument;

	return qubesdb_is_loaded(client->db);
}

static bool client_is_connected(void *argument)
{
	struct client *client = argument;

	return qubesdb_is_connected(client->db);
}

static bool client_is_whole(void *argument)
{
	struct client *client = argument;

	return qubesdb_is_whole(client->db);
}

const struct qubesdb_guest_program qubesdb_guest_program = {
	daemon_listen, daemon_close, daemon_batch,     daemon_bytes,	    client_start,
	client_write,  client_get,   client_forget,    client_compare,	    client_offered,
	client_flush,  client_stats, client_is_loaded, client_is_connected, client_is_whole,
};
