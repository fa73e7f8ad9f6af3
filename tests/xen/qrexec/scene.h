/* SPDX-License-Identifier: ISC */
/*
 * A scene is what dom0 does in one test: it runs in a fiber of dom0's domain, with the daemon
 * connected, and leaves no call behind. Then the test looks whether the qube holds just what
 * it held before. The scenes lie in dom0's image.
 */
#pragma once

#include "tests/xen/qrexec/daemon.h"

struct qrexec_scene {
	const char *name;
	void (*run)(struct daemon *daemon);
	bool stepped_only; /* long waits, which cost nothing under a virtual clock */
};

/* Each list ends with a name of NULL. */
extern const struct qrexec_scene qrexec_call_scenes[];
extern const struct qrexec_scene qrexec_life_scenes[];
extern const struct qrexec_scene qrexec_hostile_scenes[];
extern const struct qrexec_scene qrexec_trigger_scenes[];

/* Lets the agent ask for a call; what qrexec_trigger() said. */
int scene_trigger(struct daemon *daemon, const char *service, const char *target);

/* Waits until so many requests have ended; fails the test after 1,000 s. The last result. */
int scene_await_done(struct daemon *daemon, uint32_t count);

/* One call from begin to end: its exit code. `caller` keeps what it wrote. */
int scene_call(struct daemon *daemon, struct caller *caller, const char *line, const char *input);

void scene_sleep(uint64_t ns);
