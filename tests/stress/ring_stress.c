/* SPDX-License-Identifier: ISC */
/*
 * Threads that produce into one shared ring through lib/ring_locked, and one that
 * consumes it as a backend does: packets of mixed sizes, each slot with a content of its
 * own, sleeping on both sides by event index, stalls at random. Checked: every packet
 * whole and in one piece, each producer's packets in order, none lost; a wake-up that
 * is lost shows as a stall of everybody, which the watchdog names.
 *
 *	ring_stress [SECONDS]		SEED=n repeats the choices
 */
#define _GNU_SOURCE /* sem_clockwait */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/ring_locked.h"

#define SLOTS_MOST 2048u
#define PRODUCERS_MOST 8u
#define STALL_LIMIT_NS 20000000000ull
#define SLEEP_LIMIT_NS 30000000000ull
#define BATCH 8u

struct slot {
	uint32_t producer, sequence, part, parts;
};

struct shared {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	struct slot slots[SLOTS_MOST];
};

enum manner { REFUSE, SLEEP, CALLBACK, MANNERS };

struct producer {
	pthread_t thread;
	struct run *run;
	uint32_t number, sequence, parts;
	enum manner manner;
	uint64_t random;
	struct ring_sleeper sleeper;
	struct ring_waiter waiter;
	sem_t woken, granted;
	uint64_t packets, refusals;
};

struct run {
	struct ring_locked ring;
	struct shared shared;
	uint32_t size, producer_count, largest;
	struct producer producers[PRODUCERS_MOST];
	sem_t request_event, response_event;
	atomic_bool stop, done;
	atomic_uint producing;
	_Atomic uint64_t progress;
	/* the consumer's own */
	uint32_t consumed, expected[PRODUCERS_MOST];
	uint64_t packets, slots, sleeps;
	uint64_t random;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t draw(uint64_t *random, uint32_t bound)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*random >> 33) % bound;
}

static void fail(const char *what, uint64_t seen, uint64_t expected)
{
	printf("ring: %s: %lu, expected %lu\n0 passed, 1 failed\n", what, (unsigned long)seen,
	       (unsigned long)expected);
	fflush(stdout);
	_Exit(1);
}

/* ---- producing ---- */

static int sleeper_sleep(struct ring_sleeper *sleeper, uint64_t deadline_ns)
{
	struct producer *p = container_of(sleeper, struct producer, sleeper);
	struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
				  .tv_nsec = (long)(deadline_ns % 1000000000u) };

	return sem_clockwait(&p->woken, CLOCK_MONOTONIC, &until) ? -ETIMEDOUT : 0;
}

static void sleeper_wake(struct ring_sleeper *sleeper)
{
	sem_post(&container_of(sleeper, struct producer, sleeper)->woken);
}

static void packet_fill(struct producer *p, uint32_t first)
{
	struct run *run = p->run;

	for (uint32_t i = 0; i < p->parts; i++)
		run->shared.slots[(first + i) % run->size] =
			(struct slot){ p->number, p->sequence, i, p->parts };
	p->sequence++;
	p->packets++;
}

static void waiter_granted(struct ring_waiter *waiter, uint32_t first)
{
	struct producer *p = container_of(waiter, struct producer, waiter);

	packet_fill(p, first);
	ring_commit(&p->run->ring.ring);
	sem_post(&p->granted);
}

static void publish(struct run *run)
{
	if (ring_locked_publish(&run->ring, &run->shared.req_prod, &run->shared.req_event))
		sem_post(&run->request_event);
}

/* Takes room from the consumer's index, and asks to be told of more. */
static void room_take(struct run *run)
{
	uint32_t seen = __atomic_load_n(&run->shared.rsp_prod, __ATOMIC_ACQUIRE);

	for (;;) {
		if (ring_locked_advance(&run->ring, &run->shared.rsp_prod, run->size))
			fail("a limit was refused", seen, 0);
		__atomic_store_n(&run->shared.rsp_event, seen + 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&run->shared.rsp_prod, __ATOMIC_SEQ_CST) == seen)
			return;
		seen = __atomic_load_n(&run->shared.rsp_prod, __ATOMIC_ACQUIRE);
	}
}

/* The producing side's event channel. Callbacks may have committed: it publishes. */
static void *response_thread(void *argument)
{
	struct run *run = argument;

	while (!atomic_load(&run->done)) {
		room_take(run);
		publish(run);
		sem_wait(&run->response_event);
	}
	return NULL;
}

static bool packet_refusing(struct producer *p)
{
	uint32_t first;
	int error = ring_locked_reserve(&p->run->ring, p->parts, &first);

	if (error == -EAGAIN) {
		p->refusals++;
		sched_yield();
		return false;
	}
	if (error)
		fail("a reservation failed", (uint64_t)-error, 0);
	if (draw(&p->random, 50) == 0) {
		ring_locked_cancel(&p->run->ring);
		return false;
	}
	packet_fill(p, first);
	ring_locked_commit(&p->run->ring);
	return true;
}

static bool packet_sleeping(struct producer *p)
{
	uint32_t first;
	uint64_t patience = draw(&p->random, 4) ? SLEEP_LIMIT_NS : draw(&p->random, 100000);
	int error = ring_locked_reserve_wait(&p->run->ring, p->parts, &p->sleeper,
					     now_ns() + patience, &first);

	if (error == -ETIMEDOUT && patience != SLEEP_LIMIT_NS)
		return false;
	if (error)
		fail("a wait for room failed", (uint64_t)-error, 0);
	packet_fill(p, first);
	ring_locked_commit(&p->run->ring);
	return true;
}

static bool packet_called_back(struct producer *p)
{
	if (ring_locked_reserve_queued(&p->run->ring, &p->waiter))
		fail("queueing failed", 1, 0);
	publish(p->run);
	sem_wait(&p->granted);
	return true;
}

static void size_choose(struct producer *p)
{
	uint32_t kind = draw(&p->random, 20);

	if (kind == 0)
		p->parts = p->run->size;
	else if (kind < 5)
		p->parts = 1 + draw(&p->random, p->run->largest);
	else
		p->parts = 1 + draw(&p->random, p->run->size < 2 ? 1 : 2);
	p->waiter.count = p->parts;
}

static void *producer_thread(void *argument)
{
	struct producer *p = argument;
	static bool (*const ways[MANNERS])(
		struct producer * p) = { packet_refusing, packet_sleeping, packet_called_back };

	while (!atomic_load(&p->run->stop)) {
		uint32_t batch = 1 + draw(&p->random, BATCH);

		for (uint32_t i = 0; i < batch; i++) {
			size_choose(p);
			if (!ways[p->manner](p))
				break;
			/* Who may have to wait for room must not sit on what he has filled. */
			if (p->manner == SLEEP)
				publish(p->run);
		}
		publish(p->run);
	}
	atomic_fetch_sub(&p->run->producing, 1);
	return NULL;
}

/* ---- consuming ---- */

static void packet_check(struct run *run, uint32_t produced)
{
	struct slot head = run->shared.slots[run->consumed % run->size];

	if (head.producer >= run->producer_count || head.part != 0)
		fail("a packet begins with part", head.part, 0);
	if (head.sequence != run->expected[head.producer])
		fail("out of order, number", head.sequence, run->expected[head.producer]);
	if (head.parts > produced - run->consumed)
		fail("a packet was published in part, slots", produced - run->consumed, head.parts);
	for (uint32_t i = 0; i < head.parts; i++) {
		const struct slot *slot = &run->shared.slots[(run->consumed + i) % run->size];

		if (slot->producer != head.producer || slot->sequence != head.sequence ||
		    slot->part != i || slot->parts != head.parts)
			fail("packets interleave at part", slot->part, i);
	}
	run->expected[head.producer]++;
	run->consumed += head.parts;
	run->packets++;
	run->slots += head.parts;
}

static void respond(struct run *run)
{
	uint32_t old = run->shared.rsp_prod;

	__atomic_store_n(&run->shared.rsp_prod, run->consumed, __ATOMIC_SEQ_CST);
	if (ring_notify_needed(old, run->consumed,
			       __atomic_load_n(&run->shared.rsp_event, __ATOMIC_SEQ_CST)))
		sem_post(&run->response_event);
}

static void consume_all(struct run *run)
{
	uint32_t produced = __atomic_load_n(&run->shared.req_prod, __ATOMIC_ACQUIRE);
	int64_t waiting = ring_pending(produced, run->consumed, run->size);

	if (waiting < 0)
		fail("more slots than the ring has", produced - run->consumed, run->size);
	while (run->consumed != produced) {
		packet_check(run, produced);
		if (draw(&run->random, 4) == 0)
			respond(run);
	}
	respond(run);
	atomic_store(&run->progress, run->packets);
}

static bool nothing_came(struct run *run)
{
	__atomic_store_n(&run->shared.req_event, run->consumed + 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&run->shared.req_prod, __ATOMIC_SEQ_CST) == run->consumed;
}

static void stall(struct run *run)
{
	struct timespec t = { .tv_nsec = 1 + (long)draw(&run->random, 2000000) };

	if (draw(&run->random, 200) == 0)
		nanosleep(&t, NULL);
}

static void *consumer_thread(void *argument)
{
	struct run *run = argument;

	for (;;) {
		consume_all(run);
		stall(run);
		if (!nothing_came(run))
			continue;
		if (atomic_load(&run->producing) == 0 && nothing_came(run))
			return NULL;
		run->sleeps++;
		sem_wait(&run->request_event);
	}
}

/* ---- runs ---- */

static void producer_start(struct run *run, uint32_t number, uint64_t *random)
{
	struct producer *p = &run->producers[number];

	p->run = run;
	p->number = number;
	p->random = draw(random, UINT32_MAX);
	p->manner = (enum manner)(number % MANNERS);
	p->sleeper.sleep = sleeper_sleep;
	p->sleeper.wake = sleeper_wake;
	p->waiter.granted = waiter_granted;
	sem_init(&p->woken, 0, 0);
	sem_init(&p->granted, 0, 0);
	if (pthread_create(&p->thread, NULL, producer_thread, p))
		fail("no thread", 0, 1);
}

/* Sleeps in steps, and names the stall of everybody that a lost wake-up would be. */
static void watch(struct run *run, uint64_t duration_ns)
{
	uint64_t end = now_ns() + duration_ns;
	uint64_t last = 0, since = now_ns();
	struct timespec step = { .tv_nsec = 10000000 };

	while (atomic_load(&run->producing)) {
		nanosleep(&step, NULL);
		if (atomic_load(&run->progress) != last)
			since = now_ns();
		last = atomic_load(&run->progress);
		if (now_ns() - since > STALL_LIMIT_NS)
			fail("everybody sleeps; packets so far", last, last + 1);
		if (now_ns() > end)
			atomic_store(&run->stop, true);
	}
}

static void run_once(uint32_t size, uint32_t producers, uint64_t duration_ns, uint64_t *random)
{
	struct run *run = calloc(1, sizeof(*run));
	uint32_t start = 0u - draw(random, 3 * size); /* the indices wrap early on */
	pthread_t consumer, responder;
	uint64_t begin, sent = 0, refused = 0;
	double seconds;

	if (!run)
		abort();
	run->size = size;
	run->producer_count = producers;
	run->largest = size < 19 ? size : 19;
	run->random = draw(random, UINT32_MAX);
	run->consumed = run->shared.req_prod = run->shared.rsp_prod = start;
	run->shared.req_event = run->shared.rsp_event = start + 1;
	ring_locked_init(&run->ring, size, start);
	if (ring_locked_advance(&run->ring, &start, size))
		fail("a limit was refused", start, 0);
	sem_init(&run->request_event, 0, 0);
	sem_init(&run->response_event, 0, 0);
	atomic_store(&run->producing, producers);
	begin = now_ns();
	if (pthread_create(&consumer, NULL, consumer_thread, run) ||
	    pthread_create(&responder, NULL, response_thread, run))
		fail("no thread", 0, 1);
	for (uint32_t i = 0; i < producers; i++)
		producer_start(run, i, random);
	watch(run, duration_ns);
	for (uint32_t i = 0; i < producers; i++) {
		pthread_join(run->producers[i].thread, NULL);
		sent += run->producers[i].packets;
		refused += run->producers[i].refusals;
	}
	sem_post(&run->request_event);
	pthread_join(consumer, NULL);
	atomic_store(&run->done, true);
	sem_post(&run->response_event);
	pthread_join(responder, NULL);
	room_take(run); /* the last answers may have come after it had looked */
	if (run->packets != sent)
		fail("packets came", run->packets, sent);
	if (ring_free_slots(&run->ring.ring) != size)
		fail("free slots in the end", ring_free_slots(&run->ring.ring), size);
	seconds = (double)(now_ns() - begin) / 1e9;
	printf("ring: %4u slots, %u producers: %8.0f packets/s %9.0f slots/s, %lu refused, %lu "
	       "sleeps\n",
	       size, producers, (double)run->packets / seconds, (double)run->slots / seconds,
	       (unsigned long)refused, (unsigned long)run->sleeps);
	fflush(stdout);
	free(run);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 1, 4, 32, 256, 2048 };
	static const uint32_t counts[] = { 1, 2, 3, 4, 8 };
	const char *given = getenv("SEED");
	uint64_t random = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 10;
	uint32_t runs = ARRAY_SIZE(sizes) * ARRAY_SIZE(counts);

	printf("SEED=%lu\n", (unsigned long)random);
	for (uint32_t s = 0; s < ARRAY_SIZE(sizes); s++)
		for (uint32_t c = 0; c < ARRAY_SIZE(counts); c++)
			run_once(sizes[s], counts[c], (uint64_t)(seconds * 1e9 / runs), &random);
	printf("%u passed, 0 failed\n", runs);
	return 0;
}
