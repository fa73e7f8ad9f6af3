# SPDX-License-Identifier: ISC
# dom0's side of QubesOS's protocols for the bench, and the other end of configs/vchan: programs
# on the real libxenvchan, linked statically, because dom0 there has not that library.

QUBES_BUILD = $(BUILD)/qubes-dom0
QUBES_LIBRARIES = -lxenvchan -lxenstore -lxenevtchn -lxengnttab -lxentoollog -lxentoolcore \
	-lxencall -lpthread
qubes_SHARED = tests/qubes/control.c tests/qubes/dom0_vchan.c
qubes_HEADERS = $(wildcard tests/qubes/*.h)

$(QUBES_BUILD)/qubesdb-server: tests/qubes/qubesdb_server.c $(qubes_SHARED) $(qubes_HEADERS)
$(QUBES_BUILD)/qrexec-daemon: tests/qubes/qrexec_daemon.c tests/qubes/qrexec_call.c \
	$(qubes_SHARED) $(qubes_HEADERS)
$(BUILD)/vchan-peer: tests/qubes/vchan_peer.c
$(QUBES_BUILD)/qubesdb-server $(QUBES_BUILD)/qrexec-daemon $(BUILD)/vchan-peer:
	@mkdir -p $(@D)
	@echo "  host $@"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -static -o $@ $(filter %.c,$^) $(QUBES_LIBRARIES)

qubes-dom0: $(QUBES_BUILD)/qubesdb-server $(QUBES_BUILD)/qrexec-daemon
.PHONY: qubes-dom0
