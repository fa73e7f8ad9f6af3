# SPDX-License-Identifier: ISC
# A program for the host: reads what the firewall has written to a disk.

log_SRCS := $(wildcard configs/log/*.c) $(addprefix lib/,crc32c.c drop.c log_disk.c \
	log_disk_reader.c pcapng.c time_text.c)
log_OBJS = $(patsubst %.c,$(BUILD)/log/%.o,$(log_SRCS))

$(BUILD)/log/%.o: %.c
	@mkdir -p $(@D)
	@echo "  host $<"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -I. -MMD -MP -c -o $@ $<
$(BUILD)/ringwall-log: $(log_OBJS)
	@echo "  link $@"
	@gcc -o $@ $^

log-program: $(BUILD)/ringwall-log
-include $(log_OBJS:.o=.d)
.PHONY: log-program
