/* SPDX-License-Identifier: ISC */
#include "configs/status_pages.h"

#include "configs/metrics.h"
#include "configs/pages/pages.h"
#include "configs/status.h"
#include "lib/compiler.h"

static const struct http_page written[] = {
	{ .path = "/metrics", .type = METRICS_TYPE, .write = metrics_write },
	{ .path = "/status", .type = "text/html; charset=utf-8", .write = status_write_html },
	{ .path = "/status.json", .type = "application/json", .write = status_write_json },
};

uint32_t status_pages_add(const struct http_page **pages, uint32_t count)
{
	uint32_t end = count + STATUS_PAGES_MOST;

	for (uint32_t i = 0; i < ARRAY_SIZE(written); i++)
		pages[count++] = &written[i];
	for (uint32_t i = 0; i < status_pages_count && count < end; i++)
		pages[count++] = &status_pages[i];
	return count;
}
