/* SPDX-License-Identifier: ISC */
/*
 * The counters for a human: a page that reads without scripts, and is kept up to date by one
 * where there are scripts; and the same tables as JSON. Both come from the same rows.
 */
#pragma once

#include "configs/metrics_source.h"

/* As http_page.write; `context` is the struct metrics_source. */
size_t status_write_html(void *context, struct http_cursor *cursor, char *to, size_t room);
size_t status_write_json(void *context, struct http_cursor *cursor, char *to, size_t room);
