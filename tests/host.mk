# SPDX-License-Identifier: ISC
# The hosted tests: the product's own lib, drivers and xen/bus.c, linked with the
# machine in tests/host instead of xen/ and arch/, under the sanitizers. Each test
# program is built once with AddressSanitizer and UBSan, once with ThreadSanitizer.

HOSTED_CC ?= gcc
HOSTED_BUILD = $(BUILD)/hosted
HOSTED_CFLAGS = -std=gnu11 -g -O1 $(WARNINGS) -I. -D__XEN_INTERFACE_VERSION__=0x00040e00 \
	-fno-omit-frame-pointer -fno-strict-aliasing
# gcc's ThreadSanitizer knows no fences; grant mappings have addresses of their own,
# so it never sees the two ends of a ring meet.
HOSTED_FLAGS_asan = -fsanitize=address,undefined -fno-sanitize-recover=all
HOSTED_FLAGS_tsan = -fsanitize=thread $(if $(findstring gcc,$(HOSTED_CC)),-Wno-tsan)
HOSTED_LDFLAGS = $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc aligned_alloc memalign \
	strdup free)
HOSTED_LIBS = -lcheck -lsubunit -lm -lrt -lpthread
comma = ,

HOSTED_PRODUCT = $(lib_SRCS) $(drivers_SRCS) $(wildcard xen/bus.c) arch/x86/context.c
HOSTED_MACHINE = $(filter-out %_test.c,$(wildcard tests/host/*.c)) tests/host/context_switch.S
HOSTED_OBJS = $(addsuffix .o,$(basename $(HOSTED_PRODUCT) $(HOSTED_MACHINE)))

# $(call hosted_program,NAME,SOURCES): NAME-asan and NAME-tsan.
define hosted_program
$(foreach kind,asan tsan,$(call hosted_link,$(1),$(kind),$(2)))
endef
define hosted_link
$(HOSTED_BUILD)/$(1)-$(2): $(addprefix $(HOSTED_BUILD)/$(2)/,$(HOSTED_OBJS) $(3:.c=.o))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(2)) -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/$(1)-$(2)

endef
define hosted_compile
$(HOSTED_BUILD)/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	@$(HOSTED_CC) $(HOSTED_CFLAGS) $(HOSTED_FLAGS_$(1)) -MMD -MP -c -o $$@ $$<
$(HOSTED_BUILD)/$(1)/%.o: %.S
	@mkdir -p $$(@D)
	@$(HOSTED_CC) -I. -c -o $$@ $$<
endef
$(foreach kind,asan tsan,$(eval $(call hosted_compile,$(kind))))

$(eval $(call hosted_program,platform,$(wildcard tests/host/*_test.c)))
hosted_drivers = $(wildcard tests/drivers/netif_*.c)
ifneq ($(drivers_SRCS),)
$(eval $(call hosted_program,netif,$(hosted_drivers)))
endif

# Runs them all and closes with the sum of their counts. SEED=n repeats a run.
hosted: $(HOSTED_PROGRAMS)
	@tests/host/run $(HOSTED_PROGRAMS)

-include $(shell [ -d $(HOSTED_BUILD) ] && find $(HOSTED_BUILD) -name '*.d')
.PHONY: hosted
