/* SPDX-License-Identifier: ISC */
#include "drivers/block.h"

#include <errno.h>

#include "lib/minmax.h"
#include "xen/fiber.h"

static bool has_data(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

static int flags_check(const struct block_device *device, const struct block_request *request)
{
	uint32_t allowed = request->op == BLOCK_WRITE	  ? BLOCK_FUA | BLOCK_BARRIER
			   : request->op == BLOCK_DISCARD ? BLOCK_SECURE
							  : 0;

	if (request->flags & ~allowed)
		return -EINVAL;
	if ((request->flags & BLOCK_FUA) && !device->geometry.flush)
		return -EOPNOTSUPP;
	if ((request->flags & BLOCK_SECURE) && !device->geometry.secure_discard)
		return -EOPNOTSUPP;
	return 0;
}

static int sectors_check(const struct block_device *device, const struct block_request *request)
{
	const struct block_geometry *geometry = &device->geometry;

	if (request->op == BLOCK_FLUSH)
		return request->count || request->data ? -EINVAL : 0;
	if (!request->count || has_data(request->op) != (request->data != NULL))
		return -EINVAL;
	if (has_data(request->op) &&
	    request->count > BLOCK_BYTES_MOST / max32(geometry->sector_bytes, BLOCK_SECTOR_LEAST))
		return -EINVAL;
	if (request->sector >= geometry->sectors ||
	    request->count > geometry->sectors - request->sector)
		return -ENOSPC;
	return 0;
}

static int offer_check(const struct block_device *device, const struct block_request *request)
{
	const struct block_geometry *geometry = &device->geometry;

	if (request->op != BLOCK_READ && request->op != BLOCK_FLUSH && geometry->read_only)
		return -EROFS;
	if (request->op == BLOCK_FLUSH && !geometry->flush)
		return -EOPNOTSUPP;
	if (request->op == BLOCK_DISCARD && !geometry->discard)
		return -EOPNOTSUPP;
	return 0;
}

static int request_check(const struct block_device *device, const struct block_request *request)
{
	int error;

	if (request->op >= BLOCK_OP_COUNT || !request->done)
		return -EINVAL;
	error = offer_check(device, request);
	if (!error)
		error = flags_check(device, request);
	return error ? error : sectors_check(device, request);
}

int block_submit(struct block_device *device, struct block_request *const *requests, uint32_t count)
{
	if (device->gone)
		return -ENODEV;
	for (uint32_t i = 0; i < count; i++) {
		int error = request_check(device, requests[i]);

		if (error)
			return error;
	}
	if (count)
		device->ops->submit(device, requests, count);
	return 0;
}

void *block_buffer_alloc(struct block_device *device, size_t bytes)
{
	return device->gone || !bytes ? NULL : device->ops->buffer_alloc(device, bytes);
}

void block_buffer_free(struct block_device *device, void *buffer, size_t bytes)
{
	if (buffer)
		device->ops->buffer_free(device, buffer, bytes);
}

/* ---- for fibers ---- */

struct waiting {
	struct block_request request;
	struct fiber_event event;
	bool done;
	int error;
};

static void wait_done(struct block_request *request, int error)
{
	struct waiting *waiting = container_of(request, struct waiting, request);

	waiting->done = true;
	waiting->error = error;
	fiber_event_signal(&waiting->event);
}

static int submit_and_wait(struct block_device *device, const struct block_request *request)
{
	struct waiting waiting = { .request = *request };
	struct block_request *const requests[] = { &waiting.request };
	int error;

	waiting.request.done = wait_done;
	fiber_event_init(&waiting.event);
	error = block_submit(device, requests, 1);
	if (error)
		return error;
	while (!waiting.done)
		(void)!fiber_event_wait(&waiting.event, FIBER_FOREVER);
	return waiting.error;
}

int block_read(struct block_device *device, uint64_t sector, uint64_t count, void *data)
{
	return submit_and_wait(
		device, &(struct block_request){
				.op = BLOCK_READ, .sector = sector, .count = count, .data = data });
}

int block_write(struct block_device *device, uint64_t sector, uint64_t count, const void *data,
		uint32_t flags)
{
	/* Nobody writes to the data of a write. */
	return submit_and_wait(device, &(struct block_request){ .op = BLOCK_WRITE,
								.flags = flags,
								.sector = sector,
								.count = count,
								.data = (uint8_t *)data });
}

int block_flush(struct block_device *device)
{
	return submit_and_wait(device, &(struct block_request){ .op = BLOCK_FLUSH });
}

int block_discard(struct block_device *device, uint64_t sector, uint64_t count, uint32_t flags)
{
	return submit_and_wait(device, &(struct block_request){ .op = BLOCK_DISCARD,
								.flags = flags,
								.sector = sector,
								.count = count });
}

int block_write_zeroes(struct block_device *device, uint64_t sector, uint64_t count)
{
	return submit_and_wait(device, &(struct block_request){ .op = BLOCK_WRITE_ZEROES,
								.sector = sector,
								.count = count });
}

const char *block_error_name(int error)
{
	switch (error) {
	case 0:
		return "no error";
	case -EIO:
		return "input or output error";
	case -EOPNOTSUPP:
		return "not offered by the device";
	case -EROFS:
		return "read-only device";
	case -ENOSPC:
		return "past the end of the device";
	case -ENODEV:
		return "the device is gone";
	case -EBUSY:
		return "the backend keeps the memory";
	case -EINVAL:
		return "a request without sense";
	default:
		return "unknown error";
	}
}
