/* SPDX-License-Identifier: ISC */
#include "tests/configs/firewall/fake_qubes.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "arch/x86/memory.h"
#include "configs/firewall/qubes_parts.h"
#include "xen/fiber.h"

#define ENTRIES 2048u
#define OUTPUT 65536u

struct qubesdb {
	struct qubesdb_config config;
	bool loaded;
};

struct qrexec {
	struct qrexec_config config;
	bool connected;
};

struct qrexec_call {
	const char *input;
	char output[OUTPUT], error[OUTPUT];
};

uint64_t fake_now_ns = 1000000000ull, fake_wall_ns = 1795274155000000000ull;
bool fake_whole = true, fake_drained = true;

static struct qubesdb db;
static struct qrexec agent;
static struct qrexec_call call;
static struct qubesdb_entry entries[ENTRIES];
static bool said[ENTRIES]; /* since the daemon began; of `entries` */
static uint32_t count;
static char triggered[QREXEC_NAME_BYTES];

/* ---- time and memory ---- */

uint64_t clock_now_ns(void)
{
	return fake_now_ns;
}

uint64_t clock_wall_ns(void)
{
	return fake_wall_ns;
}

void clock_wall_set(uint64_t wall_ns)
{
	fake_wall_ns = wall_ns;
}

void *memory_alloc_pages(size_t pages)
{
	return calloc(pages, PAGE_BYTES);
}

/* ---- the fiber: a thread that runs while the test waits ---- */

static struct {
	void (*entry)(void *argument);
	void *argument;
	pthread_t thread;
	sem_t go, stopped;
	uint64_t wakes_ns; /* when it wants to run at the latest */
	struct fiber_event *waits;
} fiber;

static void *fiber_main(void *argument)
{
	(void)argument;
	sem_wait(&fiber.go);
	fiber.entry(fiber.argument);
	return NULL;
}

int fiber_start(const char *name, void (*entry)(void *argument), void *argument)
{
	(void)name;
	ck_assert_ptr_null((void *)(uintptr_t)fiber.entry);
	fiber.entry = entry;
	fiber.argument = argument;
	ck_assert_int_eq(sem_init(&fiber.go, 0, 0), 0);
	ck_assert_int_eq(sem_init(&fiber.stopped, 0, 0), 0);
	return -pthread_create(&fiber.thread, NULL, fiber_main, NULL);
}

static void stop(struct fiber_event *event, uint64_t deadline_ns)
{
	fiber.waits = event;
	fiber.wakes_ns = deadline_ns;
	sem_post(&fiber.stopped);
	sem_wait(&fiber.go);
}

void fiber_event_init(struct fiber_event *event)
{
	event->signalled = false;
}

void fiber_event_signal(struct fiber_event *event)
{
	event->signalled = true;
}

int fiber_event_wait(struct fiber_event *event, uint64_t deadline_ns)
{
	bool timed_out;

	if (!event->signalled)
		stop(event, deadline_ns);
	timed_out = !event->signalled;
	event->signalled = false;
	return timed_out ? -ETIMEDOUT : 0;
}

/* In the test itself (a service): time passes. */
void fiber_sleep_until(uint64_t deadline_ns)
{
	if (pthread_equal(pthread_self(), fiber.thread))
		stop(NULL, deadline_ns);
	else
		fake_now_ns = deadline_ns;
}

static bool is_due(void)
{
	return fake_now_ns >= fiber.wakes_ns || (fiber.waits && fiber.waits->signalled);
}

void fake_step(void)
{
	ck_assert(is_due());
	sem_post(&fiber.go);
	sem_wait(&fiber.stopped);
}

void fake_run(void)
{
	for (unsigned int rounds = 0; is_due(); rounds++) {
		ck_assert_msg(rounds < 100, "the fiber does not come to rest");
		fake_step();
		/* Short pauses pass at once, longer ones are the test's. */
		if (!fiber.waits && fiber.wakes_ns - fake_now_ns < 500000000u)
			fake_now_ns = fiber.wakes_ns;
	}
}

/* ---- QubesDB ---- */

static uint32_t position(const char *path)
{
	uint32_t at = 0;

	while (at < count && strcmp(entries[at].path, path) < 0)
		at++;
	return at;
}

static bool there(uint32_t at, const char *path)
{
	return at < count && strcmp(entries[at].path, path) == 0;
}

static void put(const char *path, const char *value)
{
	uint32_t at = position(path);

	if (!there(at, path)) {
		ck_assert_uint_lt(count, ENTRIES);
		memmove(&said[at + 1], &said[at], (count - at) * sizeof(said[0]));
		memmove(&entries[at + 1], &entries[at], (count++ - at) * sizeof(entries[0]));
		entries[at].path = strdup(path);
	} else {
		free((void *)(uintptr_t)entries[at].value);
	}
	entries[at].value = strdup(value);
	entries[at].length = strlen(value);
	said[at] = true;
}

void fake_write(const char *path, const char *value)
{
	put(path, value);
	if (db.loaded)
		db.config.changed(db.config.context, path, value, strlen(value));
}

static void take_out(uint32_t at)
{
	const char *path = entries[at].path, *value = entries[at].value;

	memmove(&said[at], &said[at + 1], (count - 1 - at) * sizeof(said[0]));
	memmove(&entries[at], &entries[at + 1], (--count - at) * sizeof(entries[0]));
	if (db.loaded)
		db.config.changed(db.config.context, path, NULL, 0);
	free((void *)(uintptr_t)path);
	free((void *)(uintptr_t)value);
}

void fake_remove(const char *path)
{
	size_t length = strlen(path);
	uint32_t at = position(path);

	if (path[length - 1] != '/') {
		ck_assert(there(at, path));
		take_out(at);
		return;
	}
	while (at < count && strncmp(entries[at].path, path, length) == 0)
		if (said[at])
			take_out(at);
		else
			at++;
}

void fake_restarted(void)
{
	memset(said, 0, sizeof(said));
}

void fake_loaded(void)
{
	db.loaded = true;
	db.config.loaded(db.config.context);
}

bool fake_has(const char *path)
{
	return there(position(path), path);
}

const char *fake_written(const char *path)
{
	uint32_t at = position(path);

	return there(at, path) ? entries[at].value : "";
}

int qubesdb_start(const struct qubesdb_config *config, struct qubesdb **out)
{
	db.config = *config;
	*out = &db;
	return 0;
}

bool qubesdb_is_offered(uint16_t server)
{
	return server == 0;
}

bool qubesdb_is_loaded(const struct qubesdb *of)
{
	return of->loaded;
}

bool qubesdb_is_whole(const struct qubesdb *of)
{
	(void)of;
	return fake_whole;
}

bool qubesdb_is_drained(struct qubesdb *of)
{
	(void)of;
	return fake_drained;
}

bool qubesdb_is_said(const struct qubesdb *of, const struct qubesdb_entry *entry)
{
	(void)of;
	return said[entry - entries];
}

const struct qubesdb_entry *qubesdb_get(const struct qubesdb *of, const char *path)
{
	uint32_t at = position(path);

	(void)of;
	return there(at, path) ? &entries[at] : NULL;
}

const struct qubesdb_entry *qubesdb_next(const struct qubesdb *of, const char *prefix,
					 const char *after)
{
	(void)of;
	for (uint32_t at = 0; at < count; at++)
		if (strcmp(entries[at].path, after) > 0 &&
		    strncmp(entries[at].path, prefix, strlen(prefix)) == 0)
			return &entries[at];
	return NULL;
}

int qubesdb_write(struct qubesdb *of, const char *path, const char *value)
{
	(void)of;
	put(path, value);
	return 0;
}

void qubesdb_forget(struct qubesdb *of, const char *path)
{
	bool loaded = of->loaded;

	of->loaded = false; /* nobody is told */
	if (path[strlen(path) - 1] == '/' || there(position(path), path))
		fake_remove(path);
	of->loaded = loaded;
}

void qubesdb_print_stats(const struct qubesdb *of, void (*line)(void *context, const char *text),
			 void *context)
{
	(void)of;
	line(context, "qubesdb: fake");
}

/* ---- qrexec ---- */

int qrexec_start(const struct qrexec_config *config, struct qrexec **out)
{
	agent.config = *config;
	*out = &agent;
	return 0;
}

void fake_daemon(void)
{
	agent.connected = true;
	agent.config.connected(agent.config.context);
}

bool qrexec_is_connected(const struct qrexec *of)
{
	return of->connected;
}

int qrexec_trigger(struct qrexec *of, const char *service, const char *target,
		   void (*done)(void *context, int result), void *context)
{
	(void)of;
	ck_assert_str_eq(target, "dom0");
	snprintf(triggered, sizeof(triggered), "%s", service);
	if (done)
		done(context, 0);
	return 0;
}

const char *fake_triggered(void)
{
	return triggered;
}

void qrexec_print_stats(const struct qrexec *of, void (*line)(void *context, const char *text),
			void *context)
{
	(void)of;
	line(context, "qrexec: fake");
}

int qrexec_call_read_line(struct qrexec_call *of, char *to, size_t size, uint64_t deadline_ns)
{
	size_t length = strcspn(of->input, "\n");

	(void)deadline_ns;
	if (!*of->input)
		return -ENODATA;
	if (length >= size)
		return -E2BIG;
	memcpy(to, of->input, length);
	to[length] = '\0';
	of->input += length + (of->input[length] == '\n');
	return (int)length;
}

static int append(char *to, const void *from, size_t size)
{
	size_t length = strlen(to);

	ck_assert_uint_lt(length + size, OUTPUT);
	if (size)
		memcpy(to + length, from, size);
	to[length + size] = '\0';
	return 0;
}

int qrexec_call_write(struct qrexec_call *of, const void *from, size_t size)
{
	return append(of->output, from, size);
}

int qrexec_call_write_error(struct qrexec_call *of, const void *from, size_t size)
{
	return append(of->error, from, size);
}

int fake_call(const char *service, const char *input)
{
	memset(&call, 0, sizeof(call));
	call.input = input;
	for (uint32_t i = 0; i < agent.config.service_count; i++)
		if (strcmp(agent.config.services[i].name, service) == 0)
			return agent.config.services[i].run(&call, agent.config.context);
	return QREXEC_NO_SERVICE;
}

const char *fake_output(void)
{
	return call.output;
}

const char *fake_error(void)
{
	return call.error;
}
