# SPDX-License-Identifier: ISC
# Storms on real threads: lib/ring_locked by itself, and the network and block drivers back to
# back, plain and under the sanitizers. DURATION= is the seconds of the whole.

DURATION ?= 60
STRESS_KINDS = plain asan tsan
STRESS_BUILD = $(HOSTED_BUILD)
STRESS_PAIRS = netif blkif

STRESS_RING = tests/stress/ring_stress.c lib/ring.c lib/ring_locked.c tests/unit/panic.c \
	tests/host/relax.c

# $(call stress_pair,KIND,NAME): a program and the image that its guests load.
define stress_pair
$(STRESS_BUILD)/$(2)-stress-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) \
		tests/stress/$(2)_stress.c tests/drivers/$(2)_world.c) | $(STRESS_BUILD)/$(2)-stress-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(STRESS_BUILD)/$(2)-stress-$(1).so: $(call hosted_objects,$(1),$($(2)_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
STRESS_PROGRAMS += $(STRESS_BUILD)/$(2)-stress-$(1)
STRESS_IMAGES += $(STRESS_BUILD)/$(2)-stress-$(1).so
endef

# $(call stress_kind,KIND)
define stress_kind
$(STRESS_BUILD)/ring-stress-$(1): $(call hosted_objects,$(1),$(STRESS_RING))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -o $$@ $$^ -lpthread
STRESS_PROGRAMS += $(STRESS_BUILD)/ring-stress-$(1)
$(foreach pair,$(STRESS_PAIRS),$(eval $(call stress_pair,$(1),$(pair))))
endef
$(foreach kind,$(STRESS_KINDS),$(eval $(call stress_kind,$(kind))))

stress-programs: $(STRESS_PROGRAMS) $(STRESS_IMAGES)
stress: packages
	@$(MAKE) -s -j2 stress-programs
	@tests/stress/run $(DURATION) $(STRESS_PROGRAMS)
.PHONY: stress stress-programs
