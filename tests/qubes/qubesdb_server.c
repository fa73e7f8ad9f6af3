/* SPDX-License-Identifier: ISC */
/*
 * dom0's QubesDB daemon for one domain: qubesdb-server DOMID SOCKET. As strict as the real
 * one: where that exits, this one logs "EXIT: why" and ends with status 1; what is wrong
 * without being fatal there is logged with "WRONG:".
 *
 * Lines on the socket (README.md): write, rm, get, list, sync, mark, await, drop, restart, raw,
 * garbage, message, huge, corrupt, quit.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "dom0_vchan.h"

#define PORT 111
#define RING_BYTES 4096
#define HEADER_BYTES 72
#define PATH_BYTES 64
#define DATA_LIMIT 3072 /* the first length that is too long */
#define SYNC_MS 15000

enum type {
	READ,
	WRITE,
	MULTIREAD,
	LIST,
	RM,
	WATCH,
	UNWATCH,
	RESP_OK,
	RESP_ERROR_NOENT,
	RESP_ERROR,
	RESP_READ,
	RESP_MULTIREAD,
	RESP_LIST,
	RESP_WATCH,
};

struct entry {
	char path[PATH_BYTES];
	size_t length;
	char *value;
};

static struct {
	int domid;
	struct dom0_vchan vchan;
	struct control control;
	struct entry *entries; /* sorted by path */
	size_t count;
	bool was_connected;
	bool read_once; /* the connection has had its MULTIREAD */
	bool bad;	/* we have sent nonsense: what answers come is not judged */
	uint64_t serve_at;
	/* What waits for room in the ring. */
	char *out;
	size_t out_size, out_used;
	/* Paths of requests of ours that are not answered. */
	char (*asked)[PATH_BYTES];
	size_t asked_count;
	/* The message that is being read. */
	unsigned char header[HEADER_BYTES];
	bool have_header;
	struct {
		struct control_client *client;
		uint64_t deadline;
		/* Of an await: the entry, and what it was when it was marked; else "". */
		char path[PATH_BYTES];
		char was[PATH_BYTES];
	} syncs[CONTROL_CLIENTS];
	char mark_path[PATH_BYTES], mark_value[PATH_BYTES];
} db;

static void fail(const char *why, const char *detail)
{
	say("EXIT: %s %s", why, detail);
	dom0_vchan_close(&db.vchan);
	exit(1);
}

static uint32_t get32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put32(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/* ---- entries ---- */

static struct entry *find(const char *path)
{
	for (size_t i = 0; i < db.count; i++)
		if (!strcmp(db.entries[i].path, path))
			return &db.entries[i];
	return NULL;
}

static void set_entry(const char *path, const char *value, size_t length)
{
	struct entry *entry = find(path);

	if (!entry) {
		size_t at = 0;

		db.entries = realloc(db.entries, (db.count + 1) * sizeof(*db.entries));
		while (at < db.count && strcmp(db.entries[at].path, path) < 0)
			at++;
		entry = &db.entries[at];
		memmove(entry + 1, entry, (db.count - at) * sizeof(*entry));
		db.count++;
		*entry = (struct entry){ 0 };
		snprintf(entry->path, sizeof(entry->path), "%s", path);
	}
	free(entry->value);
	entry->value = malloc(length + 1);
	memcpy(entry->value, value, length);
	entry->value[length] = '\0';
	entry->length = length;
}

static bool matches(const char *path, const char *pattern)
{
	size_t length = strlen(pattern);

	if (length && pattern[length - 1] == '/')
		return !strncmp(path, pattern, length);
	return !strcmp(path, pattern);
}

static size_t remove_entries(const char *pattern)
{
	size_t kept = 0, removed;

	for (size_t i = 0; i < db.count; i++) {
		if (matches(db.entries[i].path, pattern))
			free(db.entries[i].value);
		else
			db.entries[kept++] = db.entries[i];
	}
	removed = db.count - kept;
	db.count = kept;
	return removed;
}

/* ---- sending ---- */

static void flush_out(void)
{
	size_t sent = 0;

	while (sent < db.out_used) {
		int put = dom0_vchan_put(&db.vchan, db.out + sent, db.out_used - sent);

		if (put <= 0)
			break;
		sent += (size_t)put;
	}
	db.out_used -= sent;
	memmove(db.out, db.out + sent, db.out_used);
}

static void send_bytes(const void *data, size_t size)
{
	if (db.out_used + size > db.out_size) {
		db.out_size = (db.out_used + size) * 2;
		db.out = realloc(db.out, db.out_size);
	}
	memcpy(db.out + db.out_used, data, size);
	db.out_used += size;
}

static void send_header(unsigned type, const char *path, uint32_t length)
{
	unsigned char header[HEADER_BYTES] = { 0 };

	header[0] = (unsigned char)type;
	memcpy(header + 1, path, strnlen(path, PATH_BYTES));
	put32(header + 68, length);
	send_bytes(header, sizeof(header));
}

static void send_message(unsigned type, const char *path, const char *data, size_t length)
{
	send_header(type, path, (uint32_t)length);
	send_bytes(data, length);
}

static void ask(unsigned type, const char *path, const char *data, size_t length)
{
	if (!db.read_once)
		return; /* it is told with the first full read */
	send_message(type, path, data, length);
	db.asked = realloc(db.asked, (db.asked_count + 1) * sizeof(*db.asked));
	snprintf(db.asked[db.asked_count++], PATH_BYTES, "%s", path);
}

/* ---- what the domain says ---- */

static bool good_path(const char *path)
{
	static const char extra[] = "_-/.:@";

	if (path[0] != '/')
		return false;
	for (; *path; path++)
		if (!(*path >= 'a' && *path <= 'z') && !(*path >= 'A' && *path <= 'Z') &&
		    !(*path >= '0' && *path <= '9') && !strchr(extra, *path))
			return false;
	return true;
}

static void answered(const char *path, const char *how)
{
	if (db.bad)
		return;
	if (!db.asked_count)
		say("WRONG: %s for %s, which was not asked", how, path);
	else if (strcmp(db.asked[0], path))
		say("WRONG: %s for %s where %s was next", how, path, db.asked[0]);
	if (db.asked_count)
		memmove(db.asked, db.asked + 1, --db.asked_count * sizeof(*db.asked));
}

static void take_write(const char *path, const char *data, size_t length)
{
	if (path[strlen(path) - 1] == '/')
		fail("a write to a folder", path);
	if (memchr(data, '\0', length))
		fail("a NUL in the value of", path);
	set_entry(path, data, length);
	say("vm write %s = %s", path, printable(data, length));
	send_header(RESP_OK, path, 0);
}

static void take_rm(const char *path, size_t length)
{
	if (length)
		fail("rm with data", path);
	if (!remove_entries(path)) {
		send_header(RESP_ERROR_NOENT, path, 0);
		flush_out();
		fail("rm of what is not there:", path);
	}
	say("vm rm %s", path);
	send_header(RESP_OK, path, 0);
}

static void take_multiread(const char *path, size_t length)
{
	if (path[0] || length)
		fail("a multiread of less than all:", path);
	if (db.read_once)
		fail("a second multiread", "");
	say("vm multiread: %zu entries", db.count);
	for (size_t i = db.count; i-- > 0;)
		send_message(RESP_MULTIREAD, db.entries[i].path, db.entries[i].value,
			     db.entries[i].length);
	send_header(RESP_MULTIREAD, "", 0);
	db.read_once = true;
}

static void take_message(unsigned type, const char *path, const char *data, size_t length)
{
	if (type != MULTIREAD && !good_path(path))
		fail("a path that is none:", printable(path, strlen(path)));
	switch (type) {
	case WRITE:
		take_write(path, data, length);
		break;
	case RM:
		take_rm(path, length);
		break;
	case MULTIREAD:
		take_multiread(path, length);
		break;
	case RESP_OK:
		if (length)
			fail("RESP_OK with data", path);
		answered(path, "RESP_OK");
		break;
	case RESP_ERROR:
		if (length)
			fail("RESP_ERROR with data", path);
		say("%s RESP_ERROR for %s", db.bad ? "vm" : "WRONG:", path);
		answered(path, "RESP_ERROR");
		break;
	default: {
		char text[16];

		snprintf(text, sizeof(text), "%u", type);
		fail("a message that is not for dom0: type", text);
	}
	}
}

/* One message, if all of it is there. */
static bool take_one(void)
{
	char path[PATH_BYTES], data[DATA_LIMIT + 1];
	uint32_t length;

	if (!db.have_header && !dom0_vchan_get(&db.vchan, db.header, HEADER_BYTES))
		return false;
	db.have_header = true;
	length = get32(db.header + 68);
	if (!memchr(db.header + 1, '\0', PATH_BYTES))
		fail("a path without end", "");
	if (length >= DATA_LIMIT)
		fail("too much data", "");
	if (length && !dom0_vchan_get(&db.vchan, data, length))
		return false;
	db.have_header = false;
	memcpy(path, db.header + 1, PATH_BYTES);
	data[length] = '\0';
	take_message(db.header[0], path, data, length);
	return true;
}

/* ---- the connection ---- */

static void forget_connection(void)
{
	dom0_vchan_close(&db.vchan);
	db.out_used = db.asked_count = 0;
	db.was_connected = db.read_once = db.have_header = db.bad = false;
}

static void keep_connection(void)
{
	int state;

	if (!db.vchan.chan) {
		if (now_ms() < db.serve_at)
			return;
		if (!dom0_vchan_serve(&db.vchan, db.domid, PORT, RING_BYTES)) {
			say("no vchan");
			db.serve_at = now_ms() + 500;
			return;
		}
		say("serving domain %d", db.domid);
	}
	state = dom0_vchan_state(&db.vchan);
	if (state != 2 && !db.was_connected) {
		say("connected");
		db.was_connected = true;
	}
	while (dom0_vchan_ready(&db.vchan) && take_one())
		;
	flush_out();
	if (state == 0) {
		say("vm has closed");
		forget_connection();
	}
}

/* ---- commands ---- */

static void list(struct control_client *client, const char *prefix)
{
	for (size_t i = 0; i < db.count; i++)
		if (!strncmp(db.entries[i].path, prefix, strlen(prefix)))
			control_answer(client, "%s = %s", db.entries[i].path,
				       printable(db.entries[i].value, db.entries[i].length));
}

static void huge(const char *path, size_t length, bool declared)
{
	char *data = malloc(length + 1);

	memset(data, 'h', length);
	if (declared) {
		ask(WRITE, path, data, length);
		set_entry(path, data, length);
	} else {
		send_message(WRITE, path, data, length);
		db.bad = true;
	}
	free(data);
}

static void garbage(size_t count, unsigned seed)
{
	for (size_t i = 0; i < count; i++) {
		char byte;

		seed = seed * 1103515245 + 12345;
		byte = (char)(seed >> 16);
		send_bytes(&byte, 1);
	}
}

static void message(unsigned type, uint32_t length, const char *path, char *data)
{
	size_t size = unescape(data);

	send_header(type, path, length);
	send_bytes(data, size);
}

static void begin_sync(struct control_client *client, bool await)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (!db.syncs[i].client) {
			db.syncs[i].client = client;
			db.syncs[i].deadline = now_ms() + SYNC_MS;
			snprintf(db.syncs[i].path, PATH_BYTES, "%s", await ? db.mark_path : "");
			snprintf(db.syncs[i].was, PATH_BYTES, "%s", db.mark_value);
			client->waiting++;
			return;
		}
	control_answer(client, "error: too many");
}

static const char *value_of(const char *path)
{
	struct entry *entry = find(path);

	return entry ? entry->value : "";
}

static void mark(const char *path)
{
	snprintf(db.mark_path, sizeof(db.mark_path), "%s", path);
	snprintf(db.mark_value, sizeof(db.mark_value), "%.63s", value_of(path));
}

static void end_syncs(void)
{
	bool quiet = db.read_once && !db.asked_count && !db.out_used;

	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = db.syncs[i].client;
		const char *path = db.syncs[i].path;
		bool done = path[0] ? strcmp(db.syncs[i].was, value_of(path)) != 0 : quiet;

		if (!client || (!done && now_ms() < db.syncs[i].deadline))
			continue;
		if (path[0])
			control_answer(client, "%s: %s %s", done ? "changed" : "not changed", path,
				       value_of(path));
		else if (done)
			control_answer(client, "synced");
		else
			control_answer(client, "not synced: connected %d read %d unanswered %zu",
				       db.was_connected, db.read_once, db.asked_count);
		db.syncs[i].client = NULL;
		client->waiting--;
	}
}

static void change(struct control_client *client, const char *word, const char *path, char *value)
{
	if (!strcmp(word, "write")) {
		size_t length = unescape(value);

		set_entry(path, value, length);
		ask(WRITE, path, value, length);
	} else if (!strcmp(word, "rm")) {
		if (!remove_entries(path))
			control_answer(client, "no %s", path);
		ask(RM, path, "", 0);
	} else if (!strcmp(word, "rm-unknown")) {
		ask(RM, path, "", 0);
	} else if (!strcmp(word, "get")) {
		struct entry *entry = find(path);

		if (entry)
			control_answer(client, "%s", printable(entry->value, entry->length));
		else
			control_answer(client, "no %s", path);
	} else if (!strcmp(word, "huge")) {
		huge(path, strtoul(value, NULL, 10), strtoul(value, NULL, 10) < DATA_LIMIT);
	} else {
		control_answer(client, "error: %s", word);
	}
}

static void attack(struct control_client *client, const char *word, char *line)
{
	char *first = take_word(&line);
	char *second = take_word(&line);

	db.bad = true;
	if (!strcmp(word, "raw") && first) {
		char data[2048] = { 0 };
		size_t size = from_hex(first, data, sizeof(data));

		send_bytes(data, size);
	} else if (!strcmp(word, "garbage") && second) {
		garbage(strtoul(first, NULL, 10), (unsigned)strtoul(second, NULL, 10));
	} else if (!strcmp(word, "message") && second) {
		char *path = take_word(&line);

		message((unsigned)strtoul(first, NULL, 10), (uint32_t)strtoul(second, NULL, 10),
			path ? path : "", line);
	} else if (strcmp(word, "corrupt") || !first || !dom0_vchan_corrupt(&db.vchan, first)) {
		control_answer(client, "error: %s", word);
		return;
	}
	say("bad: %s %s %s", word, first, second ? second : "");
}

static void command(struct control_client *client, char *line)
{
	char *word = take_word(&line);

	if (!word)
		return;
	if (!strcmp(word, "sync") || !strcmp(word, "await")) {
		begin_sync(client, word[0] == 'a');
	} else if (!strcmp(word, "mark")) {
		mark(line);
	} else if (!strcmp(word, "list")) {
		list(client, line);
	} else if (!strcmp(word, "quit")) {
		dom0_vchan_close(&db.vchan);
		say("quit");
		exit(0);
	} else if (!strcmp(word, "drop") || !strcmp(word, "restart")) {
		say("%s", word);
		flush_out();
		forget_connection();
		if (word[0] == 'r')
			remove_entries("/");
		db.serve_at = now_ms() + strtoul(line, NULL, 10);
	} else if (line[0] == '/') {
		char *path = take_word(&line);

		change(client, word, path, line);
	} else {
		attack(client, word, line);
	}
	flush_out();
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: qubesdb-server DOMID SOCKET\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	db.domid = atoi(argv[1]);
	control_open(&db.control, argv[2]);
	for (;;) {
		struct pollfd fds[2 + CONTROL_CLIENTS];

		keep_connection();
		end_syncs();
		control_sweep(&db.control);
		control_fill(&db.control, fds);
		fds[1 + CONTROL_CLIENTS] =
			(struct pollfd){ .fd = dom0_vchan_fd(&db.vchan), .events = POLLIN };
		if (poll(fds, 2 + CONTROL_CLIENTS, 200) < 0)
			continue;
		if (fds[1 + CONTROL_CLIENTS].revents)
			dom0_vchan_take_event(&db.vchan);
		control_serve(&db.control, fds, command);
	}
}
