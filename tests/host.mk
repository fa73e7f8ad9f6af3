# SPDX-License-Identifier: ISC
# The hosted tests: the product's own lib, drivers and xen/bus.c, linked with the
# machine in tests/host instead of xen/ and arch/, under the sanitizers. Each test
# program is built once with AddressSanitizer and UBSan, once with ThreadSanitizer.

HOSTED_CC ?= gcc
HOSTED_BUILD = $(BUILD)/hosted
HOSTED_CFLAGS = -std=gnu11 -g -O1 $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fPIC -fno-omit-frame-pointer -fno-strict-aliasing
# gcc's ThreadSanitizer knows no fences; grant mappings have addresses of their own,
# so it never sees the two ends of a ring meet.
HOSTED_FLAGS_asan = -fsanitize=address,undefined -fno-sanitize-recover=all
HOSTED_FLAGS_tsan = -fsanitize=thread $(if $(findstring gcc,$(HOSTED_CC)),-Wno-tsan)
HOSTED_FLAGS_plain = -O2
HOSTED_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc memalign \
	strdup free)
HOSTED_LIBS = -lcheck -lsubunit -lm -lrt -lpthread
comma = ,

HOSTED_MACHINE = $(filter-out %_test.c,$(wildcard tests/host/*.c)) tests/host/context_switch.S \
	arch/x86/context.c

# A program of its own for each of these, with the guest image that every guest loads a copy of
# in NAME_IMAGE and what drives the guests in NAME_DRIVER.
HOSTED_PAIRS = netif blkif vchan qubesdb qrexec
netif_IMAGE = $(lib_SRCS) $(drivers_SRCS) xen/bus.c tests/drivers/netif_guest.c \
	tests/drivers/netif_traffic.c
netif_DRIVER = $(filter-out $(netif_IMAGE),$(wildcard tests/drivers/netif_*.c))
blkif_IMAGE = $(lib_SRCS) $(drivers_SRCS) xen/bus.c tests/drivers/blkif_guest.c \
	tests/drivers/blkif_load.c
blkif_DRIVER = $(filter-out $(blkif_IMAGE),$(wildcard tests/drivers/blkif_*.c))
vchan_IMAGE = $(lib_SRCS) $(wildcard xen/vchan*.c) tests/xen/vchan_guest.c
vchan_DRIVER = $(filter-out $(vchan_IMAGE),$(wildcard tests/xen/vchan_*.c)) xen/vchan_ring.c
qubesdb_IMAGE = $(lib_SRCS) $(filter xen/qubesdb% xen/vchan%,$(xen_SRCS)) tests/xen/qubesdb_guest.c
qubesdb_DRIVER = tests/xen/qubesdb_main.c tests/xen/qubesdb_world.c \
	tests/xen/qubesdb_entries.c tests/xen/qubesdb_connection.c tests/xen/qubesdb_storm.c
qrexec_IMAGE = $(lib_SRCS) $(filter xen/qrexec% xen/vchan%,$(xen_SRCS)) \
	$(filter-out $(qrexec_DRIVER),$(wildcard tests/xen/qrexec/*.c))
qrexec_DRIVER = tests/xen/qrexec/main.c

hosted_objects = $(patsubst %,$(HOSTED_BUILD)/$(1)/%.o,$(basename $(2)))

# $(call hosted_compile,KIND): how sources compile with one set of sanitizers.
define hosted_compile
$(HOSTED_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  host $$<"
	@$(HOSTED_CC) $(HOSTED_CFLAGS) $(HOSTED_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$(HOSTED_BUILD)/$(1)/%.o: %.S
	@mkdir -p $$(@D)
	@$(HOSTED_CC) -I. -c -o $$@ $$<
endef
$(foreach kind,plain asan tsan,$(eval $(call hosted_compile,$(kind))))

# $(call hosted_pair,KIND,NAME): a program and the image that its guests load.
define hosted_pair
$(HOSTED_BUILD)/$(2)-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $($(2)_DRIVER)) | $(HOSTED_BUILD)/$(2)-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/$(2)-$(1).so: $(call hosted_objects,$(1),$($(2)_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/$(2)-$(1)
HOSTED_IMAGES += $(HOSTED_BUILD)/$(2)-$(1).so
endef

# $(call hosted_kind,KIND): the test programs with one set of sanitizers.
define hosted_kind
$(HOSTED_BUILD)/platform-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(wildcard tests/host/*_test.c))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/platform-$(1)
$(foreach pair,$(HOSTED_PAIRS),$(eval $(call hosted_pair,$(1),$(pair))))
endef
HOSTED_KINDS ?= asan tsan
$(foreach kind,$(HOSTED_KINDS),$(eval $(call hosted_kind,$(kind))))

# Check's cases of the longer programs, as the sources make them, so that none is left out and
# they run side by side. Those with no test on threads have none for TSan; a case with nothing
# to run fails.
cases_of = $(shell sed -n 's/.*tcase_create("\([^"]*\)").*/\1/p' $(1))
netif_CASES := $(call cases_of,tests/drivers/netif_*_test.c)
netif_STEPPED = hostile-queues lost storm
blkif_STEPPED = order power feature hostile-pages hostile-front-share
blkif_CASES := $(call cases_of,tests/drivers/blkif_*_test.c)
vchan_CASES := $(call cases_of,tests/xen/vchan_*_test.c)
qrexec_CASES := $(shell sed -n 's/.*_scenes", \(.*\) },/\1/p' tests/xen/qrexec/main.c | tr -d '",')

# $(call hosted_runs,KIND): every program, or each of its cases.
pair_runs = $(if $($(2)_CASES),$(addprefix $(HOSTED_BUILD)/$(2)-$(1):,$(if \
	$(filter tsan,$(1)),$(filter-out $($(2)_STEPPED),$($(2)_CASES)),$($(2)_CASES))),$(HOSTED_BUILD)/$(2)-$(1))
hosted_runs = $(HOSTED_BUILD)/platform-$(1) $(foreach pair,$(HOSTED_PAIRS),$(call pair_runs,$(1),$(pair)))

# Runs them all and closes with the sum of their counts. SEED=n repeats a run.
hosted: $(HOSTED_PROGRAMS) $(HOSTED_IMAGES)
	@tests/host/run $(foreach kind,$(filter asan tsan,$(HOSTED_KINDS)),$(call hosted_runs,$(kind)))

-include $(shell [ -d $(HOSTED_BUILD) ] && find $(HOSTED_BUILD) -name '*.d')
.PHONY: hosted
