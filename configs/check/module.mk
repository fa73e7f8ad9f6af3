# SPDX-License-Identifier: ISC
# A program for the host: the rules' parser and judge, the flow table and the fragments, as
# the firewall has them. libpcap reads captures.

check_SRCS := $(wildcard configs/check/*.c) $(lib_SRCS) $(net_SRCS) tests/unit/panic.c \
	tests/host/relax.c
check_OBJS = $(patsubst %.c,$(BUILD)/check/%.o,$(check_SRCS))

$(BUILD)/check/%.o: %.c
	@mkdir -p $(@D)
	@echo "  host $<"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -I. -fno-strict-aliasing -MMD -MP -c -o $@ $<
$(BUILD)/ringwall-check: $(check_OBJS)
	@echo "  link $@"
	@gcc -o $@ $^ -lpcap

check-program: $(BUILD)/ringwall-check
-include $(check_OBJS:.o=.d)
.PHONY: check-program
