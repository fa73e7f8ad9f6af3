/* SPDX-License-Identifier: ISC */
/*
 * The pages of counters for an HTTP server: /metrics, /status, /status.json, and what /status
 * is made of. They are the same in every guest.
 */
#pragma once

#include "configs/http_server.h"

#define STATUS_PAGES_MOST 8u

/*
 * Adds them behind the `count` pages in `pages`, which has room for STATUS_PAGES_MOST more; how
 * many there are then. Their context is a struct metrics_source.
 */
must_check uint32_t status_pages_add(const struct http_page **pages, uint32_t count);
