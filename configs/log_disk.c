/* SPDX-License-Identifier: ISC */
#include "configs/log_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "configs/log_disk_parts.h"
#include "lib/drop.h"
#include "lib/minmax.h"
#include "lib/panic.h"

#define BACKOFF_LEAST_NS 1000000000ull
#define BACKOFF_MOST_NS 64000000000ull
#define BUFFERS_HELD_MOST 4u
#define TRIES_SHARE 16u /* of the segments; as many are tried when writing fails */
#define TRIES_LEAST 2u
#define SECTORS_MOST (1ull << 50) /* what a backend says is not multiplied beyond that */

void log_disk_init(struct log_disk *log, const struct log_disk_config *config)
{
	if (config->bytes < LOG_DISK_MEMORY_LEAST)
		panic("a log with %zu bytes of memory", config->bytes);
	memset(log, 0, sizeof(*log));
	log->config = *config;
	log->limit = (struct log_limit)LOG_LIMIT_INIT;
	log->run = random_u64(config->random);
	if (!log->config.flush_ns)
		log->config.flush_ns = LOG_DISK_FLUSH_NS;
	if (!log->config.flush_bytes)
		log->config.flush_bytes = LOG_DISK_FLUSH_BYTES;
	if (config->packets)
		log->packets_seen = config->packets->written;
}

/* ---- what waits: a ring of bytes ---- */

static void ring_get(const struct log_disk *log, size_t at, uint8_t *to, size_t bytes)
{
	const uint8_t *ring = log->config.memory;
	size_t size = log->config.bytes, behind;

	at %= size;
	behind = bytes < size - at ? bytes : size - at;
	memcpy(to, ring + at, behind);
	memcpy(to + behind, ring, bytes - behind);
}

static void ring_put(struct log_disk *log, const uint8_t *from, size_t bytes)
{
	size_t size = log->config.bytes, at = (log->first + log->used) % size;
	size_t behind = bytes < size - at ? bytes : size - at;
	uint8_t *ring = log->config.memory;

	memcpy(ring + at, from, behind);
	memcpy(ring, from + behind, bytes - behind);
	log->used += bytes;
}

/* The length of the record that stands `ahead` bytes behind the first. */
static uint32_t ring_record_bytes(const struct log_disk *log, size_t ahead)
{
	uint8_t head[LOG_DISK_RECORD_LEAST];

	ring_get(log, log->first + ahead, head, sizeof(head));
	return log_disk_record_bytes(head);
}

static void oldest_remove(struct log_disk *log)
{
	uint32_t bytes = ring_record_bytes(log, 0);

	log->first = (log->first + bytes) % log->config.bytes;
	log->used -= bytes;
	log->first_number++;
}

static bool is_batch_under_way(const struct log_disk *log)
{
	return log->state == LOG_DISK_READY && log->asked;
}

static uint64_t batch_end(const struct log_disk *log)
{
	return log->batch.first_record + log->batch.records;
}

/* Those of the batch that have made room since. */
static uint64_t batch_gone(const struct log_disk *log)
{
	return min64(log->first_number, batch_end(log)) - log->batch.first_record;
}

static void record_add(struct log_disk *log, const struct log_disk_record *record)
{
	uint8_t bytes[LOG_DISK_RECORD_MOST];
	size_t count = log_disk_record_write(record, bytes, sizeof(bytes));

	while (log->config.bytes - log->used < count) {
		/* What becomes of those that are on their way is not known yet. */
		log->stats.dropped +=
			!is_batch_under_way(log) || log->first_number >= batch_end(log);
		oldest_remove(log);
	}
	if (!log->used) {
		log->oldest_ns = log->config.now_ns();
		log->first_number = log->next_number;
	}
	ring_put(log, bytes, count);
	log->next_number++;
}

/* ---- what is given ---- */

static struct log_disk_text text_of(const char *text)
{
	return (struct log_disk_text){ text, (uint32_t)strlen(text) };
}

static uint8_t verdict_of(const struct packet_log_record *record)
{
	if (record->action == RULES_PASS)
		return record->reason < DROP_REASON_COUNT ? LOG_DISK_DROP : LOG_DISK_PASS;
	return record->action == RULES_BLOCK_DROP ? LOG_DISK_BLOCK : LOG_DISK_BLOCK_RETURN;
}

/* `lost` are those before it that went before they could be taken. */
static void packet_add(struct log_disk *log, const struct packet_log_record *from, uint64_t lost,
		       uint64_t wall_offset_ns)
{
	bool dropped = from->reason < DROP_REASON_COUNT;
	struct log_disk_record record = {
		.time_ns = from->now_ns + wall_offset_ns,
		.kind = LOG_DISK_PACKET,
		.packet = {
			.left_out = from->left_out + lost,
			.length = from->length,
			.line = from->line,
			.captured = from->captured,
			.direction = from->direction == RULES_IN ? LOG_DISK_IN : LOG_DISK_OUT,
			.verdict = verdict_of(from),
			.interface = text_of(from->interface),
			.label = text_of(from->label),
			.reason = text_of(dropped ? drop_name(from->reason) : ""),
			.bytes = from->bytes,
		},
	};

	log->stats.packets++;
	record_add(log, &record);
}

static void packets_take(struct log_disk *log)
{
	const struct packet_log *packets = log->config.packets;
	uint64_t wall_offset_ns, lost = 0;

	if (!packets || log->packets_seen == packets->written)
		return;
	if (packets->written - log->packets_seen > packets->capacity) {
		lost = packets->written - log->packets_seen - packets->capacity;
		log->packets_seen += lost;
		log->stats.packets += lost;
		log->stats.dropped += lost;
	}
	wall_offset_ns = log->config.wall_ns() - log->config.now_ns();
	for (; log->packets_seen < packets->written; log->packets_seen++, lost = 0)
		packet_add(log, &packets->records[log->packets_seen % packets->capacity], lost,
			   wall_offset_ns);
}

void log_disk_line(struct log_disk *log, const char *line, size_t length)
{
	struct log_disk_record record = { .time_ns = log->config.wall_ns(), .kind = LOG_DISK_LINE };

	packets_take(log);
	if (length && line[length - 1] == '\n')
		length--;
	record.line = (struct log_disk_text){ line, min32((uint32_t)length, LOG_DISK_LINE_MOST) };
	log->stats.lines++;
	record_add(log, &record);
}

/* ---- requests ---- */

static uint64_t device_bytes(const struct block_device *device)
{
	return min64(device->geometry.sectors, SECTORS_MOST) * device->geometry.sector_bytes;
}

uint64_t log_disk_room(const struct log_disk *log)
{
	uint64_t bytes = device_bytes(log->device);

	return bytes > log->offset ? bytes - log->offset : 0;
}

static void reported(struct block_request *request, int error)
{
	struct log_disk *log = request->context;

	log->results[request - log->requests] = error;
	log->under_way--;
}

/* What is written is flushed with it, where the disk can do that. */
static uint32_t flags_for(struct log_disk *log, enum block_op op)
{
	bool flush = log->device->geometry.flush && !log->no_flush;

	if (op != BLOCK_WRITE)
		return 0;
	if (!flush && !log->unflushed)
		log_limited(&log->limit, LOG_WARNING, "logdisk",
			    "%s offers no flush: what is lost when the power fails nobody can say",
			    log->device->name);
	log->unflushed = !flush;
	return flush ? BLOCK_FUA : 0;
}

void log_disk_ask(struct log_disk *log, enum block_op op, uint64_t at, uint32_t bytes,
		  uint8_t *data)
{
	uint32_t sector_bytes = log->device->geometry.sector_bytes;
	struct block_request *request = &log->requests[log->asked++];

	memset(request, 0, sizeof(*request));
	request->op = op;
	request->flags = flags_for(log, op);
	request->sector = (log->offset + at) / sector_bytes;
	request->count = bytes / sector_bytes;
	request->data = data;
	request->done = reported;
	request->context = log;
}

void log_disk_submit(struct log_disk *log)
{
	struct block_request *requests[LOG_DISK_READS];
	int error;

	for (uint32_t i = 0; i < log->asked; i++)
		requests[i] = &log->requests[i];
	log->under_way = log->asked;
	error = block_submit(log->device, requests, log->asked);
	if (!error)
		return;
	log->under_way = 0;
	for (uint32_t i = 0; i < log->asked; i++)
		log->results[i] = error;
}

int log_disk_result(const struct log_disk *log)
{
	for (uint32_t i = 0; i < log->asked; i++)
		if (log->results[i])
			return log->results[i];
	return 0;
}

bool log_disk_any_result(const struct log_disk *log, int error)
{
	for (uint32_t i = 0; i < log->asked; i++)
		if (log->results[i] == error)
			return true;
	return false;
}

void log_disk_back_off(struct log_disk *log, int error, const char *what)
{
	log->stats.errors++;
	log->backoff_ns =
		log->backoff_ns ? min64(2 * log->backoff_ns, BACKOFF_MOST_NS) : BACKOFF_LEAST_NS;
	log->wait_ns = log->config.now_ns() + log->backoff_ns;
	log_limited(&log->limit, LOG_WARNING, "logdisk", "%s: %s: %s; again in %u s",
		    log->device->name, what, block_error_name(error),
		    (unsigned int)(log->backoff_ns / BACKOFF_LEAST_NS));
}

/* ---- the device comes and goes ---- */

int log_disk_attach(struct log_disk *log, struct block_device *device, uint64_t offset,
		    bool may_format)
{
	const struct block_geometry *geometry = &device->geometry;
	struct log_disk_super plan;
	int error;

	if (log->device)
		return -EALREADY;
	if (!geometry->sector_bytes || LOG_DISK_UNIT_LEAST % geometry->sector_bytes)
		return -EINVAL;
	if (geometry->read_only)
		return -EROFS;
	if (device_bytes(device) < offset)
		return -ENOSPC;
	error = log_disk_plan(&plan, device_bytes(device) - offset,
			      geometry->physical_sector_bytes);
	if (error)
		return error;
	if (offset % plan.unit_bytes)
		return -EINVAL;
	log->buffer = block_buffer_alloc(device, LOG_DISK_BUFFER_BYTES);
	if (!log->buffer)
		return device->gone ? -ENODEV : -ENOMEM;
	log->device = device;
	log->offset = offset;
	log->may_format = may_format;
	log->leaving = log->no_flush = log->unflushed = false;
	log->wait_ns = log->backoff_ns = 0;
	log_disk_look(log);
	return 0;
}

/* Those of the batch that made room meanwhile are on the disk all the same. */
static void batch_flushed(struct log_disk *log)
{
	while (log->used && log->first_number < batch_end(log))
		oldest_remove(log);
	log->stats.flushed += log->batch.records;
	log->stats.flushes++;
	log->backoff_ns = 0;
	log->tries = 0;
}

/* A backend that still holds it has it for ever. */
static void buffer_forget(struct log_disk *log)
{
	if (!log->buffer || !log_disk_any_result(log, -EBUSY))
		return;
	log->buffer = NULL;
	log->buffers_held++;
}

static void device_leave(struct log_disk *log, enum log_disk_state state)
{
	if (is_batch_under_way(log) && !log_disk_result(log))
		batch_flushed(log);
	else if (is_batch_under_way(log))
		log->stats.dropped += batch_gone(log);
	buffer_forget(log);
	block_buffer_free(log->device, log->buffer, LOG_DISK_BUFFER_BYTES);
	log->buffer = NULL;
	log->device = NULL;
	log->asked = 0;
	log->state = state;
}

void log_disk_refuse(struct log_disk *log)
{
	device_leave(log, LOG_DISK_REFUSED);
}

void log_disk_detach(struct log_disk *log)
{
	log->leaving = true;
	if (!log->device)
		log->state = LOG_DISK_NONE;
	else if (!log->under_way)
		device_leave(log, LOG_DISK_NONE);
}

/* What concerns every kind of request; true: go on. */
static bool reports_look_at(struct log_disk *log)
{
	if (log->leaving || log_disk_any_result(log, -ENODEV)) {
		device_leave(log, LOG_DISK_NONE);
		return false;
	}
	buffer_forget(log);
	if (!log->buffer && log->buffers_held <= BUFFERS_HELD_MOST)
		log->buffer = block_buffer_alloc(log->device, LOG_DISK_BUFFER_BYTES);
	if (log->buffer)
		return true;
	log_line(LOG_ERROR, "logdisk", "%s keeps the log's memory: no log any more",
		 log->device->name);
	log_disk_refuse(log);
	return false;
}

/* ---- writing ---- */

static uint32_t batch_padded(const struct log_disk *log)
{
	uint32_t unit = log->super.unit_bytes;

	return (log->batch.bytes + unit - 1) / unit * unit;
}

static void batch_failed(struct log_disk *log, int error)
{
	log->stats.dropped += batch_gone(log);
	/* Of this segment nothing more is expected: the records go to the next one. */
	log->segment_at = 0;
	if (error == -EOPNOTSUPP && !log->no_flush) {
		log->no_flush = true;
		return;
	}
	log_disk_back_off(log, error, "cannot be written");
}

/* How many segments there are, of a disk that may have shrunk. */
static uint32_t segments_there(const struct log_disk *log)
{
	uint64_t room = log_disk_room(log);

	if (room >= log_disk_bytes(&log->super))
		return log->super.segments;
	if (room < LOG_DISK_HEAD_BYTES)
		return 0;
	return (uint32_t)((room - LOG_DISK_HEAD_BYTES) / log->super.segment_bytes);
}

/*
 * The place for the next segment. A disk to which nothing can be written must not lose all
 * that it holds to vain tries: behind so many the same places are tried again.
 */
static uint32_t place_next(struct log_disk *log, uint32_t segments)
{
	uint32_t most = max32(segments / TRIES_SHARE, TRIES_LEAST);

	if (log->tries < most || most >= segments) {
		log->tries++;
		return (log->segment.index + 1) % segments;
	}
	log->tries = 1;
	return (log->segment.index + segments - most + 1) % segments;
}

static bool segment_begin(struct log_disk *log)
{
	uint32_t segments = segments_there(log);

	if (!segments)
		return false;
	log->segment.sequence++;
	log->segment.index = place_next(log, segments);
	log->segment.nonce = random_u64(log->config.random);
	log->segment.run = log->run;
	log->segment.begun_ns = log->config.wall_ns();
	memset(log->buffer, 0, log->super.unit_bytes);
	log_disk_segment_write(&log->super, &log->segment, log->buffer);
	log->batch.number = 0;
	log->stats.segments++;
	return true;
}

/* As many records as fit, behind the batch's header at `to`, and zeroes to the next unit. */
static void batch_make(struct log_disk *log, uint8_t *to, uint32_t most)
{
	struct log_disk_batch *batch = &log->batch;
	size_t ahead = 0;

	batch->nonce = log->segment.nonce;
	batch->first_record = log->first_number;
	batch->written_ns = log->config.wall_ns();
	batch->records = 0;
	batch->bytes = LOG_DISK_BATCH_HEADER;
	while (ahead < log->used) {
		uint32_t bytes = ring_record_bytes(log, ahead);

		if (bytes > most - batch->bytes)
			break;
		ring_get(log, log->first + ahead, to + batch->bytes, bytes);
		batch->bytes += bytes;
		batch->records++;
		ahead += bytes;
	}
	/* What comes while this is under way waits from now on: else each line is a batch. */
	if (ahead == log->used)
		log->oldest_ns = log->config.now_ns();
	log_disk_batch_write(batch, to);
	memset(to + batch->bytes, 0, batch_padded(log) - batch->bytes);
}

/* One request: the batch, and before it the segment's header if that begins here. */
static void batch_send(struct log_disk *log)
{
	uint32_t unit = log->super.unit_bytes, ahead = 0;
	uint64_t at;

	if (!log->segment_at || log->super.segment_bytes - log->segment_at < unit) {
		log->segment_at = 0;
		if (!segment_begin(log)) {
			log_disk_back_off(log, -ENOSPC, "cannot be written");
			return;
		}
		log->segment_at = unit;
		ahead = unit;
	}
	batch_make(
		log, log->buffer + unit,
		(uint32_t)min64(LOG_DISK_BATCH_MOST, log->super.segment_bytes - log->segment_at));
	at = log_disk_segment_at(&log->super, log->segment.index) + log->segment_at - ahead;
	log_disk_ask(log, BLOCK_WRITE, at, ahead + batch_padded(log), log->buffer + unit - ahead);
	log->stats.bytes += ahead + batch_padded(log);
	log_disk_submit(log);
}

static void batch_reported(struct log_disk *log)
{
	int error = log_disk_result(log);

	log->asked = 0;
	if (error) {
		batch_failed(log, error);
		return;
	}
	batch_flushed(log);
	log->segment_at += batch_padded(log);
	log->batch.number++;
}

/* ---- time ---- */

/* When what waits is to be sent. */
static uint64_t due_ns(const struct log_disk *log)
{
	if (!log->used)
		return UINT64_MAX;
	if (log->used >= log->config.flush_bytes || log->first_number < log->hurry_number)
		return log->wait_ns;
	return log->oldest_ns + log->config.flush_ns > log->wait_ns
		       ? log->oldest_ns + log->config.flush_ns
		       : log->wait_ns;
}

void log_disk_run(struct log_disk *log, uint64_t now_ns)
{
	packets_take(log);
	if (!log->device || log->under_way)
		return;
	if (log->asked && !reports_look_at(log))
		return;
	if (log->state != LOG_DISK_READY && now_ns >= log->wait_ns)
		log_disk_look_on(log);
	if (!log->device || log->state != LOG_DISK_READY)
		return;
	if (log->asked)
		batch_reported(log);
	if (now_ns < log->wait_ns)
		return;
	if (log->sectors != log->device->geometry.sectors)
		log_disk_look(log);
	else if (now_ns >= due_ns(log))
		batch_send(log);
}

uint64_t log_disk_next_ns(const struct log_disk *log)
{
	const struct packet_log *packets = log->config.packets;
	uint64_t fresh_ns = UINT64_MAX, due;

	if (!log->device || log->under_way)
		return UINT64_MAX;
	if (log->asked)
		return 0;
	if (log->state != LOG_DISK_READY || log->sectors != log->device->geometry.sectors)
		return log->wait_ns;
	if (packets && log->packets_seen != packets->written)
		fresh_ns = 0;
	due = due_ns(log);
	return due < fresh_ns ? due : fresh_ns;
}

void log_disk_hurry(struct log_disk *log)
{
	packets_take(log);
	log->hurry_number = log->next_number;
}

bool log_disk_is_clean(const struct log_disk *log)
{
	return !log->device || (log->state == LOG_DISK_READY && !log->used && !log->asked);
}

void log_disk_print_stats(const struct log_disk *log, void (*line)(void *context, const char *text),
			  void *context)
{
	static const char *const states[] = {
		[LOG_DISK_NONE] = "no disk",	  [LOG_DISK_LOOKING] = "looking",
		[LOG_DISK_MAKING] = "formatting", [LOG_DISK_READY] = "ready",
		[LOG_DISK_REFUSED] = "refused",
	};
	const struct log_disk_stats *stats = &log->stats;
	char text[128];

	snprintf(text, sizeof(text), "logdisk %s: %s, segment %" PRIu64 ", errors %" PRIu64,
		 log->device ? log->device->name : "-", states[log->state], log->segment.sequence,
		 stats->errors);
	line(context, text);
	snprintf(text, sizeof(text),
		 "logdisk: lines %" PRIu64 ", packets %" PRIu64 ", flushed %" PRIu64
		 ", waiting %" PRIu64 ", dropped %" PRIu64,
		 stats->lines, stats->packets, stats->flushed,
		 stats->lines + stats->packets - stats->flushed - stats->dropped, stats->dropped);
	line(context, text);
	snprintf(text, sizeof(text), "logdisk: flushes %" PRIu64 ", bytes %" PRIu64, stats->flushes,
		 stats->bytes);
	line(context, text);
}
