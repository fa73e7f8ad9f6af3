# SPDX-License-Identifier: ISC
# `make qubes`: what dom0 of QubesOS installs, in build/qubes. Nothing in it depends on where,
# when or by whom it is built: the version and its date are in ../VERSION, and nowhere else.

VERSION := $(word 1,$(shell cat configs/firewall/VERSION))
SOURCE_DATE_EPOCH := $(shell date -u -d '$(word 2,$(shell cat configs/firewall/VERSION))' +%s)

QUBES_FOLDER := configs/firewall/qubes
QUBES_FILES := $(wildcard $(addprefix $(QUBES_FOLDER)/,initramfs make-package README.md \
	ringwall-qube ringwall.spec.in salt/*))

qubes: $(BUILD)/qubes/SHA256SUMS

$(BUILD)/qubes/SHA256SUMS: $(BUILD)/ringwall configs/firewall/VERSION LICENSE $(QUBES_FILES)
	@echo "  package $(@D)/ringwall-$(VERSION)"
	@$(QUBES_FOLDER)/make-package $(VERSION) $(SOURCE_DATE_EPOCH) $< $(@D)

.PHONY: qubes
