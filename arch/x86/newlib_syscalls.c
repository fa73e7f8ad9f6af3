/* SPDX-License-Identifier: ISC */
/*
 * What newlib asks of a system: memory for malloc, and a place for characters.
 * Everything else is refused.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "arch/x86/boot.h"
#include "arch/x86/clock.h"
#include "arch/x86/emergency.h"
#include "arch/x86/memory.h"
#include "lib/panic.h"

#define HEAP_SHARE 8u /* of all RAM */
#define HEAP_LEAST (1u << 20)

/* newlib declares none of these for its callers. */
void *sbrk(ptrdiff_t increment);
int write(int file, const void *data, size_t bytes);
int read(int file, void *to, size_t bytes);
int close(int file);
off_t lseek(int file, off_t offset, int whence);
int fstat(int file, struct stat *to);
int isatty(int file);
int kill(int process, int signal);
int getpid(void);
_Noreturn void _exit(int status);

uintptr_t __stack_chk_guard = 0x595e9fbd94fda766ull;
_Noreturn void __stack_chk_fail(void);

static uint8_t *heap;
static size_t heap_bytes;
static size_t heap_used;

static int heap_make(void)
{
	size_t bytes = boot_info_get()->ram_bytes / HEAP_SHARE;

	if (bytes < HEAP_LEAST)
		bytes = HEAP_LEAST;
	heap = memory_alloc_pages(bytes / PAGE_BYTES);
	heap_bytes = heap ? bytes : 0;
	return heap ? 0 : -ENOMEM;
}

void *sbrk(ptrdiff_t increment)
{
	uint8_t *end;

	if (!heap && heap_make()) {
		errno = ENOMEM;
		return (void *)-1;
	}
	if ((increment > 0 && (size_t)increment > heap_bytes - heap_used) ||
	    (increment < 0 && (size_t)-increment > heap_used)) {
		errno = ENOMEM;
		return (void *)-1;
	}
	end = heap + heap_used;
	heap_used += (size_t)increment;
	return end;
}

int write(int file, const void *data, size_t bytes)
{
	(void)file;
	emergency_write(data, bytes);
	return (int)bytes;
}

int read(int file, void *to, size_t bytes)
{
	(void)file;
	(void)to;
	(void)bytes;
	return 0;
}

int close(int file)
{
	(void)file;
	errno = ENOSYS;
	return -1;
}

off_t lseek(int file, off_t offset, int whence)
{
	(void)file;
	(void)offset;
	(void)whence;
	errno = ENOSYS;
	return -1;
}

int fstat(int file, struct stat *to)
{
	(void)file;
	to->st_mode = S_IFCHR;
	return 0;
}

int isatty(int file)
{
	(void)file;
	return 1;
}

int kill(int process, int signal)
{
	(void)process;
	(void)signal;
	errno = ENOSYS;
	return -1;
}

int getpid(void)
{
	return 1;
}

void _exit(int status)
{
	panic("exit(%d) from the C library", status);
}

void __stack_chk_fail(void)
{
	panic("stack protector: a stack frame was overrun");
}
