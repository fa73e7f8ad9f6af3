/* SPDX-License-Identifier: ISC */
/* The toolstack of the hosted machine. */
#include "tests/host/toolstack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "tests/host/toolstack_store.h"

#define PATH_BYTES TOOLSTACK_PATH_BYTES

/* ---- domains ---- */

void host_toolstack_build_machine(struct host_machine *machine)
{
	toolstack_must_succeed(store_tree_mkdir(&machine->store, 0, 0, "/local/domain/0"), "mkdir",
			       "dom0");
	toolstack_must_succeed(store_tree_mkdir(&machine->store, 0, 0, "/libxl"), "mkdir",
			       "/libxl");
}

void host_toolstack_build_domain(struct host_domain *domain, const char *name)
{
	static const char *const own[] = { "data", "drivers", "error", "control/shutdown" };
	struct host_machine *machine = domain->machine;
	char home[PATH_BYTES];
	char path[PATH_BYTES + 32];

	snprintf(home, sizeof(home), "/local/domain/%u", domain->domid);
	toolstack_make_directory(machine, 0, home, 0, domain->domid);
	toolstack_write(machine, 0, home, "name", "%s", name);
	toolstack_write(machine, 0, home, "domid", "%u", domain->domid);
	snprintf(path, sizeof(path), "%s/device", home);
	toolstack_make_directory(machine, 0, path, 0, domain->domid);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, own[i]);
		toolstack_make_directory(machine, 0, path, domain->domid, 0);
	}
}

/* ---- devices of any kind ---- */

enum kind { KIND_VIF, KIND_VBD, KIND_COUNT };
static const char *const kind_names[] = { "vif", "vbd" };

struct device {
	enum kind kind;
	struct host_domain *frontend;
	struct host_domain *backend;
	uint32_t devid;
};

static struct device device_of_vif(const struct host_vif *vif)
{
	return (struct device){ KIND_VIF, vif->frontend, vif->backend, vif->devid };
}

static struct device device_of_vbd(const struct host_vbd *vbd)
{
	return (struct device){ KIND_VBD, vbd->frontend, vbd->backend, vbd->devid };
}

static void frontend_path(const struct device *device, char *to, size_t size)
{
	snprintf(to, size, "/local/domain/%u/device/%s/%u", device->frontend->domid,
		 kind_names[device->kind], device->devid);
}

static void backend_path(const struct device *device, char *to, size_t size)
{
	snprintf(to, size, "/local/domain/%u/backend/%s/%u/%u", device->backend->domid,
		 kind_names[device->kind], device->frontend->domid, device->devid);
}

/* The toolstack's own note of a device, which no guest can touch. */
static void note_path(const struct device *device, char *to, size_t size)
{
	snprintf(to, size, "/libxl/%u/device/%s/%u", device->frontend->domid,
		 kind_names[device->kind], device->devid);
}

/* What the frontend's directory begins with, whatever the device. */
static void write_frontend(const struct device *device, uint32_t t, char *path)
{
	struct host_machine *machine = device->frontend->machine;
	char backend[PATH_BYTES];

	frontend_path(device, path, PATH_BYTES);
	backend_path(device, backend, sizeof(backend));
	(void)!store_tree_remove(&machine->store, 0, t, path);
	toolstack_make_directory(machine, t, path, device->frontend->domid, device->backend->domid);
	toolstack_write(machine, t, path, "backend", "%s", backend);
	toolstack_write(machine, t, path, "backend-id", "%u", device->backend->domid);
	toolstack_write(machine, t, path, "state", "%d", XenbusStateInitialising);
}

/* The directories above are the toolstack's; the device's own is the backend's. */
static void write_backend(const struct device *device, uint32_t t, char *path)
{
	struct host_machine *machine = device->backend->machine;
	char frontend[PATH_BYTES];

	frontend_path(device, frontend, sizeof(frontend));
	backend_path(device, path, PATH_BYTES);
	toolstack_make_directory(machine, t, path, device->backend->domid, device->frontend->domid);
	toolstack_write(machine, t, path, "frontend", "%s", frontend);
	toolstack_write(machine, t, path, "frontend-id", "%u", device->frontend->domid);
	toolstack_write(machine, t, path, "online", "1");
	toolstack_write(machine, t, path, "state", "%d", XenbusStateInitialising);
}

/* A guest that runs already may have gone on before we look. */
static bool is_offered(void *argument)
{
	struct toolstack_awaited *awaited = argument;

	awaited->seen = host_store_number(awaited->machine, awaited->path);
	return awaited->seen >= XenbusStateInitWait && awaited->seen <= XenbusStateConnected;
}

/* Both directories and the note in one transaction; `write` puts in what the kind has. */
static int attach(const struct device *device,
		  void (*write)(const void *wanted, uint32_t t, const char *front,
				const char *back),
		  const void *wanted)
{
	struct host_machine *machine = device->frontend->machine;
	char front[PATH_BYTES];
	char back[PATH_BYTES];
	char path[PATH_BYTES + 16];
	struct toolstack_awaited state = { .machine = machine, .path = path };
	uint32_t t;
	int error;

	note_path(device, path, sizeof(path));
	do {
		toolstack_must_succeed(store_tree_begin(&machine->store, 0, &t), "begin", path);
		write_frontend(device, t, front);
		write_backend(device, t, back);
		write(wanted, t, front, back);
		toolstack_write(machine, t, path, "backend", "%s", back);
		error = store_tree_end(&machine->store, 0, t, true);
	} while (error == -EAGAIN);
	toolstack_must_succeed(error, "commit", back);
	snprintf(path, sizeof(path), "%s/state", back);
	return host_run_until(machine, is_offered, &state, HOST_ATTACH_NS) ? 0 : -ETIMEDOUT;
}

static void ask_to_close(struct host_machine *machine, const char *backend)
{
	uint32_t t;
	int error;

	do {
		toolstack_must_succeed(store_tree_begin(&machine->store, 0, &t), "begin", backend);
		toolstack_write(machine, t, backend, "online", "0");
		toolstack_write(machine, t, backend, "state", "%d", XenbusStateClosing);
		error = store_tree_end(&machine->store, 0, t, true);
	} while (error == -EAGAIN);
	toolstack_must_succeed(error, "commit", backend);
}

static bool is_gone(void *argument)
{
	struct toolstack_awaited *awaited = argument;

	return !host_store_exists(awaited->machine, awaited->path);
}

static bool is_closed(void *argument)
{
	return toolstack_has_number(argument) || ((struct toolstack_awaited *)argument)->seen < 0;
}

/* Waits for state 6, then for the directory's end, each with its own limit. */
static int wait_removed(struct host_machine *machine, const char *backend)
{
	char path[PATH_BYTES + 8];
	struct toolstack_awaited state = { machine, path, XenbusStateClosed, -1 };
	struct toolstack_awaited directory = { machine, backend, 0, 0 };

	snprintf(path, sizeof(path), "%s/state", backend);
	if (!host_run_until(machine, is_closed, &state, HOST_DESTROY_NS))
		return -ETIMEDOUT;
	if (state.seen != XenbusStateClosed)
		return -EINVAL;
	return host_run_until(machine, is_gone, &directory, HOST_DESTROY_NS) ? 0 : -ETIMEDOUT;
}

/* Parents that are empty now go too, up to `stop`. */
static void remove_with_parents(struct host_machine *machine, const char *path, const char *stop)
{
	char at[PATH_BYTES];

	snprintf(at, sizeof(at), "%s", path);
	while (strlen(at) > strlen(stop)) {
		char *names = NULL;
		int count;

		host_store_remove(machine, at);
		*strrchr(at, '/') = 0;
		count = store_tree_list(&machine->store, 0, 0, at, &names);
		host_alloc_free(names);
		if (count != 0)
			return;
	}
}

static void forget(const struct device *device, const char *backend)
{
	struct host_machine *machine = device->frontend->machine;
	char path[PATH_BYTES];
	char stop[PATH_BYTES];

	frontend_path(device, path, sizeof(path));
	host_store_remove(machine, path);
	snprintf(stop, sizeof(stop), "%s", backend);
	snprintf(path, sizeof(path), "/%s/", kind_names[device->kind]);
	*strstr(stop, path) = 0; /* the domain's "backend" */
	remove_with_parents(machine, backend, stop);
	note_path(device, path, sizeof(path));
	host_store_remove(machine, path);
}

/* `device->backend` is not looked at: it may be gone, and the note knows its directory. */
static int remove_device(const struct device *device, bool force)
{
	struct host_machine *machine = device->frontend->machine;
	char backend[PATH_BYTES];
	char path[PATH_BYTES + 16];
	int error = 0;

	note_path(device, path, sizeof(path));
	strcat(path, "/backend");
	if (host_store_read(machine, path, backend, sizeof(backend)) <= 0)
		return -ENOENT;
	if (force) {
		frontend_path(device, path, sizeof(path));
		host_store_remove(machine, path);
	}
	if (host_store_exists(machine, backend)) {
		ask_to_close(machine, backend);
		error = wait_removed(machine, backend);
	}
	if (!error || force)
		forget(device, backend);
	return error;
}

/* ---- vifs ---- */

const char *host_frontend_path(const struct host_vif *vif, char *to, size_t size)
{
	struct device device = device_of_vif(vif);

	frontend_path(&device, to, size);
	return to;
}

const char *host_backend_path(const struct host_vif *vif, char *to, size_t size)
{
	struct device device = device_of_vif(vif);

	backend_path(&device, to, size);
	return to;
}

static void write_vif(const void *wanted, uint32_t t, const char *front, const char *back)
{
	const struct host_vif *vif = wanted;
	struct host_machine *machine = vif->frontend->machine;
	char mtu[PATH_BYTES + 8];

	toolstack_write(machine, t, front, "handle", "%u", vif->devid);
	toolstack_write(machine, t, front, "mac", "%s", vif->mac);
	toolstack_write(machine, t, front, "trusted", "1");
	toolstack_write(machine, t, back, "script", "/etc/xen/scripts/vif-bridge");
	toolstack_write(machine, t, back, "mac", "%s", vif->mac);
	if (vif->ip)
		toolstack_write(machine, t, back, "ip", "%s", vif->ip);
	toolstack_write(machine, t, back, "bridge", "xenbr0");
	toolstack_write(machine, t, back, "handle", "%u", vif->devid);
	toolstack_write(machine, t, back, "type", "vif");
	toolstack_write(machine, t, back, "hotplug-status", "%s", "");
	if (!vif->mtu)
		return;
	toolstack_write(machine, t, back, "mtu", "%u", vif->mtu);
	toolstack_write(machine, t, front, "mtu", "%u", vif->mtu);
	snprintf(mtu, sizeof(mtu), "%s/mtu", front);
	toolstack_set_rights(machine, t, mtu, vif->backend->domid, vif->frontend->domid);
}

int host_toolstack_attach_vif(const struct host_vif *vif)
{
	struct device device = device_of_vif(vif);

	return attach(&device, write_vif, vif);
}

int host_toolstack_detach_vif(struct host_domain *frontend, uint32_t devid)
{
	return remove_device(&(struct device){ KIND_VIF, frontend, NULL, devid }, false);
}

int host_toolstack_destroy_vif(struct host_domain *frontend, uint32_t devid)
{
	return remove_device(&(struct device){ KIND_VIF, frontend, NULL, devid }, true);
}

/* ---- vbds ---- */

const char *host_vbd_frontend_path(const struct host_vbd *vbd, char *to, size_t size)
{
	struct device device = device_of_vbd(vbd);

	frontend_path(&device, to, size);
	return to;
}

const char *host_vbd_backend_path(const struct host_vbd *vbd, char *to, size_t size)
{
	struct device device = device_of_vbd(vbd);

	backend_path(&device, to, size);
	return to;
}

static void write_vbd(const void *wanted, uint32_t t, const char *front, const char *back)
{
	const struct host_vbd *vbd = wanted;
	struct host_machine *machine = vbd->frontend->machine;
	const char *type = vbd->cdrom ? "cdrom" : "disk";

	toolstack_write(machine, t, front, "virtual-device", "%u", vbd->devid);
	toolstack_write(machine, t, front, "device-type", "%s", type);
	toolstack_write(machine, t, front, "trusted", "1");
	toolstack_write(machine, t, back, "params", "%s", vbd->target);
	toolstack_write(machine, t, back, "script", "/etc/xen/scripts/block");
	toolstack_write(machine, t, back, "removable", "%d", vbd->removable);
	toolstack_write(machine, t, back, "bootable", "1");
	toolstack_write(machine, t, back, "dev", "%s", vbd->dev);
	toolstack_write(machine, t, back, "type", "phy");
	toolstack_write(machine, t, back, "mode", "%s", vbd->read_only ? "r" : "w");
	toolstack_write(machine, t, back, "device-type", "%s", type);
	toolstack_write(machine, t, back, "trusted", "1");
	if (vbd->discard_enable)
		toolstack_write(machine, t, back, "discard-enable", "%s", vbd->discard_enable);
}

int host_toolstack_attach_vbd(const struct host_vbd *vbd)
{
	struct device device = device_of_vbd(vbd);

	return attach(&device, write_vbd, vbd);
}

int host_toolstack_detach_vbd(struct host_domain *frontend, uint32_t devid)
{
	return remove_device(&(struct device){ KIND_VBD, frontend, NULL, devid }, false);
}

int host_toolstack_destroy_vbd(struct host_domain *frontend, uint32_t devid)
{
	return remove_device(&(struct device){ KIND_VBD, frontend, NULL, devid }, true);
}

/* ---- the end of a domain ---- */

static int destroy_devices(struct host_domain *domain, enum kind kind)
{
	struct host_machine *machine = domain->machine;
	char path[PATH_BYTES];
	char *names = NULL;
	int first_error = 0;
	int count;

	snprintf(path, sizeof(path), "/libxl/%u/device/%s", domain->domid, kind_names[kind]);
	count = store_tree_list(&machine->store, 0, 0, path, &names);
	for (const char *name = names; count > 0; count--, name += strlen(name) + 1) {
		struct device device = { kind, domain, NULL, (uint32_t)atoi(name) };
		int error = remove_device(&device, true);

		first_error = first_error ? first_error : error;
	}
	host_alloc_free(names);
	return first_error;
}

int host_toolstack_destroy_domain(struct host_domain *domain)
{
	struct host_machine *machine = domain->machine;
	char path[PATH_BYTES];
	int first_error = 0;

	if (host_domain_is_alive(domain))
		host_domain_pause(domain, true);
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		int error = destroy_devices(domain, kind);

		first_error = first_error ? first_error : error;
	}
	if (host_domain_is_alive(domain))
		host_domain_kill(domain);
	snprintf(path, sizeof(path), "/local/domain/%u", domain->domid);
	host_store_remove(machine, path);
	snprintf(path, sizeof(path), "/libxl/%u", domain->domid);
	host_store_remove(machine, path);
	return first_error;
}
