# SPDX-License-Identifier: ISC
# Storms on real threads: lib/ring_locked by itself, and netfront and netback back to
# back, plain and under the sanitizers. DURATION= is the seconds of the whole.

DURATION ?= 60
STRESS_KINDS = plain asan tsan
STRESS_BUILD = $(HOSTED_BUILD)

STRESS_RING = tests/stress/ring_stress.c lib/ring.c lib/ring_locked.c tests/unit/panic.c \
	tests/host/relax.c
STRESS_NETIF = tests/stress/netif_stress.c tests/drivers/netif_world.c

# $(call stress_kind,KIND)
define stress_kind
$(STRESS_BUILD)/ring-stress-$(1): $(call hosted_objects,$(1),$(STRESS_RING))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -o $$@ $$^ -lpthread
$(STRESS_BUILD)/netif-stress-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) $(STRESS_NETIF)) \
		| $(STRESS_BUILD)/netif-stress-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(STRESS_BUILD)/netif-stress-$(1).so: $(call hosted_objects,$(1),$(netif_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
STRESS_PROGRAMS += $(STRESS_BUILD)/ring-stress-$(1) $(STRESS_BUILD)/netif-stress-$(1)
endef
$(foreach kind,$(STRESS_KINDS),$(eval $(call stress_kind,$(kind))))

stress-programs: $(STRESS_PROGRAMS) $(addsuffix .so,$(filter %/netif-stress-plain \
		%/netif-stress-asan %/netif-stress-tsan,$(STRESS_PROGRAMS)))
stress: packages
	@$(MAKE) -s -j2 stress-programs
	@tests/stress/run $(DURATION) $(STRESS_PROGRAMS)
.PHONY: stress stress-programs
