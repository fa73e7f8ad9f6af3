/* SPDX-License-Identifier: ISC */
/*
 * Rules that come from a disk: read when it is attached and whenever that is asked for. A new
 * set takes the place of the old one as a whole; until there is a first one nothing passes, and
 * a file with a mistake, or a disk that fails, changes nothing. A firewall that is closed because
 * its disk could not be read tries again by itself; a mistake waits for disk_rules_again().
 */
#pragma once

#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"
#include "net/router.h"

/* Starts the fiber. `disk` is a name for messages, `router` runs; both live on. 0 or -ENOMEM. */
must_check int disk_rules_start(const char *disk, struct router *router);

/* Waits for as long as the first attempt takes. From a fiber. 0, or -ETIMEDOUT. */
must_check int disk_rules_wait(uint64_t deadline_ns);

/* The disk has come, or is about to go. */
void disk_rules_attached(struct block_device *device);
void disk_rules_detached(void);

/* Reads the rules once more, in the background; the console says what came of it. */
void disk_rules_again(void);
