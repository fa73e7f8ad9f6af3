/* SPDX-License-Identifier: ISC */
/* Captures in files, read by libpcap: pcap and pcapng, of Ethernet or of bare IP packets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/compiler.h"

struct capture_file;

struct capture_frame {
	const uint8_t *bytes; /* until the next one is read */
	uint32_t captured;    /* bytes */
	uint32_t length;      /* that it had */
	uint64_t time_ns;     /* since 1970-01-01 00:00 UTC */
};

/* "-" is the standard input. NULL, and why not on the standard error. */
must_check struct capture_file *capture_file_open(const char *name);

/* True: its frames are IP packets, nothing stands before them. */
bool capture_file_is_bare(const struct capture_file *file);

/* 1: a frame; 0: the end; -1: it cannot be read, and why on the standard error. */
must_check int capture_file_next(struct capture_file *file, struct capture_frame *frame);

void capture_file_close(struct capture_file *file);
