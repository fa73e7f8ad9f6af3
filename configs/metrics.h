/* SPDX-License-Identifier: ISC */
/*
 * All counters in the text format of Prometheus, version 0.0.4, for struct http_page: names
 * begin with "ringwall_", each has its HELP and TYPE, and what counts up ends in "_total".
 */
#pragma once

#include "configs/metrics_source.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* As http_page.write; `context` is the struct metrics_source. */
size_t metrics_write(void *context, struct http_cursor *cursor, char *to, size_t room);

/* The counters of TCP and UDP end points by their names without "ringwall_"; NULL: no more. */
const char *metrics_socket_counter(const struct metrics_source *source, uint32_t index,
				   uint64_t *value);
