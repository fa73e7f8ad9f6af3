/* SPDX-License-Identifier: ISC */
/* What a guest of the vchan tests offers: the product's calls, of this guest's own copy. */
#pragma once

#include "xen/vchan.h"

struct vchan_guest_program {
	void (*boot)(void *unused);
	uint32_t (*log_lines)(void); /* written so far */
	const char *(*log_last)(void);
	int (*listen)(uint16_t peer, const char *path, uint32_t read_bytes, uint32_t write_bytes,
		      struct fiber_event *event, struct vchan **vchan);
	int (*listen_orders)(uint16_t peer, const char *path, uint32_t left, uint32_t right,
			     uint32_t index, struct fiber_event *event, struct vchan **vchan);
	int (*connect)(uint16_t peer, const char *path, struct fiber_event *event,
		       uint64_t deadline_ns, struct vchan **vchan);
	void (*close)(struct vchan *vchan);
	enum vchan_state (*state)(struct vchan *vchan);
	int (*wait_client)(struct vchan *vchan, uint64_t deadline_ns);
	size_t (*readable)(struct vchan *vchan);
	size_t (*writable)(struct vchan *vchan);
	int64_t (*try_read)(struct vchan *vchan, void *to, size_t size);
	int64_t (*try_write)(struct vchan *vchan, const void *from, size_t size);
	int (*read)(struct vchan *vchan, void *to, size_t size, uint64_t deadline_ns);
	int (*write)(struct vchan *vchan, const void *from, size_t size, uint64_t deadline_ns);
	int (*wait_readable)(struct vchan *vchan, uint64_t deadline_ns);
	int (*wait_writable)(struct vchan *vchan, uint64_t deadline_ns);
	uint32_t (*count)(void);
	uint32_t (*held_pages)(void);
};
