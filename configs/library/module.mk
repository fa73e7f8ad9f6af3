# SPDX-License-Identifier: ISC
# libringwall-net: TCP and UDP as a shared library for the host. Only what its header
# declares is visible.

library_SRCS := $(wildcard configs/library/rw_*.c) $(lib_SRCS) $(net_SRCS) tests/unit/panic.c \
	tests/host/relax.c
library_OBJS = $(patsubst %.c,$(BUILD)/library/%.o,$(library_SRCS))

$(BUILD)/library/%.o: %.c
	@mkdir -p $(@D)
	@echo "  host $<"
	@gcc -std=gnu11 -O2 -g $(WARNINGS) -I. -fPIC -fvisibility=hidden -fno-strict-aliasing \
		-ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c -o $@ $<
$(BUILD)/libringwall-net.so: $(library_OBJS)
	@echo "  link $@"
	@gcc -shared -Wl,-soname,libringwall-net.so -Wl,-z,defs -Wl,-z,relro -Wl,-z,now \
		-Wl,--gc-sections -o $@ $^

library: $(BUILD)/libringwall-net.so
-include $(library_OBJS:.o=.d)
.PHONY: library
