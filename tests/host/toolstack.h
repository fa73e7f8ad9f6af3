/* SPDX-License-Identifier: ISC */
/*
 * What xl and libxl do to the store, with their order, permissions and time
 * limits: domains' nodes, vifs and vbds attached, detached and destroyed. Called from the
 * test's own code; the waits run the machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/compiler.h"
#include "tests/host/host.h"

#define HOST_ATTACH_NS 10000000000u  /* libxl's LIBXL_INIT_TIMEOUT */
#define HOST_DESTROY_NS 10000000000u /* libxl's LIBXL_DESTROY_TIMEOUT */

/* For host_machine_create() and host_domain_create(). */
void host_toolstack_build_machine(struct host_machine *machine);
void host_toolstack_build_domain(struct host_domain *domain, const char *name);

struct host_vif {
	struct host_domain *frontend;
	struct host_domain *backend;
	uint32_t devid;
	const char *mac; /* "00:16:3e:..." */
	const char *ip;	 /* NULL: no such node */
	uint32_t mtu;	 /* 0: no such node */
};

/*
 * Writes both directories in one transaction and waits for the backend to offer itself (state 2).
 * 0, or -ETIMEDOUT; the directories stay then, as libxl leaves them to the destroy.
 */
must_check int host_toolstack_attach_vif(const struct host_vif *vif);

/*
 * `xl network-detach`: asks the backend to close, waits for its state 6 and for
 * its directory to go, then removes the frontend's. -ETIMEDOUT in either wait
 * leaves everything; -EINVAL: the directory was gone before the 6 was seen.
 */
must_check int host_toolstack_detach_vif(struct host_domain *frontend, uint32_t devid);

/* The same by force, as for a domain that is destroyed: the frontend's directory first. */
must_check int host_toolstack_destroy_vif(struct host_domain *frontend, uint32_t devid);

struct host_vbd {
	struct host_domain *frontend;
	struct host_domain *backend;
	uint32_t devid;	    /* virtual-device: 51712 is xvda, 51728 xvdb */
	const char *dev;    /* "xvda" */
	const char *target; /* what "params" gets */
	bool read_only, removable, cdrom;
	const char *discard_enable; /* "0" or "1"; NULL: no such node */
};

#define HOST_VBD_XVDA 51712u
#define HOST_VBD_STEP 16u /* from one whole disk to the next */

/* As for vifs: `xl block-attach`, `block-detach` and `block-detach --force`. */
must_check int host_toolstack_attach_vbd(const struct host_vbd *vbd);
must_check int host_toolstack_detach_vbd(struct host_domain *frontend, uint32_t devid);
must_check int host_toolstack_destroy_vbd(struct host_domain *frontend, uint32_t devid);

/*
 * `xl destroy`: stops the domain, destroys its vifs and vbds, ends it, and removes its
 * nodes. The first error of a device, after everything else was done all the same.
 */
must_check int host_toolstack_destroy_domain(struct host_domain *domain);

/* "/local/domain/2/device/vif/0" and "/local/domain/1/backend/vif/2/0". */
const char *host_frontend_path(const struct host_vif *vif, char *to, size_t size);
const char *host_backend_path(const struct host_vif *vif, char *to, size_t size);
/* "/local/domain/2/device/vbd/51712" and "/local/domain/1/backend/vbd/2/51712". */
const char *host_vbd_frontend_path(const struct host_vbd *vbd, char *to, size_t size);
const char *host_vbd_backend_path(const struct host_vbd *vbd, char *to, size_t size);

/* The store as domain 0 sees it; absolute paths. Errors as store_tree_*(). */
must_check int host_store_read(struct host_machine *machine, const char *path, char *to,
			       size_t size);
void host_store_write(struct host_machine *machine, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void host_store_remove(struct host_machine *machine, const char *path);
bool host_store_exists(struct host_machine *machine, const char *path);

/* The number at `path`, or -1. */
int64_t host_store_number(struct host_machine *machine, const char *path);

/* Waits until the node has the number; -ETIMEDOUT. */
must_check int host_store_wait_number(struct host_machine *machine, const char *path,
				      int64_t number, uint64_t timeout_ns);
