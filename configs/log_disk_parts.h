/* SPDX-License-Identifier: ISC */
/* (internal) What the files of the log on a disk share. */
#pragma once

#include "configs/log_disk.h"

#define LOG_DISK_BUFFER_BYTES 65536u /* for a unit and a batch, and for LOG_DISK_READS */

/* The disk's bytes from the log's beginning on, as they are now. */
uint64_t log_disk_room(const struct log_disk *log);

/*
 * Puts a request together, as number `log->asked`, and counts it: `bytes` from byte `at` of the
 * log. Nothing else is asked before log_disk_submit(), and then not before all are reported.
 */
void log_disk_ask(struct log_disk *log, enum block_op op, uint64_t at, uint32_t bytes,
		  uint8_t *data);
void log_disk_submit(struct log_disk *log);

/* The first error of those that were asked and reported. */
must_check int log_disk_result(const struct log_disk *log);

/* One of them failed with this error. */
must_check bool log_disk_any_result(const struct log_disk *log, int error);

/* A request failed: says so, and lets some time pass before the next one. */
void log_disk_back_off(struct log_disk *log, int error, const char *what);

/* Gives the device up for good. */
void log_disk_refuse(struct log_disk *log);

/* Looking and making: begins, and goes on when what was asked has been reported. */
void log_disk_look(struct log_disk *log);
void log_disk_look_on(struct log_disk *log);
