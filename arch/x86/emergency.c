/* SPDX-License-Identifier: ISC */
#include "arch/x86/emergency.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/console.h>

#include "arch/x86/backtrace.h"
#include "arch/x86/boot.h"
#include "arch/x86/hypercall.h"
#include "lib/panic.h"

#define LINE_BYTES 256u
#define SERIAL_PORT 0x3f8u
#define SERIAL_STATUS (SERIAL_PORT + 5u)
#define SERIAL_READY 0x20u
#define SERIAL_TRIES 100000u

static bool begun;

static void ring_put(struct xencons_interface *ring, char c)
{
	XENCONS_RING_IDX produced = ring->out_prod;

	if ((XENCONS_RING_IDX)(produced - read_once(ring->out_cons)) >= sizeof(ring->out))
		return;
	ring->out[MASK_XENCONS_IDX(produced, ring->out)] = c;
	write_barrier();
	write_once(ring->out_prod, produced + 1);
}

void emergency_write(const char *text, size_t length)
{
	const struct boot_info *info = boot_info_get();
	struct evtchn_send send = { .port = info->console_evtchn };

	(void)hypercall_console_io(CONSOLEIO_write, (unsigned int)length, text);
	if (!info->console_ring)
		return;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			ring_put(info->console_ring, '\r');
		ring_put(info->console_ring, text[i]);
	}
	(void)hypercall_event_channel_op(EVTCHNOP_send, &send);
}

void emergency_vprint(const char *format, va_list arguments)
{
	char line[LINE_BYTES];
	int length = vsnprintf(line, sizeof(line), format, arguments);

	if (length < 0)
		return;
	emergency_write(line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

void emergency_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	emergency_vprint(format, arguments);
	va_end(arguments);
}

void emergency_begin(void)
{
	if (begun)
		emergency_crash();
	begun = true;
}

void emergency_crash(void)
{
	struct sched_shutdown crash = { .reason = SHUTDOWN_crash };

	for (;;)
		(void)hypercall_sched_op(SCHEDOP_shutdown, &crash);
}

static uint8_t port_read(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void port_write(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void emergency_stop_without_xen(void)
{
	static const char text[] = "ringwall: needs Xen: start it with `xl create`.\r\n";

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (unsigned int t = 0; t < SERIAL_TRIES; t++)
			if (port_read(SERIAL_STATUS) & SERIAL_READY)
				break;
		port_write(SERIAL_PORT, (uint8_t)text[i]);
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}

void panic_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	emergency_begin();
	emergency_print("PANIC: %s:%d: ", file, line);
	va_start(arguments, format);
	emergency_vprint(format, arguments);
	va_end(arguments);
	emergency_write("\n", 1);
	backtrace_print(0, (uint64_t)__builtin_frame_address(0));
	emergency_crash();
}
