/* SPDX-License-Identifier: ISC */
/*
 * What the sanitizers must be told about stacks that we switch ourselves. With a
 * sanitizer off its calls are empty.
 */
#pragma once

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HOST_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define HOST_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HOST_TSAN 1
#endif

#ifdef HOST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define asan_start_switch(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define asan_finish_switch(saved, bottom, size) __sanitizer_finish_switch_fiber(saved, bottom, size)
#define asan_forget_stack(bottom, size) ASAN_UNPOISON_MEMORY_REGION(bottom, size)
#else
#define asan_start_switch(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define asan_finish_switch(saved, bottom, size) ((void)(saved), (void)(bottom), (void)(size))
#define asan_forget_stack(bottom, size) ((void)(bottom), (void)(size))
#endif

#ifdef HOST_TSAN
#include <sanitizer/tsan_interface.h>
#define tsan_current() __tsan_get_current_fiber()
#define tsan_create() __tsan_create_fiber(0)
#define tsan_destroy(fiber) __tsan_destroy_fiber(fiber)
#define tsan_switch(fiber) __tsan_switch_to_fiber(fiber, 0)
#else
#define tsan_current() NULL
#define tsan_create() NULL
#define tsan_destroy(fiber) ((void)(fiber))
#define tsan_switch(fiber) ((void)(fiber))
#endif
