/* SPDX-License-Identifier: ISC */
/* Pages for the arguments of hypercalls. */
#include "configs/selftest/selftest.h"

#include <string.h>

#include "arch/x86/boot.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/memory.h"
#include "lib/log.h"

static bool is_empty(const uint8_t *page)
{
	for (size_t i = 0; i < PAGE_BYTES; i++)
		if (page[i])
			return false;
	return true;
}

/* Xen reads the arguments of a call from the very end of the page, and answers into it. */
static void hypercall_through(void *page)
{
	struct evtchn_alloc_unbound *alloc =
		(void *)((uint8_t *)page + PAGE_BYTES - sizeof(*alloc));
	struct evtchn_close close;

	alloc->dom = DOMID_SELF;
	alloc->remote_dom = 0;
	if (!CHECK_EQUAL(hypercall_event_channel_op(EVTCHNOP_alloc_unbound, alloc), 0))
		return;
	CHECK(alloc->port != 0);
	close.port = alloc->port;
	CHECK_EQUAL(hypercall_event_channel_op(EVTCHNOP_close, &close), 0);
}

void selftest_memory(void)
{
	uint8_t *one = memory_alloc_arguments();
	uint8_t *other = memory_alloc_arguments();

	if (boot_info_get()->mode == BOOT_PV)
		CHECK(!one && !other);
	if (!one || !other) {
		log_line(LOG_INFO, "selftest", "no memory is better for arguments");
		return;
	}
	log_line(LOG_INFO, "selftest", "arguments lie at %p and %p", (void *)one, (void *)other);
	CHECK(is_empty(one) && is_empty(other));
	memset(one, 0x11, PAGE_BYTES);
	memset(other, 0x22, PAGE_BYTES);
	CHECK_EQUAL(one[0], 0x11);
	CHECK_EQUAL(one[PAGE_BYTES - 1], 0x11);
	CHECK_EQUAL(other[0], 0x22);
	hypercall_through(one);
	hypercall_through(other);
}
