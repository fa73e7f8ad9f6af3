# SPDX-License-Identifier: ISC
# The other end of configs/vchan, on the real libxenvchan, linked statically, because dom0 of
# the bench has not that library.

$(BUILD)/vchan-peer: tests/qubes/vchan_peer.c
	@mkdir -p $(@D)
	@echo "  host $@"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -static -o $@ $< -lxenvchan -lxenstore -lxenevtchn \
		-lxengnttab -lxentoollog -lxentoolcore -lxencall -lpthread
