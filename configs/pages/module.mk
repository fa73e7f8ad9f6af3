# Sources that are made: an image has them by naming pages/NAME.c among its own.

# $(call pages,NAME,FOLDER): what make-pages makes of FOLDER.
define pages
$(BUILD)/pages/$(1).c: configs/pages/make-pages $(shell find $(2) -type f)
	@mkdir -p $$(@D)
	@configs/pages/make-pages $(1) $(2) >$$@
endef
$(eval $(call pages,status_pages,configs/pages/status))
$(eval $(call pages,httpd_pages,configs/httpd/pages))

$(BUILD)/pages/version.c: configs/firewall/VERSION
	@mkdir -p $(@D)
	@printf '#include "configs/version.h"\n\nconst char ringwall_version[] = "%s";\n' \
		$(firstword $(shell cat configs/firewall/VERSION)) >$@
$(BUILD)/kernel/pages/%.o: $(BUILD)/pages/%.c $(NEWLIB)/.built
	@mkdir -p $(@D)
	@echo "  cc   $<"
	@$(CC) $(KERNEL_CFLAGS) -MMD -MP -c -o $@ $<

# A server of HTTP with the pages of counters.
http_SRCS := configs/http_request.c configs/http_server.c configs/metrics.c configs/metrics_source.c \
	configs/status.c configs/status_pages.c configs/status_rows.c configs/text_out.c \
	pages/status_pages.c pages/version.c
# Nothing of it is in the way of packets: small counts.
$(patsubst %.c,$(BUILD)/kernel/%.o,$(http_SRCS)): KERNEL_CFLAGS += -Os
