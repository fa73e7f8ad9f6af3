# Ringwall. `make` builds build/ringwall; see README.md for the other targets.
#
# Each folder lists its sources in module.mk; each image in configs/<image>/module.mk
# names its file under build/ and the rooms it links.

BUILD ?= build
NEWLIB ?= $(abspath build/newlib)
CC = gcc
OBJCOPY = objcopy
NM = nm

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

include $(wildcard lib/module.mk net/module.mk arch/x86/module.mk xen/module.mk \
	drivers/module.mk configs/*/module.mk)

NEWLIB_TARBALL = $(firstword $(wildcard /usr/src/newlib/newlib-*.tar.*))
NEWLIB_STAMP = $(NEWLIB)/.built

WARNINGS = -Wall -Wextra -Werror -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
KERNEL_CFLAGS = -std=gnu11 -O2 -g $(WARNINGS) -I. -isystem $(NEWLIB)/x86_64-elf/include \
	-D__XEN_INTERFACE_VERSION__=0x00040e00 -ffreestanding -mgeneral-regs-only -mno-red-zone \
	-fno-pic -fno-pie -mcmodel=small -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fstack-protector-strong -mstack-protector-guard=global \
	-fcf-protection=none -ffunction-sections -fdata-sections -fno-common \
	-ffile-prefix-map=$(CURDIR)=.
ifeq ($(SANITIZE),trap)
KERNEL_CFLAGS += -fsanitize=undefined -fsanitize-undefined-trap-on-error -fno-sanitize=alignment
endif
# Nothing here has floating point: the C library's printing without it is 25 KiB smaller.
PRINT_INTEGERS = -Wl,--defsym=snprintf=sniprintf -Wl,--defsym=vsnprintf=vsniprintf
LDFLAGS = -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--gc-sections \
	-Wl,-z,max-page-size=4096 -Wl,-T,arch/x86/kernel.lds $(PRINT_INTEGERS)
LIBRARIES = -L$(NEWLIB)/x86_64-elf/lib -Wl,--start-group -lc -lgcc -Wl,--end-group

KERNEL_SRCS = $(lib_SRCS) $(net_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
object = $(patsubst %,$(BUILD)/kernel/%.o,$(basename $(1)))

# $(call image,NAME,FOLDER,SOURCES): build/NAME, linked twice so that the second link
# carries the symbols of the first.
define image
$(1)_OBJS := $$(call object,$(3))
IMAGE_OBJS += $$($(1)_OBJS)
$(BUILD)/$(1).debug: $$($(1)_OBJS) arch/x86/kernel.lds arch/x86/make-symbols
	@echo "  link $$@"
	@arch/x86/make-symbols $(NM) >$(BUILD)/$(1).symbols0.S
	@$(CC) -c -o $(BUILD)/$(1).symbols0.o $(BUILD)/$(1).symbols0.S
	@$(CC) $(LDFLAGS) -o $(BUILD)/$(1).pass1 $$($(1)_OBJS) $(BUILD)/$(1).symbols0.o $(LIBRARIES)
	@arch/x86/make-symbols $(NM) $(BUILD)/$(1).pass1 >$(BUILD)/$(1).symbols.S
	@$(CC) -c -o $(BUILD)/$(1).symbols.o $(BUILD)/$(1).symbols.S
	@$(CC) $(LDFLAGS) -o $$@ $$($(1)_OBJS) $(BUILD)/$(1).symbols.o $(LIBRARIES)
	@rm -f $(BUILD)/$(1).pass1 $(BUILD)/$(1).symbols*
$(BUILD)/$(1): $(BUILD)/$(1).debug
	@$(OBJCOPY) --strip-all $$< $$@
	@chmod -x $$@
IMAGES += $(BUILD)/$(1)
endef
$(foreach i,$(images),$(eval $(call image,$(i),$($(i)_FOLDER),$($(i)_SRCS))))

all: $(BUILD)/ringwall
images: $(IMAGES)
objects: $(sort $(IMAGE_OBJS) $(call object,$(KERNEL_SRCS)))

$(BUILD)/kernel/%.o: %.c $(NEWLIB_STAMP)
	@mkdir -p $(@D)
	@echo "  cc   $<"
	@$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/kernel/%.o: %.S $(NEWLIB_STAMP)
	@mkdir -p $(@D)
	@echo "  as   $<"
	@$(CC) -I. -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

$(NEWLIB_STAMP): arch/x86/build-newlib
	@missing=; for p in newlib-source libxen-dev gcc make; do \
		dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "missing Debian packages:$$missing" >&2; exit 1; fi
	@echo "  newlib (about half a minute)"
	@arch/x86/build-newlib $(NEWLIB_TARBALL) $(NEWLIB)
	@touch $@

newlib: $(NEWLIB_STAMP)

print-kernel-cflags:
	@echo '$(KERNEL_CFLAGS)'

clean:
	rm -rf $(BUILD)

include configs/firewall/qubes/package.mk
-include tests/module.mk
-include $(shell [ -d $(BUILD)/kernel ] && find $(BUILD)/kernel -name '*.d')

.PHONY: all images objects newlib clean print-kernel-cflags
