/* SPDX-License-Identifier: ISC */
/*
 * libFuzzer on what iperf takes from its peer as JSON: parameters, results, and the command
 * line's word. What has been read and is written again reads the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "configs/iperf/messages.h"
#include "configs/iperf/options.h"
#include "tests/fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[65536];

static void params_try(const char *given, size_t length)
{
	struct iperf_settings seen, again;

	if (iperf_params_read(given, length, &seen))
		return;
	fuzz_assert(seen.parallel >= 1 && seen.parallel <= IPERF_STREAMS);
	fuzz_assert(seen.block_bytes >= 1 && seen.block_bytes <= IPERF_BLOCK_MOST);
	length = iperf_params_write(&seen, text, sizeof(text));
	fuzz_assert(length);
	fuzz_assert(iperf_params_read(text, length, &again) == 0);
	fuzz_assert(memcmp(&seen, &again, sizeof(seen)) == 0);
}

static void results_try(const char *given, size_t length)
{
	static struct iperf_results seen, again;

	if (iperf_results_read(given, length, &seen))
		return;
	fuzz_assert(seen.count <= 2 * IPERF_STREAMS);
	length = iperf_results_write(&seen, text, sizeof(text));
	fuzz_assert(length);
	fuzz_assert(iperf_results_read(text, length, &again) == 0);
	fuzz_assert(seen.count == again.count && seen.sends == again.sends);
	for (uint32_t i = 0; i < seen.count; i++)
		fuzz_assert(seen.ids[i] == again.ids[i] &&
			    seen.counts[i].bytes == again.counts[i].bytes &&
			    seen.counts[i].jitter_ns == again.counts[i].jitter_ns);
}

static void options_try(const char *given)
{
	struct iperf_options options;
	const char *wrong = given;
	size_t bytes = 0;

	if (iperf_options_parse(given, &options, &wrong, &bytes) == -EINVAL)
		fuzz_assert(wrong >= given && wrong + bytes <= given + strlen(given));
}

/* Each in memory of its own size, so that one byte too many is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *given = malloc(size + 1);

	if (size)
		memcpy(given, data, size);
	given[size] = '\0';
	options_try(given);
	given = realloc(given, size ? size : 1);
	params_try(given, size);
	results_try(given, size);
	free(given);
	return 0;
}
