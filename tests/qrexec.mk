# SPDX-License-Identifier: ISC
# The hosted tests of the qrexec agent: an image with the agent, dom0's side and the scenes,
# and the program that runs them (tests/xen/qrexec). Part of `hosted`.

QREXEC_IMAGE = $(lib_SRCS) $(wildcard xen/vchan*.c) $(wildcard xen/qrexec*.c) \
	$(filter-out %/main.c,$(wildcard tests/xen/qrexec/*.c))

define qrexec_kind
$(HOSTED_BUILD)/qrexec-$(1): $(call hosted_objects,$(1),$(HOSTED_MACHINE) tests/xen/qrexec/main.c) | $(HOSTED_BUILD)/qrexec-$(1).so
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -rdynamic -o $$@ $$^ $(HOSTED_LDFLAGS) $(HOSTED_LIBS)
$(HOSTED_BUILD)/qrexec-$(1).so: $(call hosted_objects,$(1),$(QREXEC_IMAGE))
	@echo "  link $$@"
	@$(HOSTED_CC) $(HOSTED_FLAGS_$(1)) -shared -Wl,-Bsymbolic -o $$@ $$^ $(HOSTED_LDFLAGS)
HOSTED_PROGRAMS += $(HOSTED_BUILD)/qrexec-$(1)
endef
$(foreach kind,$(HOSTED_KINDS),$(eval $(call qrexec_kind,$(kind))))
