/* SPDX-License-Identifier: ISC */
/* Guest images: copies of one shared object, each with its own data. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/host/image.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/host/internal.h"

struct host_image {
	void *handle;
	int file; /* stays open, for the sanitizers' reports to find the symbols */
};

/* The loader takes a file that it has loaded already for the same one; a copy is another. */
static int copy_file(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int to = memfd_create("image", MFD_CLOEXEC);
	struct stat status;
	off_t done = 0;

	if (from < 0 || to < 0 || fstat(from, &status))
		host_fatal("cannot read the image %s", path);
	while (done < status.st_size) {
		if (sendfile(to, from, &done, (size_t)(status.st_size - done)) <= 0)
			host_fatal("cannot copy the image %s", path);
	}
	close(from);
	return to;
}

static const char *beside_program(char *to, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", to, size - 4);

	if (length < 0)
		host_fatal("where the test program lies is unknown");
	memcpy(to + length, ".so", 4);
	return to;
}

struct host_image *host_image_load(const char *path)
{
	struct host_image *image = host_alloc(sizeof(*image));
	char own[512];
	char copy[32];

	image->file = copy_file(path ? path : beside_program(own, sizeof(own)));
	snprintf(copy, sizeof(copy), "/proc/self/fd/%d", image->file);
	image->handle = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
	if (!image->handle)
		host_fatal("%s", dlerror());
	return image;
}

void *host_image_symbol(const struct host_image *image, const char *name)
{
	void *symbol = dlsym(image->handle, name);

	if (!symbol)
		host_fatal("%s", dlerror());
	return symbol;
}

void host_image_unload(struct host_image *image)
{
	dlclose(image->handle);
	close(image->file);
	host_alloc_free(image);
}
