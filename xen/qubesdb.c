/* SPDX-License-Identifier: ISC */
/*
 * One fiber makes the connection, reads everything, and then takes and answers dom0's
 * messages until the connection ends. It never waits for room to write without reading, so
 * two full rings are no deadlock: dom0's daemon, which does wait, always gets on. Answers
 * that find no room are kept, and only when there are hundreds of them is nothing more read;
 * a peer that takes none of them for half a minute has stopped working.
 *
 * An entry of ours is always in one of two queues: `unsent`, or `told` (sent on this
 * connection). When the connection ends, all are unsent again, in the order in which they
 * were written. Each WRITE has a number, and dom0 answers them in their order; so it is known
 * whether what dom0 says of an entry was said before it knew ours.
 */
#include "xen/qubesdb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>

#include "arch/x86/clock.h"
#include "lib/list.h"
#include "lib/log.h"
#include "xen/qubesdb_tree.h"
#include "xen/qubesdb_wire.h"
#include "xen/store.h"
#include "xen/vchan.h"

#define MS 1000000ull
#define CONNECT_NS (60000 * MS)
#define DELAY_MIN_NS (100 * MS)
#define DELAY_MAX_NS (30000 * MS)
#define STEADY_NS (60000 * MS)	  /* a connection that held so long was a good one */
#define LOOK_AGAIN_NS (5000 * MS) /* for a peer that went without a word */
#define STUCK_NS (30000 * MS)
#define READ_AGAIN_NS (30000 * MS) /* what was refused may find room now */
#define MESSAGES_A_ROUND 32u
#define ANSWER_BYTES 32768u /* 512 of the longest paths */
#define NOT_SENT UINT64_MAX
#define LINE_BYTES 160u

/* Paths that are to be answered, each with its NUL. */
struct answers {
	char bytes[ANSWER_BYTES];
	uint32_t head;
	uint32_t used;
};

struct qubesdb {
	struct qubesdb_config config;
	struct qubesdb_tree tree;
	struct list unsent;
	struct list told;
	uint32_t own;
	uint64_t sent;	   /* WRITEs of ours so far, over all connections */
	uint64_t answered; /* how many of them are no longer in dom0's hands */
	struct fiber_event event;
	struct fiber_event settled;
	bool loaded;
	bool whole;
	bool refusal_said; /* since the full read began */
	uint64_t refused_ns;
	/* The connection. */
	char path[VCHAN_PATH_BYTES];
	struct vchan *vchan; /* NULL: none */
	uint64_t since_ns;
	uint64_t delay_ns;
	bool asked;	   /* for all entries */
	bool reading;	   /* them */
	bool deaf;	   /* the peer has ended, and what it wrote before is still read */
	bool was_own;	   /* the last message out: writes and answers take turns */
	uint64_t moved_ns; /* when a byte moved last */
	struct answers answers;
	uint8_t output[QUBESDB_MESSAGE_BYTES];
	uint32_t output_bytes;
	uint32_t output_moved;
	uint8_t input[QUBESDB_MESSAGE_BYTES + 1]; /* and a NUL */
	uint32_t input_moved;
	struct qubesdb_header header; /* of `input`, once that has moved */

	struct log_limit limit;
	struct {
		uint64_t connections;
		uint64_t reads;
		uint64_t writes;
		uint64_t removals;
		uint64_t refused;
		uint64_t errors;  /* RESP_ERROR for a WRITE of ours */
		uint64_t strays;  /* answers to nothing */
		uint64_t garbage; /* messages that ended a connection */
	} stats;
};

/* ---- what dom0 says of an entry ---- */

/* Ours, and dom0 has not said yet that it knows. */
static bool is_unsettled(const struct qubesdb *db, const struct qubesdb_node *node)
{
	return !list_is_empty(&node->queue) && node->sent > db->answered;
}

static void own_release(struct qubesdb *db, struct qubesdb_node *node)
{
	if (list_is_empty(&node->queue))
		return;
	list_remove(&node->queue);
	db->own--;
}

static void tell_changed(struct qubesdb *db, const char *path, const char *value, size_t length)
{
	if (!db->reading && db->config.changed)
		db->config.changed(db->config.context, path, value, length);
}

static void node_remove(struct qubesdb *db, struct qubesdb_node *node)
{
	own_release(db, node);
	qubesdb_tree_remove(&db->tree, node);
}

/* What dom0 replaced is not kept either. */
static void entry_refuse(struct qubesdb *db, const char *path, int error)
{
	struct qubesdb_node *node = qubesdb_tree_find(&db->tree, path);

	db->stats.refused++;
	db->whole = false;
	if (!db->refusal_said)
		log_line(LOG_ERROR, "qubesdb", "%s and perhaps others refused: %s", path,
			 error == -ENOMEM ? "no memory" : "too many entries, or too large");
	if (!db->refusal_said)
		db->refused_ns = clock_now_ns();
	db->refusal_said = true;
	if (node)
		node_remove(db, node);
	tell_changed(db, path, NULL, 0);
}

static void entry_write(struct qubesdb *db, const char *path, const char *value, size_t length)
{
	struct qubesdb_node *node = qubesdb_tree_find(&db->tree, path);
	int error;

	if (node && is_unsettled(db, node))
		return;
	node = qubesdb_tree_put(&db->tree, path, value, length, &error);
	if (!node) {
		entry_refuse(db, path, error);
		return;
	}
	own_release(db, node);
	node->said = db->stats.connections;
	tell_changed(db, path, value, length);
}

static void entry_remove(struct qubesdb *db, const char *path)
{
	struct qubesdb_node *node = qubesdb_tree_find(&db->tree, path);

	if (!node || is_unsettled(db, node))
		return;
	node_remove(db, node);
	tell_changed(db, path, NULL, 0);
}

/* All entries that begin with `prefix`. Whoever is told may change the tree meanwhile. */
static void entries_remove(struct qubesdb *db, const char *prefix)
{
	char path[QUBESDB_PATH_BYTES] = "";
	struct qubesdb_node *node;

	while ((node = qubesdb_tree_next(&db->tree, prefix, path))) {
		memcpy(path, node->path, strlen(node->path) + 1);
		entry_remove(db, path);
	}
}

/* ---- answers of ours ---- */

static bool answers_have_room(const struct qubesdb *db)
{
	return ANSWER_BYTES - db->answers.used >= QUBESDB_PATH_BYTES;
}

static void answer_put(struct qubesdb *db, const char *path)
{
	struct answers *answers = &db->answers;
	size_t bytes = strlen(path) + 1;

	if (db->deaf)
		return;
	for (size_t i = 0; i < bytes; i++)
		answers->bytes[(answers->head + answers->used++) % ANSWER_BYTES] = path[i];
}

static void answer_take(struct qubesdb *db, char path[QUBESDB_PATH_BYTES])
{
	struct answers *answers = &db->answers;
	char c;

	do {
		c = answers->bytes[answers->head];
		answers->head = (answers->head + 1) % ANSWER_BYTES;
		answers->used--;
		*path++ = c;
	} while (c);
}

/* ---- dom0's messages ---- */

static int garbage(struct qubesdb *db, const char *what)
{
	db->stats.garbage++;
	log_limited(&db->limit, LOG_ERROR, "qubesdb", "dom0 sent %s (type %u, %u bytes)", what,
		    db->input[0], db->header.length);
	return -EPROTO;
}

static int take_read(struct qubesdb *db, const char *value)
{
	if (!db->reading)
		return garbage(db, "an entry that nobody asked for");
	if (db->header.path[0]) {
		entry_write(db, db->header.path, value, db->header.length);
		return 0;
	}
	db->reading = false;
	db->loaded = true;
	db->whole = !db->refusal_said;
	db->stats.reads++;
	log_limited(&db->limit, LOG_INFO, "qubesdb", "read: %" PRIu32 " entries, %" PRIu32 " bytes",
		    db->tree.entries, db->tree.bytes);
	if (db->config.loaded)
		db->config.loaded(db->config.context);
	return 0;
}

static int take_answer(struct qubesdb *db)
{
	bool is_error = db->header.type == QUBESDB_RESP_ERROR;

	if (db->answered == db->sent) {
		if (is_error && db->reading)
			return garbage(db, "a refusal to tell its entries");
		db->stats.strays++;
		return 0;
	}
	db->answered++;
	fiber_event_signal(&db->settled);
	if (!is_error)
		return 0;
	db->stats.errors++;
	log_limited(&db->limit, LOG_WARNING, "qubesdb", "dom0 does not take \"%s\"",
		    db->header.path);
	return 0;
}

static int message_take(struct qubesdb *db)
{
	const struct qubesdb_header *header = &db->header;
	char *value = (char *)db->input + QUBESDB_HEADER_BYTES;
	const char *wrong = qubesdb_wire_check_value(value, header->length);

	if (wrong)
		return garbage(db, wrong);
	value[header->length] = '\0';
	switch (header->type) {
	case QUBESDB_RESP_MULTIREAD:
		return take_read(db, value);
	case QUBESDB_WRITE:
		db->stats.writes++;
		entry_write(db, header->path, value, header->length);
		break;
	case QUBESDB_RM:
		db->stats.removals++;
		if (header->path[strlen(header->path) - 1] == '/')
			entries_remove(db, header->path);
		else
			entry_remove(db, header->path);
		break;
	default:
		return take_answer(db);
	}
	answer_put(db, header->path);
	return 0;
}

/* What of the header or, when that is there, of the message is still to come. */
static uint32_t input_missing(const struct qubesdb *db)
{
	uint32_t bytes = QUBESDB_HEADER_BYTES;

	if (db->input_moved >= bytes)
		bytes += db->header.length;
	return bytes - db->input_moved;
}

/* Reads once. What was moved, 0 for nothing there, or an error. */
static int64_t input_move(struct qubesdb *db)
{
	int64_t moved = vchan_try_read(db->vchan, db->input + db->input_moved, input_missing(db));
	const char *wrong = NULL;

	if (moved <= 0)
		return moved;
	db->input_moved += (uint32_t)moved;
	if (db->input_moved == QUBESDB_HEADER_BYTES)
		wrong = qubesdb_wire_decode(db->input, &db->header);
	return wrong ? garbage(db, wrong) : moved;
}

/* Takes some messages. Positive when any byte was read, or an error. */
static int64_t input_pump(struct qubesdb *db)
{
	uint32_t budget = MESSAGES_A_ROUND;
	int64_t any = 0;

	while (budget && answers_have_room(db)) {
		int64_t moved = input_move(db);
		int error;

		if (moved <= 0)
			return moved ? moved : any;
		any = moved;
		if (input_missing(db))
			continue;
		db->input_moved = 0;
		budget--;
		error = message_take(db);
		if (error)
			return error;
	}
	return any;
}

/* ---- our messages ---- */

static void output_set(struct qubesdb *db, enum qubesdb_type type, const char *path,
		       const char *value, size_t length)
{
	qubesdb_wire_encode(db->output, type, path, (uint32_t)length);
	memcpy(db->output + QUBESDB_HEADER_BYTES, value, length);
	db->output_bytes = QUBESDB_HEADER_BYTES + (uint32_t)length;
	db->output_moved = 0;
}

static void output_own(struct qubesdb *db)
{
	struct list *link = list_pop_front(&db->unsent);
	struct qubesdb_node *node = list_entry(link, struct qubesdb_node, queue);

	list_push_back(&db->told, link);
	node->sent = ++db->sent;
	output_set(db, QUBESDB_WRITE, node->path, node->entry.value, node->entry.length);
}

static void output_answer(struct qubesdb *db)
{
	char path[QUBESDB_PATH_BYTES];

	answer_take(db, path);
	output_set(db, QUBESDB_RESP_OK, path, "", 0);
}

/* Makes the next message; false: there is none. */
static bool output_next(struct qubesdb *db)
{
	bool own = !db->reading && !list_is_empty(&db->unsent);

	if (!db->asked) {
		db->asked = true;
		output_set(db, QUBESDB_MULTIREAD, "", "", 0);
		return true;
	}
	if (!own && !db->answers.used)
		return false;
	db->was_own = own && !(db->answers.used && db->was_own);
	if (db->was_own)
		output_own(db);
	else
		output_answer(db);
	return true;
}

/* Writes what there is room for. Positive when any byte was written, or an error. */
static int64_t output_pump(struct qubesdb *db)
{
	int64_t any = 0;

	while (!db->deaf) {
		int64_t moved;

		if (db->output_moved == db->output_bytes && !output_next(db))
			break;
		moved = vchan_try_write(db->vchan, db->output + db->output_moved,
					db->output_bytes - db->output_moved);
		if (moved == -EPIPE) {
			db->deaf = true;
			db->answers.used = 0;
			break;
		}
		if (moved <= 0)
			return moved ? moved : any;
		any = moved;
		db->output_moved += (uint32_t)moved;
	}
	return any;
}

/* ---- the connection ---- */

static void connection_begin(struct qubesdb *db)
{
	db->since_ns = db->moved_ns = clock_now_ns();
	db->asked = db->deaf = false;
	db->reading = true;
	db->refusal_said = false;
	db->answers.used = db->answers.head = 0;
	db->output_bytes = db->output_moved = 0;
	db->input_moved = 0;
	db->stats.connections++;
}

/* Everything of ours goes before what is unsent already, as it was written before. */
static void connection_end(struct qubesdb *db)
{
	vchan_close(db->vchan);
	db->vchan = NULL;
	db->answered = db->sent;
	while (!list_is_empty(&db->told)) {
		struct list *link = db->told.prev;

		list_remove(link);
		list_push_front(&db->unsent, link);
		list_entry(link, struct qubesdb_node, queue)->sent = NOT_SENT;
	}
}

/* After nothing could be moved. */
static int connection_wait(struct qubesdb *db)
{
	uint64_t now = clock_now_ns();

	if (!answers_have_room(db) && now - db->moved_ns >= STUCK_NS) {
		log_limited(&db->limit, LOG_ERROR, "qubesdb", "dom0 takes no answers");
		return -EPROTO;
	}
	(void)!fiber_event_wait(&db->event, now + LOOK_AGAIN_NS);
	(void)vchan_state(db->vchan);
	return 0;
}

/*
 * Without all entries nothing may pass. dom0 tells them once a connection, so only another
 * one can mend it.
 */
static bool is_to_read_again(const struct qubesdb *db)
{
	return db->refusal_said && !db->reading && clock_now_ns() - db->refused_ns >= READ_AGAIN_NS;
}

/* Until the connection ends: the error that ended it. */
static int connection_serve(struct qubesdb *db)
{
	for (;;) {
		int64_t wrote = output_pump(db);
		int64_t got = wrote < 0 ? 0 : input_pump(db);
		int error = 0;

		if (wrote < 0 || got < 0)
			return (int)(wrote < 0 ? wrote : got);
		if (is_to_read_again(db))
			return -EAGAIN;
		if (wrote || got) {
			db->moved_ns = clock_now_ns();
			fiber_yield();
		} else {
			error = connection_wait(db);
		}
		if (error)
			return error;
	}
}

/* One that is at once lost again, or was never made, costs a wait that doubles each time. */
static void back_off(struct qubesdb *db, bool was_steady)
{
	if (was_steady)
		db->delay_ns = DELAY_MIN_NS;
	fiber_sleep_until(clock_now_ns() + db->delay_ns);
	db->delay_ns *= 2;
	if (db->delay_ns > DELAY_MAX_NS)
		db->delay_ns = DELAY_MAX_NS;
}

static int vchan_path(uint16_t server, char path[VCHAN_PATH_BYTES])
{
	uint16_t domid = store_domid();

	if (domid == DOMID_INVALID)
		return -EIO;
	snprintf(path, VCHAN_PATH_BYTES, "/local/domain/%u/data/vchan/%u/%u", server, domid,
		 QUBESDB_PORT);
	return 0;
}

static int connection_make(struct qubesdb *db)
{
	int error = vchan_path(db->config.server, db->path);

	if (error)
		return error;
	return vchan_connect(db->config.server, db->path, &db->event, clock_now_ns() + CONNECT_NS,
			     &db->vchan);
}

static void client_main(void *argument)
{
	struct qubesdb *db = argument;

	for (;;) {
		int error = connection_make(db);

		if (error) {
			/* Not being there is no fault. */
			if (error != -ETIMEDOUT)
				log_limited(&db->limit, LOG_WARNING, "qubesdb",
					    "cannot connect: error %d", error);
			back_off(db, error == -ETIMEDOUT);
			continue;
		}
		connection_begin(db);
		error = connection_serve(db);
		connection_end(db);
		log_limited(&db->limit, LOG_WARNING, "qubesdb", "connection %s; connecting again",
			    error == -EPIPE ? "lost" : "given up");
		back_off(db, clock_now_ns() - db->since_ns >= STEADY_NS);
	}
}

int qubesdb_start(const struct qubesdb_config *config, struct qubesdb **db)
{
	struct qubesdb *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->config = *config;
	made->delay_ns = DELAY_MIN_NS;
	made->limit = (struct log_limit)LOG_LIMIT_INIT;
	qubesdb_tree_init(&made->tree);
	list_init(&made->unsent);
	list_init(&made->told);
	fiber_event_init(&made->event);
	fiber_event_init(&made->settled);
	if (fiber_start("qubesdb", client_main, made)) {
		free(made);
		return -ENOMEM;
	}
	*db = made;
	return 0;
}

/* ---- for the owner ---- */

bool qubesdb_is_offered(uint16_t server)
{
	char path[VCHAN_PATH_BYTES + sizeof("/event-channel")];
	uint64_t port;

	if (vchan_path(server, path))
		return false;
	memcpy(path + strlen(path), "/event-channel", sizeof("/event-channel"));
	return store_read_u64(STORE_NO_TRANSACTION, path, &port) == 0 && port;
}

bool qubesdb_is_loaded(const struct qubesdb *db)
{
	return db->loaded;
}

bool qubesdb_is_connected(const struct qubesdb *db)
{
	return db->vchan && !db->deaf;
}

bool qubesdb_is_whole(const struct qubesdb *db)
{
	return db->whole;
}

bool qubesdb_is_drained(struct qubesdb *db)
{
	return !db->vchan || (!db->reading && !db->input_moved && !vchan_readable(db->vchan));
}

bool qubesdb_is_said(const struct qubesdb *db, const struct qubesdb_entry *entry)
{
	const struct qubesdb_node *node = list_entry(entry, const struct qubesdb_node, entry);

	return node->said == db->stats.connections;
}

static const struct qubesdb_entry *entry_of(const struct qubesdb_node *node)
{
	return node ? &node->entry : NULL;
}

const struct qubesdb_entry *qubesdb_get(const struct qubesdb *db, const char *path)
{
	return entry_of(qubesdb_tree_find(&db->tree, path));
}

const struct qubesdb_entry *qubesdb_next(const struct qubesdb *db, const char *prefix,
					 const char *after)
{
	return entry_of(qubesdb_tree_next(&db->tree, prefix, after));
}

static bool is_own(const struct qubesdb *db, const char *path)
{
	const struct qubesdb_node *node = qubesdb_tree_find(&db->tree, path);

	return node && !list_is_empty(&node->queue);
}

int qubesdb_write(struct qubesdb *db, const char *path, const char *value)
{
	size_t length = strnlen(value, QUBESDB_VALUE_MAX + 1);
	struct qubesdb_node *node;
	int error;

	if (qubesdb_wire_check_path(path) || qubesdb_wire_check_value(value, length))
		return -EINVAL;
	if (db->own >= QUBESDB_OWN_MAX && !is_own(db, path))
		return -E2BIG;
	node = qubesdb_tree_put(&db->tree, path, value, length, &error);
	if (!node)
		return error;
	db->own += list_is_empty(&node->queue);
	if (list_is_empty(&node->queue) || node->sent != NOT_SENT) {
		list_remove(&node->queue);
		list_push_back(&db->unsent, &node->queue);
		node->sent = NOT_SENT;
	}
	fiber_event_signal(&db->event);
	return 0;
}

void qubesdb_forget(struct qubesdb *db, const char *path)
{
	bool is_prefix = *path && path[strlen(path) - 1] == '/';
	struct qubesdb_node *node;

	while ((node = is_prefix ? qubesdb_tree_next(&db->tree, path, "")
				 : qubesdb_tree_find(&db->tree, path)))
		node_remove(db, node);
}

static bool is_settled(const struct qubesdb *db)
{
	return list_is_empty(&db->unsent) && db->answered == db->sent;
}

int qubesdb_flush(struct qubesdb *db, uint64_t deadline_ns)
{
	while (!is_settled(db)) {
		int error = fiber_event_wait(&db->settled, deadline_ns);

		if (error)
			return is_settled(db) ? 0 : error;
	}
	return 0;
}

void qubesdb_print_stats(const struct qubesdb *db, void (*line)(void *context, const char *text),
			 void *context)
{
	char text[LINE_BYTES];

	snprintf(text, sizeof(text),
		 "qubesdb: %s%s, entries %" PRIu32 " bytes %" PRIu32 " own %" PRIu32
		 " unanswered %" PRIu64 "%s",
		 qubesdb_is_connected(db) ? "connected" : "not connected",
		 db->vchan && db->reading ? ", reading" : "", db->tree.entries, db->tree.bytes,
		 db->own, db->sent - db->answered, db->loaded && !db->whole ? ", NOT WHOLE" : "");
	line(context, text);
	snprintf(text, sizeof(text),
		 "qubesdb: connections %" PRIu64 " reads %" PRIu64 " writes %" PRIu64
		 " removals %" PRIu64 " own-writes %" PRIu64,
		 db->stats.connections, db->stats.reads, db->stats.writes, db->stats.removals,
		 db->sent);
	line(context, text);
	snprintf(text, sizeof(text),
		 "qubesdb: refused %" PRIu64 " not-taken %" PRIu64 " strays %" PRIu64
		 " garbage %" PRIu64,
		 db->stats.refused, db->stats.errors, db->stats.strays, db->stats.garbage);
	line(context, text);
}
