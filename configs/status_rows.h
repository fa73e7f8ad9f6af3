/* SPDX-License-Identifier: ISC */
/* (internal to configs/status*.c) The tables of the status page, row by row. */
#pragma once

#include "configs/metrics_source.h"

#define STATUS_COLUMNS 10u
#define STATUS_TEXT_BYTES 48u

/* Text when it is not NULL; as `own` when the row has made it itself. */
struct status_cell {
	const char *text;
	uint64_t number;
	char own[STATUS_TEXT_BYTES];
};

struct status_row {
	bool shown;
	struct status_cell cells[STATUS_COLUMNS];
};

struct status_table {
	const char *name;			 /* in JSON */
	const char *title;			 /* for humans */
	const char *columns[STATUS_COLUMNS + 1]; /* by their names in JSON; NULL behind the last */
	/* The row of place `index`, perhaps not shown; false: there are no more places. */
	bool (*row)(const struct metrics_source *source, uint32_t index, struct status_row *row);
};

/* NULL: no more. */
const struct status_table *status_table(uint32_t index);
