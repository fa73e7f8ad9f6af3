/* SPDX-License-Identifier: ISC */
/* A vchan that is open: reading, writing, waiting, and how it ends. */
#include "xen/vchan.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "xen/loop.h"
#include "xen/vchan_internal.h"

/* How often Xen is asked whether the peer is there, while somebody waits for it. */
#define ASK_NS 1000000000ull
/* What one call moves before others get their turn. */
#define TURN_BYTES 65536u
/* So many events in a row may bring nothing before the port is masked, and for how long. */
#define IDLE_EVENTS 8u
#define MUTE_FIRST_NS 1000000ull
#define MUTE_DOUBLINGS 5u

static uint32_t open_count;
static struct list muted = { &muted, &muted };
static struct log_limit log_limit = LOG_LIMIT_INIT;

/* ---- the shared page: what is ours to write there, and what the peer's ---- */

static struct ring_shared *read_indices(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->left : &vchan->page->right;
}

static struct ring_shared *write_indices(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->right : &vchan->page->left;
}

/* What we want to be told of. The names are those of the side that looks at them. */
static uint8_t *our_requests(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->cli_notify : &vchan->page->srv_notify;
}

static uint8_t *their_requests(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->srv_notify : &vchan->page->cli_notify;
}

static uint8_t *our_life(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->srv_live : &vchan->page->cli_live;
}

static uint8_t *their_life(const struct vchan *vchan)
{
	return vchan->is_server ? &vchan->page->cli_live : &vchan->page->srv_live;
}

/* After this the index has to be looked at once more: the peer may just have moved it. */
static void request(struct vchan *vchan, uint8_t bit)
{
	__atomic_fetch_or(our_requests(vchan), bit, __ATOMIC_SEQ_CST);
	memory_barrier();
}

/* After our index has moved. */
static void notify(struct vchan *vchan, uint8_t bit)
{
	memory_barrier();
	if (__atomic_fetch_and(their_requests(vchan), (uint8_t)~bit, __ATOMIC_SEQ_CST) & bit)
		evtchn_notify(vchan->port);
}

/* ---- looking at the peer ---- */

static void vchan_break(struct vchan *vchan, const char *what, uint32_t index,
			const struct vchan_ring *ring)
{
	if (vchan->state == VCHAN_BROKEN)
		return;
	vchan->state = VCHAN_BROKEN;
	log_limited(&log_limit, LOG_WARNING, "vchan",
		    "domain %u says it has %s byte %#x of a ring of %u bytes, after %#x, where we "
		    "are at %#x: broken, closed",
		    vchan->peer, what, index, vchan_ring_size(ring), ring->theirs, ring->ours);
}

static void read_look(struct vchan *vchan)
{
	uint32_t prod;

	if (vchan->state == VCHAN_BROKEN)
		return;
	prod = read_once(read_indices(vchan)->prod);
	if (!vchan_ring_take_prod(&vchan->read, prod))
		vchan_break(vchan, "written", prod, &vchan->read);
	read_barrier();
}

static void write_look(struct vchan *vchan)
{
	uint32_t cons;

	if (vchan->state == VCHAN_BROKEN)
		return;
	cons = read_once(write_indices(vchan)->cons);
	if (!vchan_ring_take_cons(&vchan->write, cons))
		vchan_break(vchan, "read", cons, &vchan->write);
	memory_barrier(); /* it has read them before we write over them */
}

static void connected(struct vchan *vchan)
{
	vchan->state = VCHAN_CONNECTED;
	vchan->asked_ns = loop_now_ns();
}

/* What the peer says. An end is for good. */
static void life_look(struct vchan *vchan)
{
	uint8_t live = read_once(*their_life(vchan));

	read_barrier(); /* what it wrote before it ended is seen after this */
	if (vchan->state != VCHAN_LISTENING && vchan->state != VCHAN_CONNECTED)
		return;
	if (live == 0)
		vchan->state = VCHAN_ENDED;
	else if (vchan->state == VCHAN_LISTENING && live != VCHAN_NEVER_CONNECTED)
		connected(vchan);
}

/* What Xen says, when the peer has said nothing else for long. */
static void peer_look(struct vchan *vchan)
{
	uint64_t now_ns = loop_now_ns();

	life_look(vchan);
	if (vchan->state != VCHAN_CONNECTED || now_ns - vchan->asked_ns < ASK_NS)
		return;
	vchan->asked_ns = now_ns;
	if (!evtchn_is_connected(vchan->port))
		vchan->state = VCHAN_ENDED;
	read_barrier();
}

/*
 * Looks for `wanted` bytes to read. When they are not there the peer is asked to tell, its
 * life is looked at, and only then what it has written last.
 */
static uint32_t readable(struct vchan *vchan, size_t wanted)
{
	read_look(vchan);
	if (vchan_ring_filled(&vchan->read) < wanted) {
		request(vchan, VCHAN_NOTIFY_WRITE);
		peer_look(vchan);
		read_look(vchan);
	}
	return vchan->state == VCHAN_BROKEN ? 0 : vchan_ring_filled(&vchan->read);
}

static uint32_t writable(struct vchan *vchan, size_t wanted)
{
	life_look(vchan);
	write_look(vchan);
	if (vchan_ring_room(&vchan->write) < wanted) {
		request(vchan, VCHAN_NOTIFY_READ);
		peer_look(vchan);
		write_look(vchan);
	}
	if (vchan->state == VCHAN_BROKEN || vchan->state == VCHAN_ENDED)
		return 0;
	return vchan_ring_room(&vchan->write);
}

enum vchan_state vchan_state(struct vchan *vchan)
{
	peer_look(vchan);
	return vchan->state;
}

size_t vchan_readable(struct vchan *vchan)
{
	return readable(vchan, SIZE_MAX);
}

size_t vchan_writable(struct vchan *vchan)
{
	return writable(vchan, SIZE_MAX);
}

/* ---- events ---- */

/*
 * A peer that only makes noise is heard less and less. One that does its part cannot get
 * there: each event follows from something that it did.
 */
static void noise_check(struct vchan *vchan)
{
	uint32_t work = vchan->read.theirs + vchan->write.theirs + (uint32_t)vchan->state;
	uint32_t doublings;

	if (work != vchan->work) {
		vchan->work = work;
		vchan->idle_events = 0;
		return;
	}
	if (++vchan->idle_events <= IDLE_EVENTS || !list_is_empty(&vchan->muted))
		return;
	doublings = vchan->idle_events - IDLE_EVENTS - 1;
	evtchn_mask(vchan->port);
	vchan->unmute_ns =
		loop_now_ns() +
		(MUTE_FIRST_NS << (doublings < MUTE_DOUBLINGS ? doublings : MUTE_DOUBLINGS));
	list_push_back(&muted, &vchan->muted);
}

void vchan_event(void *context)
{
	struct vchan *vchan = context;

	read_look(vchan);
	write_look(vchan);
	life_look(vchan);
	noise_check(vchan);
	fiber_event_signal(&vchan->wake);
	if (vchan->event)
		fiber_event_signal(vchan->event);
}

static void timer_run(struct loop_timer *timer, uint64_t now_ns)
{
	(void)timer;
	list_for_each_safe(link, spare, &muted) {
		struct vchan *vchan = list_entry(link, struct vchan, muted);

		if (now_ns < vchan->unmute_ns)
			continue;
		list_remove(link);
		evtchn_unmask(vchan->port);
	}
	vchan_shares_look(now_ns);
}

static uint64_t timer_next_ns(struct loop_timer *timer)
{
	uint64_t next_ns = vchan_shares_next_ns();

	(void)timer;
	list_for_each(link, &muted) {
		const struct vchan *vchan = list_entry(link, struct vchan, muted);

		if (vchan->unmute_ns < next_ns)
			next_ns = vchan->unmute_ns;
	}
	return next_ns;
}

static void timer_begin(void)
{
	static struct loop_timer timer = { .run = timer_run, .next_ns = timer_next_ns };
	static bool begun;

	if (begun)
		return;
	begun = true;
	list_init(&timer.link);
	loop_add_timer(&timer);
}

/* ---- beginning and end ---- */

struct vchan *vchan_make(uint16_t peer, bool is_server, uint32_t left, uint32_t right,
			 struct fiber_event *event)
{
	uint32_t pages = vchan_ring_pages(left) + vchan_ring_pages(right);
	uint32_t pieces = pages + (left < VCHAN_PIECE_ORDER) + (right < VCHAN_PIECE_ORDER);
	struct vchan *vchan = calloc(1, sizeof(*vchan) + pieces * sizeof(vchan->pieces[0]));

	if (!vchan)
		return NULL;
	timer_begin();
	vchan->peer = peer;
	vchan->is_server = is_server;
	vchan->state = VCHAN_LISTENING;
	vchan->read.order = is_server ? left : right;
	vchan->write.order = is_server ? right : left;
	vchan->event = event;
	fiber_event_init(&vchan->wake);
	list_init(&vchan->muted);
	open_count++;
	return vchan;
}

void vchan_pieces_set(struct vchan *vchan, uint8_t *(*page_of)(struct vchan *vchan, uint32_t i))
{
	struct vchan_ring *rings[] = { vchan->is_server ? &vchan->read : &vchan->write,
				       vchan->is_server ? &vchan->write : &vchan->read };
	uint8_t **piece = vchan->pieces;
	uint32_t granted = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(rings); i++) {
		uint32_t pages = vchan_ring_pages(rings[i]->order);

		rings[i]->pieces = piece;
		if (pages == 0)
			*piece++ = (uint8_t *)vchan->page + vchan_ring_size(rings[i]);
		for (; pages; pages--)
			*piece++ = page_of(vchan, granted++);
	}
}

void vchan_destroy(struct vchan *vchan)
{
	vchan->event = NULL;
	list_remove(&vchan->muted);
	vchan_server_unpublish(vchan);
	list_remove(&vchan->muted); /* an event may have come meanwhile */
	evtchn_close(vchan->port);
	vchan_client_unmap(vchan);
	vchan_share_end(vchan->share);
	free(vchan);
	open_count--;
}

void vchan_close(struct vchan *vchan)
{
	if (!vchan)
		return;
	memory_barrier(); /* our last bytes before our end */
	write_once(*our_life(vchan), 0);
	memory_barrier();
	evtchn_notify(vchan->port);
	vchan_destroy(vchan);
}

uint32_t vchan_count(void)
{
	return open_count;
}

/* ---- moving bytes ---- */

static int64_t read_some(struct vchan *vchan, void *to, size_t size, size_t wanted)
{
	uint32_t count = readable(vchan, wanted);

	if (vchan->state == VCHAN_BROKEN)
		return -EPROTO;
	if (count == 0)
		return vchan->state == VCHAN_ENDED ? -EPIPE : 0;
	if (count > size)
		count = (uint32_t)size;
	vchan_ring_read(&vchan->read, to, count);
	memory_barrier(); /* read before the peer may write over it */
	write_once(read_indices(vchan)->cons, vchan->read.ours);
	notify(vchan, VCHAN_NOTIFY_READ);
	return count;
}

static int64_t write_some(struct vchan *vchan, const void *from, size_t size, size_t wanted)
{
	uint32_t count = writable(vchan, wanted);

	if (vchan->state == VCHAN_BROKEN)
		return -EPROTO;
	if (vchan->state == VCHAN_ENDED)
		return -EPIPE;
	if (count > size)
		count = (uint32_t)size;
	if (count == 0)
		return 0;
	vchan_ring_write(&vchan->write, from, count);
	write_barrier();
	write_once(write_indices(vchan)->prod, vchan->write.ours);
	notify(vchan, VCHAN_NOTIFY_WRITE);
	return count;
}

int64_t vchan_try_read(struct vchan *vchan, void *to, size_t size)
{
	return size ? read_some(vchan, to, size, size) : 0;
}

int64_t vchan_try_write(struct vchan *vchan, const void *from, size_t size)
{
	return size ? write_some(vchan, from, size, size) : 0;
}

/* ---- waiting ---- */

/* Until something happens, the deadline, or it is time to ask for the peer again. */
static int turn_wait(struct vchan *vchan, uint64_t deadline_ns)
{
	uint64_t until_ns = deadline_ns;
	int error;

	if (vchan->state == VCHAN_CONNECTED && vchan->asked_ns + ASK_NS < until_ns)
		until_ns = vchan->asked_ns + ASK_NS;
	error = fiber_event_wait(&vchan->wake, until_ns);
	return until_ns == deadline_ns ? error : 0;
}

int vchan_wait_client(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && vchan_state(vchan) == VCHAN_LISTENING)
		error = turn_wait(vchan, deadline_ns);
	return error;
}

int vchan_wait_readable(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && readable(vchan, 1) == 0 && vchan->state != VCHAN_ENDED &&
	       vchan->state != VCHAN_BROKEN)
		error = turn_wait(vchan, deadline_ns);
	return error;
}

int vchan_wait_writable(struct vchan *vchan, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && writable(vchan, 1) == 0 && vchan->state != VCHAN_ENDED &&
	       vchan->state != VCHAN_BROKEN)
		error = turn_wait(vchan, deadline_ns);
	return error;
}

static size_t turn_bytes(size_t size)
{
	return size < TURN_BYTES ? size : TURN_BYTES;
}

/*
 * After each part others get their turn: a peer as fast as we are would never let us go. It
 * cannot outlast the deadline by a byte now and then either.
 */
static int part_end(struct vchan *vchan, int64_t part, size_t left, uint64_t deadline_ns)
{
	if (part < 0)
		return (int)part;
	if (part == 0)
		return turn_wait(vchan, deadline_ns);
	if (left && loop_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	if (left)
		fiber_yield();
	return 0;
}

int vchan_read(struct vchan *vchan, void *to, size_t size, uint64_t deadline_ns)
{
	uint8_t *at = to;
	int error = 0;

	while (size && !error) {
		int64_t part = read_some(vchan, at, turn_bytes(size), 1);

		if (part > 0) {
			at += part;
			size -= (size_t)part;
		}
		error = part_end(vchan, part, size, deadline_ns);
	}
	return error;
}

int vchan_write(struct vchan *vchan, const void *from, size_t size, uint64_t deadline_ns)
{
	const uint8_t *at = from;
	int error = 0;

	while (size && !error) {
		int64_t part = write_some(vchan, at, turn_bytes(size), 1);

		if (part > 0) {
			at += part;
			size -= (size_t)part;
		}
		error = part_end(vchan, part, size, deadline_ns);
	}
	return error;
}
