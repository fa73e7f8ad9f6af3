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
# The guest image of the drivers' tests: what every guest loads a copy of.
HOSTED_IMAGE = $(lib_SRCS) $(drivers_SRCS) xen/bus.c tests/drivers/netif_guest.c \
	tests/drivers/netif_traffic.c
HOSTED_TESTS = $(filter-out $(HOSTED_IMAGE),$(wildcard tests/drivers/netif_*.c))

# The QubesDB client and a daemon for it: what both guests load a copy of.
HOSTED_QUBESDB_IMAGE = $(lib_SRCS) $(filter xen/qubesdb% xen/vchan%,$(xen_SRCS)) \
	tests/xen/qubesdb_guest.c
HOSTED_QUBESDB_TESTS = tests/xen/qubesdb_main.c tests/xen/qubesdb_world.c \
	tests/xen/qubesdb_entries.c tests/xen/qubesdb_connection.c tests/xen/qubesdb_storm.c

# The same of vchan: what each guest loads, and what drives them.
VCHAN_IMAGE = $(lib_SRCS) $(wildcard xen/vchan*.c) tests/xen/vchan_guest.c
VCHAN_TESTS = $(filter-out $(VCHAN_IMAGE),$(wildcard tests/xen/vchan_*.c)) xen/vchan_ring.c

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

# $(call hosted_kind,KIND): the test programs with one set of sanitizers.
define hosted_kind
$(HOSTED_BUILD)/platform-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(wildcard tests/host/*_test.c))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/netif-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(HOSTED_TESTS)) | $(HOSTED_BUILD)/netif-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/netif-$(1).so: $(call hosted_objects,$(1),$(HOSTED_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
$(HOSTED_BUILD)/qubesdb-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(HOSTED_QUBESDB_TESTS)) | $(HOSTED_BUILD)/qubesdb-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/qubesdb-$(1).so: $(call hosted_objects,$(1),$(HOSTED_QUBESDB_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/qubesdb-$(1)
$(HOSTED_BUILD)/vchan-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(VCHAN_TESTS)) | $(HOSTED_BUILD)/vchan-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/vchan-$(1).so: $(call hosted_objects,$(1),$(VCHAN_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/vchan-$(1)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/platform-$(1) $(HOSTED_BUILD)/netif-$(1)
endef
HOSTED_KINDS ?= asan tsan
$(foreach kind,$(HOSTED_KINDS),$(eval $(call hosted_kind,$(kind))))

# Check's cases of the drivers' tests, as the sources make them, so that none is left out.
# Those with no test on threads have none for TSan; a case with nothing to run fails.
NETIF_CASES := $(shell sed -n 's/.*tcase_create("\([^"]*\)").*/\1/p' tests/drivers/netif_*_test.c)
NETIF_CASES_STEPPED = hostile-queues lost storm
netif_cases = $(if $(findstring -tsan,$(1)),$(filter-out $(NETIF_CASES_STEPPED),$(NETIF_CASES)),$(NETIF_CASES))

VCHAN_CASES := $(shell sed -n 's/.*tcase_create("\([^"]*\)").*/\1/p' tests/xen/vchan_*_test.c)

# Runs them all and closes with the sum of their counts. SEED=n repeats a run.
hosted: $(HOSTED_PROGRAMS) $(addsuffix .so,$(filter %/netif-asan %/netif-tsan %/qubesdb-asan %/qubesdb-tsan %/vchan-asan %/vchan-tsan,$(HOSTED_PROGRAMS)))
	@tests/host/run $(filter %/platform-asan %/platform-tsan %/qubesdb-asan %/qubesdb-tsan,$(HOSTED_PROGRAMS)) \
		$(foreach program,$(filter %/netif-asan %/netif-tsan,$(HOSTED_PROGRAMS)), \
		$(addprefix $(program):,$(call netif_cases,$(program)))) \
		$(foreach program,$(filter %/vchan-asan %/vchan-tsan,$(HOSTED_PROGRAMS)), \
		$(addprefix $(program):,$(VCHAN_CASES)))

-include $(shell [ -d $(HOSTED_BUILD) ] && find $(HOSTED_BUILD) -name '*.d')
.PHONY: hosted
