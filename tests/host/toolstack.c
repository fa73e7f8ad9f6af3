/* SPDX-License-Identifier: ISC */
/* The toolstack of the hosted machine. */
#include "tests/host/toolstack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>

#include "tests/host/internal.h"

#define PATH_BYTES STORE_TREE_PATH_BYTES

/* ---- the store as domain 0 ---- */

int host_store_read(struct host_machine *machine, const char *path, char *to, size_t size)
{
	int length = store_tree_read(&machine->store, 0, 0, path, to, size - 1);

	if (length < 0)
		return length;
	to[(size_t)length < size ? (size_t)length : size - 1] = 0;
	return length;
}

static void must_succeed(int error, const char *what, const char *path)
{
	if (error)
		host_fatal("toolstack: %s %s: %s", what, path, strerror(-error));
}

static void write_in(struct host_machine *machine, uint32_t transaction, const char *directory,
		     const char *key, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void write_in(struct host_machine *machine, uint32_t transaction, const char *directory,
		     const char *key, const char *format, ...)
{
	char path[PATH_BYTES];
	char value[STORE_TREE_VALUE_BYTES];
	va_list arguments;
	int length;

	snprintf(path, sizeof(path), "%s/%s", directory, key);
	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	must_succeed(store_tree_write(&machine->store, 0, transaction, path, value, (size_t)length),
		     "write", path);
}

void host_store_write(struct host_machine *machine, const char *path, const char *format, ...)
{
	char value[2 * STORE_TREE_VALUE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	must_succeed(store_tree_write(&machine->store, 0, 0, path, value, (size_t)length), "write",
		     path);
}

void host_store_remove(struct host_machine *machine, const char *path)
{
	(void)!store_tree_remove(&machine->store, 0, 0, path);
}

bool host_store_exists(struct host_machine *machine, const char *path)
{
	char byte[1];

	return store_tree_read(&machine->store, 0, 0, path, byte, 0) >= 0;
}

int64_t host_store_number(struct host_machine *machine, const char *path)
{
	char text[32];
	char *end;
	long long number;

	if (host_store_read(machine, path, text, sizeof(text)) <= 0)
		return -1;
	number = strtoll(text, &end, 10);
	return *end || number < 0 ? -1 : number;
}

struct awaited {
	struct host_machine *machine;
	const char *path;
	int64_t number;
	int64_t seen;
};

static bool has_number(void *argument)
{
	struct awaited *awaited = argument;

	awaited->seen = host_store_number(awaited->machine, awaited->path);
	return awaited->seen == awaited->number;
}

int host_store_wait_number(struct host_machine *machine, const char *path, int64_t number,
			   uint64_t timeout_ns)
{
	struct awaited awaited = { machine, path, number, -1 };

	return host_run_until(machine, has_number, &awaited, timeout_ns) ? 0 : -ETIMEDOUT;
}

/* ---- domains ---- */

/* Owner `owner` with nothing for others, and `reader` may read. */
static void set_rights(struct host_machine *machine, uint32_t transaction, const char *path,
		       uint16_t owner, uint16_t reader)
{
	struct store_permission permissions[] = { { .domid = owner },
						  { .domid = reader, .read = true } };

	must_succeed(
		store_tree_set_permissions(&machine->store, 0, transaction, path, permissions, 2),
		"set permissions of", path);
}

static void make_directory(struct host_machine *machine, uint32_t transaction, const char *path,
			   uint16_t owner, uint16_t reader)
{
	must_succeed(store_tree_mkdir(&machine->store, 0, transaction, path), "mkdir", path);
	set_rights(machine, transaction, path, owner, reader);
}

void host_toolstack_build_machine(struct host_machine *machine)
{
	must_succeed(store_tree_mkdir(&machine->store, 0, 0, "/local/domain/0"), "mkdir", "dom0");
	must_succeed(store_tree_mkdir(&machine->store, 0, 0, "/libxl"), "mkdir", "/libxl");
}

void host_toolstack_build_domain(struct host_domain *domain, const char *name)
{
	static const char *const own[] = { "data", "drivers", "error", "control/shutdown" };
	struct host_machine *machine = domain->machine;
	char home[PATH_BYTES];
	char path[PATH_BYTES + 32];

	snprintf(home, sizeof(home), "/local/domain/%u", domain->domid);
	make_directory(machine, 0, home, 0, domain->domid);
	write_in(machine, 0, home, "name", "%s", name);
	write_in(machine, 0, home, "domid", "%u", domain->domid);
	snprintf(path, sizeof(path), "%s/device", home);
	make_directory(machine, 0, path, 0, domain->domid);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, own[i]);
		make_directory(machine, 0, path, domain->domid, 0);
	}
}

/* ---- vifs ---- */

const char *host_frontend_path(const struct host_vif *vif, char *to, size_t size)
{
	snprintf(to, size, "/local/domain/%u/device/vif/%u", vif->frontend->domid, vif->devid);
	return to;
}

const char *host_backend_path(const struct host_vif *vif, char *to, size_t size)
{
	snprintf(to, size, "/local/domain/%u/backend/vif/%u/%u", vif->backend->domid,
		 vif->frontend->domid, vif->devid);
	return to;
}

/* The toolstack's own note of a vif, which no guest can touch. */
static void note_path(const struct host_domain *frontend, uint32_t devid, char *to, size_t size)
{
	snprintf(to, size, "/libxl/%u/device/vif/%u", frontend->domid, devid);
}

static void write_frontend(const struct host_vif *vif, uint32_t t, const char *backend_path)
{
	struct host_machine *machine = vif->frontend->machine;
	char path[PATH_BYTES];
	char mtu[PATH_BYTES + 8];

	host_frontend_path(vif, path, sizeof(path));
	(void)!store_tree_remove(&machine->store, 0, t, path);
	make_directory(machine, t, path, vif->frontend->domid, vif->backend->domid);
	write_in(machine, t, path, "backend", "%s", backend_path);
	write_in(machine, t, path, "backend-id", "%u", vif->backend->domid);
	write_in(machine, t, path, "state", "%d", XenbusStateInitialising);
	write_in(machine, t, path, "handle", "%u", vif->devid);
	write_in(machine, t, path, "mac", "%s", vif->mac);
	write_in(machine, t, path, "trusted", "1");
	if (!vif->mtu)
		return;
	write_in(machine, t, path, "mtu", "%u", vif->mtu);
	snprintf(mtu, sizeof(mtu), "%s/mtu", path);
	set_rights(machine, t, mtu, vif->backend->domid, vif->frontend->domid);
}

/* The directories above are the toolstack's; the vif's own is the backend's. */
static void write_backend(const struct host_vif *vif, uint32_t t, const char *path)
{
	struct host_machine *machine = vif->backend->machine;
	char frontend[PATH_BYTES];

	make_directory(machine, t, path, vif->backend->domid, vif->frontend->domid);
	write_in(machine, t, path, "frontend", "%s",
		 host_frontend_path(vif, frontend, sizeof(frontend)));
	write_in(machine, t, path, "frontend-id", "%u", vif->frontend->domid);
	write_in(machine, t, path, "online", "1");
	write_in(machine, t, path, "state", "%d", XenbusStateInitialising);
	write_in(machine, t, path, "script", "/etc/xen/scripts/vif-bridge");
	write_in(machine, t, path, "mac", "%s", vif->mac);
	if (vif->ip)
		write_in(machine, t, path, "ip", "%s", vif->ip);
	if (vif->mtu)
		write_in(machine, t, path, "mtu", "%u", vif->mtu);
	write_in(machine, t, path, "bridge", "xenbr0");
	write_in(machine, t, path, "handle", "%u", vif->devid);
	write_in(machine, t, path, "type", "vif");
	write_in(machine, t, path, "hotplug-status", "%s", "");
}

/* A guest that runs already may have gone on before we look. */
static bool is_offered(void *argument)
{
	struct awaited *awaited = argument;

	awaited->seen = host_store_number(awaited->machine, awaited->path);
	return awaited->seen >= XenbusStateInitWait && awaited->seen <= XenbusStateConnected;
}

int host_toolstack_attach_vif(const struct host_vif *vif)
{
	struct host_machine *machine = vif->frontend->machine;
	char backend[PATH_BYTES];
	char path[PATH_BYTES + 16];
	struct awaited state = { .machine = machine, .path = path };
	uint32_t t;
	int error;

	host_backend_path(vif, backend, sizeof(backend));
	do {
		must_succeed(store_tree_begin(&machine->store, 0, &t), "begin", backend);
		write_frontend(vif, t, backend);
		write_backend(vif, t, backend);
		note_path(vif->frontend, vif->devid, path, sizeof(path));
		write_in(machine, t, path, "backend", "%s", backend);
		error = store_tree_end(&machine->store, 0, t, true);
	} while (error == -EAGAIN);
	must_succeed(error, "commit", backend);
	snprintf(path, sizeof(path), "%s/state", backend);
	return host_run_until(machine, is_offered, &state, HOST_ATTACH_NS) ? 0 : -ETIMEDOUT;
}

static void ask_to_close(struct host_machine *machine, const char *backend)
{
	uint32_t t;
	int error;

	do {
		must_succeed(store_tree_begin(&machine->store, 0, &t), "begin", backend);
		write_in(machine, t, backend, "online", "0");
		write_in(machine, t, backend, "state", "%d", XenbusStateClosing);
		error = store_tree_end(&machine->store, 0, t, true);
	} while (error == -EAGAIN);
	must_succeed(error, "commit", backend);
}

static bool is_gone(void *argument)
{
	struct awaited *awaited = argument;

	return !host_store_exists(awaited->machine, awaited->path);
}

static bool is_closed(void *argument)
{
	return has_number(argument) || ((struct awaited *)argument)->seen < 0;
}

/* Waits for state 6, then for the directory's end, each with its own limit. */
static int wait_removed(struct host_machine *machine, const char *backend)
{
	char path[PATH_BYTES + 8];
	struct awaited state = { machine, path, XenbusStateClosed, -1 };
	struct awaited directory = { machine, backend, 0, 0 };

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

static void forget_vif(struct host_domain *frontend, uint32_t devid, const char *backend)
{
	struct host_machine *machine = frontend->machine;
	char path[PATH_BYTES];
	char stop[PATH_BYTES];

	snprintf(path, sizeof(path), "/local/domain/%u/device/vif/%u", frontend->domid, devid);
	host_store_remove(machine, path);
	snprintf(stop, sizeof(stop), "%s", backend);
	*strstr(stop, "/vif/") = 0; /* the domain's "backend" */
	remove_with_parents(machine, backend, stop);
	note_path(frontend, devid, path, sizeof(path));
	host_store_remove(machine, path);
}

static int remove_vif(struct host_domain *frontend, uint32_t devid, bool force)
{
	struct host_machine *machine = frontend->machine;
	char backend[PATH_BYTES];
	char path[PATH_BYTES + 16];
	int error = 0;

	note_path(frontend, devid, path, sizeof(path));
	strcat(path, "/backend");
	if (host_store_read(machine, path, backend, sizeof(backend)) <= 0)
		return -ENOENT;
	if (force) {
		snprintf(path, sizeof(path), "/local/domain/%u/device/vif/%u", frontend->domid,
			 devid);
		host_store_remove(machine, path);
	}
	if (host_store_exists(machine, backend)) {
		ask_to_close(machine, backend);
		error = wait_removed(machine, backend);
	}
	if (!error || force)
		forget_vif(frontend, devid, backend);
	return error;
}

int host_toolstack_detach_vif(struct host_domain *frontend, uint32_t devid)
{
	return remove_vif(frontend, devid, false);
}

int host_toolstack_destroy_vif(struct host_domain *frontend, uint32_t devid)
{
	return remove_vif(frontend, devid, true);
}

int host_toolstack_destroy_domain(struct host_domain *domain)
{
	struct host_machine *machine = domain->machine;
	char path[PATH_BYTES];
	char *names = NULL;
	int first_error = 0;
	int count;

	if (host_domain_is_alive(domain))
		host_domain_pause(domain, true);
	snprintf(path, sizeof(path), "/libxl/%u/device/vif", domain->domid);
	count = store_tree_list(&machine->store, 0, 0, path, &names);
	for (const char *name = names; count > 0; count--, name += strlen(name) + 1) {
		int error = remove_vif(domain, (uint32_t)atoi(name), true);

		first_error = first_error ? first_error : error;
	}
	host_alloc_free(names);
	if (host_domain_is_alive(domain))
		host_domain_kill(domain);
	snprintf(path, sizeof(path), "/local/domain/%u", domain->domid);
	host_store_remove(machine, path);
	snprintf(path, sizeof(path), "/libxl/%u", domain->domid);
	host_store_remove(machine, path);
	return first_error;
}
