/* SPDX-License-Identifier: ISC */
#include "arch/x86/clock.h"

#include "arch/x86/boot.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/wall_clock.h"

#define RETRIES 1000u

static uint64_t deadline_set = UINT64_MAX;
static uint64_t last_ns;
static uint64_t wall_offset_ns; /* modulo 2^64 */

uint64_t clock_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t scale(uint64_t cycles, uint32_t multiplier, int8_t shift)
{
	cycles = shift < 0 ? cycles >> -shift : cycles << shift;
	return (uint64_t)((unsigned __int128)cycles * multiplier >> 32);
}

uint64_t clock_cycles_to_ns(uint64_t cycles)
{
	const struct vcpu_time_info *time = &boot_info_get()->shared->vcpu_info[0].time;

	return scale(cycles, time->tsc_to_system_mul, time->tsc_shift);
}

/* Xen makes `version` odd while it writes; it does so from this CPU, so a few tries do. */
uint64_t clock_now_ns(void)
{
	const struct vcpu_time_info *time = &boot_info_get()->shared->vcpu_info[0].time;

	for (unsigned int i = 0; i < RETRIES; i++) {
		uint32_t version = read_once(time->version);
		uint64_t now;

		read_barrier();
		now = time->system_time + scale(clock_cycles() - time->tsc_timestamp,
						time->tsc_to_system_mul, time->tsc_shift);
		read_barrier();
		if ((version & 1) || version != read_once(time->version))
			continue;
		if (now > last_ns)
			last_ns = now;
		break;
	}
	return last_ns;
}

/* The last whole reading stands in for one that fails. */
static uint64_t wall_base_ns(void)
{
	static uint64_t last_base_ns;
	uint64_t base_ns;

	if (wall_clock_read(boot_info_get()->shared, &base_ns))
		last_base_ns = base_ns;
	return last_base_ns;
}

uint64_t clock_wall_ns(void)
{
	return wall_base_ns() + clock_now_ns() + wall_offset_ns;
}

void clock_wall_set(uint64_t wall_ns)
{
	wall_offset_ns = wall_ns - wall_base_ns() - clock_now_ns();
}

void clock_set_deadline(uint64_t deadline_ns)
{
	struct vcpu_set_singleshot_timer timer = { .timeout_abs_ns = deadline_ns };

	if (deadline_ns == deadline_set)
		return;
	deadline_set = deadline_ns;
	if (deadline_ns == UINT64_MAX)
		(void)hypercall_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
	else
		(void)hypercall_vcpu_op(VCPUOP_set_singleshot_timer, 0, &timer);
}
