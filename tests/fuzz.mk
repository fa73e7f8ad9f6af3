# SPDX-License-Identifier: ISC
# Fuzzers: `make fuzz` runs each for FUZZ_SECONDS. What they find stays in build/fuzz/.

FUZZ_BUILD = $(BUILD)/fuzz
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS = -std=gnu11 -g -O1 $(WARNINGS) -I. -fno-strict-aliasing -fno-omit-frame-pointer \
	-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
FUZZ_SRCS = $(lib_SRCS) $(net_SRCS) tests/unit/panic.c tests/host/relax.c tests/fuzz/check_abort.c \
	$(filter-out %_test.c,$(wildcard tests/net/*.c))
FUZZ_OBJS = $(patsubst %.c,$(FUZZ_BUILD)/%.o,$(FUZZ_SRCS))
FUZZ_PROGRAMS = $(patsubst tests/fuzz/%.c,$(FUZZ_BUILD)/%,$(wildcard tests/fuzz/*_fuzz.c))

$(FUZZ_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@clang $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(FUZZ_BUILD)/%_fuzz: $(FUZZ_BUILD)/tests/fuzz/%_fuzz.o $(FUZZ_OBJS)
	@clang -fsanitize=address,undefined,fuzzer -o $@ $^

fuzz: $(FUZZ_PROGRAMS)
	@for program in $(FUZZ_PROGRAMS); do \
		mkdir -p $$program-corpus; \
		$$program -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -print_final_stats=1 \
			-artifact_prefix=$$program- $$program-corpus || exit 1; \
	done

-include $(shell [ -d $(FUZZ_BUILD) ] && find $(FUZZ_BUILD) -name '*.d')
.PHONY: fuzz
