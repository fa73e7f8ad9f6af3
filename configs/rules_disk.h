/* SPDX-License-Identifier: ISC */
/*
 * A rule file that is on a disk: its text from the first sector on, up to the first NUL byte
 * or the end of the disk. The last line of the text, and no other, is
 *
 *	# end
 *
 * for a disk says nothing of where a file on it ends. A file that is lent as a disk is cut to
 * whole sectors, a file that is copied over a longer one leaves that one's last lines behind
 * it, and the rules that are missing or too many could be those that matter: without its last
 * line, or with lines after it, a text is refused. In dom0, after `echo '# end' >>rules.conf`:
 *
 *	cp rules.conf rules.img; truncate -s 1M rules.img	with room to grow
 *	dd if=rules.img of=/dev/vg0/rules conv=fsync		or the same on a volume
 *
 * What the disk's backend says is what the rules are: it belongs to whom the rules are trusted
 * to.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "drivers/block.h"
#include "lib/compiler.h"
#include "net/rules.h"

#define RULES_DISK_MOST (1u << 20) /* bytes of text */

/* Where the disk is to be found, kept by whoever is told of disks that come and go. */
struct rules_disk_place {
	struct block_device *device; /* NULL: there is none now */
	uint32_t attached;	     /* counts up whenever that is another one */
};

/*
 * Reads the text. From a fiber; waits for as long as the disk's backend is away. 0: `*text`,
 * which the caller frees, with `*bytes` bytes that no other domain can change. Else `error`
 * says why, with line 0 when no line is to blame: -EINVAL (not a whole file) and -E2BIG blame the
 * text; -ENODEV: there is no disk, or it was taken away; -ENOMEM, -EAGAIN (it changed while it
 * was read) or an error of the disk may pass.
 */
must_check int rules_disk_read(const struct rules_disk_place *place, char **text, size_t *bytes,
			       struct rules_error *error);
