# SPDX-License-Identifier: ISC
# A program for the host: the rules' parser and judge, as the firewall has them.

check_SRCS := $(wildcard configs/check/*.c) \
	$(filter-out net/rules_names.c,$(filter net/rules% net/qubes_rules%,$(net_SRCS))) \
	net/dns_message.c lib/base64.c lib/ip4_text.c lib/ip6_text.c
check_OBJS = $(patsubst %.c,$(BUILD)/check/%.o,$(check_SRCS))

$(BUILD)/check/%.o: %.c
	@mkdir -p $(@D)
	@echo "  host $<"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -I. -fno-strict-aliasing -MMD -MP -c -o $@ $<
$(BUILD)/ringwall-check: $(check_OBJS)
	@echo "  link $@"
	@gcc -o $@ $^

check-program: $(BUILD)/ringwall-check
-include $(check_OBJS:.o=.d)
.PHONY: check-program
