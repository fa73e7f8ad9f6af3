/* SPDX-License-Identifier: ISC */
#include "xen/console.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/console.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/hypercall.h"
#include "xen/evtchn.h"

#define BACKLOG_BYTES 16384u
#define INPUT_BYTES 128u
#define NOTE_BYTES 64u
#define FLUSH_LIMIT_NS 200000000ull

static struct xencons_interface *ring;
static evtchn_port port;
/* What does not fit into the ring yet; whole lines only. */
static char backlog[BACKLOG_BYTES];
static uint32_t backlog_head, backlog_used;
static uint64_t dropped;
static uint64_t dropped_unsaid;
static char input[INPUT_BYTES];
static uint32_t input_used;
static console_line *input_handler;
static void *input_context;

static void backlog_put(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		backlog[(backlog_head + backlog_used++) % BACKLOG_BYTES] = text[i];
}

/* Moves what fits from the backlog into the ring. */
static void drain(void)
{
	XENCONS_RING_IDX produced = read_once(ring->out_prod);
	XENCONS_RING_IDX used = produced - read_once(ring->out_cons);
	uint32_t room = used > sizeof(ring->out) ? 0 : (uint32_t)sizeof(ring->out) - used;
	bool any = room && backlog_used;

	memory_barrier();
	for (; room && backlog_used; room--, backlog_used--) {
		ring->out[MASK_XENCONS_IDX(produced++, ring->out)] = backlog[backlog_head];
		backlog_head = (backlog_head + 1) % BACKLOG_BYTES;
	}
	if (!any)
		return;
	write_barrier();
	write_once(ring->out_prod, produced);
	evtchn_notify(port);
}

static void say_dropped(void)
{
	char note[NOTE_BYTES];
	int length = snprintf(note, sizeof(note), "(%lu bytes of output were dropped)\r\n",
			      (unsigned long)dropped_unsaid);

	if (length > 0 && (uint32_t)length < BACKLOG_BYTES - backlog_used) {
		backlog_put(note, (size_t)length);
		dropped_unsaid = 0;
	}
}

static void input_byte(char c)
{
	if (c == '\r' || c == '\n') {
		input[input_used] = '\0';
		if (input_used && input_handler)
			input_handler(input, input_context);
		input_used = 0;
	} else if (input_used < INPUT_BYTES - 1) {
		input[input_used++] = c;
	}
}

static void read_input(void)
{
	XENCONS_RING_IDX consumed = read_once(ring->in_cons);
	XENCONS_RING_IDX waiting = read_once(ring->in_prod) - consumed;
	char bytes[sizeof(ring->in)];

	if (waiting == 0 || waiting > sizeof(ring->in))
		return;
	read_barrier();
	for (uint32_t i = 0; i < waiting; i++)
		bytes[i] = ring->in[MASK_XENCONS_IDX(consumed + i, ring->in)];
	memory_barrier();
	write_once(ring->in_cons, consumed + waiting);
	evtchn_notify(port);
	for (uint32_t i = 0; i < waiting; i++)
		input_byte(bytes[i]);
}

/* Here, too, the gap is said: perhaps nobody writes any more. */
static void ring_event(void *context)
{
	(void)context;
	read_input();
	drain();
	if (!dropped_unsaid)
		return;
	say_dropped();
	drain();
}

void console_init(void)
{
	const struct boot_info *info = boot_info_get();

	if (!info->console_ring || !info->console_evtchn)
		return;
	ring = info->console_ring;
	port = info->console_evtchn;
	if (evtchn_adopt(port, ring_event, NULL))
		ring = NULL;
}

static size_t bytes_with_returns(const char *text, size_t length)
{
	size_t bytes = length;

	for (size_t i = 0; i < length; i++)
		if (text[i] == '\n')
			bytes++;
	return bytes;
}

void console_write(const char *text, size_t length)
{
	size_t bytes = bytes_with_returns(text, length);

	if (boot_info_get()->initial_domain || !ring) {
		(void)hypercall_console_io(CONSOLEIO_write, (unsigned int)length, text);
		return;
	}
	drain();
	if (dropped_unsaid)
		say_dropped();
	if (bytes > BACKLOG_BYTES - backlog_used) {
		dropped += bytes;
		dropped_unsaid += bytes;
		return;
	}
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			backlog_put("\r", 1);
		backlog_put(&text[i], 1);
	}
	drain();
}

void console_set_input(console_line *handler, void *context)
{
	input_handler = handler;
	input_context = context;
}

void console_flush(void)
{
	uint64_t end = clock_now_ns() + FLUSH_LIMIT_NS;

	while (ring && clock_now_ns() < end) {
		drain();
		if (!backlog_used && read_once(ring->out_prod) == read_once(ring->out_cons))
			return;
		(void)hypercall_sched_op(SCHEDOP_yield, NULL);
	}
}

size_t console_backlog(void)
{
	return backlog_used;
}

uint64_t console_dropped_bytes(void)
{
	return dropped;
}
