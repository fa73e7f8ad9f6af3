/* SPDX-License-Identifier: ISC */
/*
 * The qube of qrexec's tests: the agent with services that do what a test needs. It runs in
 * an image of its own; the test and dom0's side see it through `qrexec_test_agent`.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define AGENT_TRIGGERS 16u

struct test_agent {
	/* set by the test */
	uint16_t daemon;
	/* told by the agent; read by others at any time */
	atomic_uint connected; /* times */
	atomic_uint running;   /* services now */
	atomic_uint silent_runs;
	atomic_int last_error; /* of a service's call that failed */
	/* for trigger(): set by dom0's side, which then waits for `trigger_asked` to be 0 */
	const char *service, *target;
	atomic_uint trigger_asked;
	/* One in so many of the qube's calls of Xen and the heap fails; 0: none. */
	atomic_uint faults_one_in;
	atomic_int trigger_error;
	atomic_uint done_count;
	atomic_int done_results[AGENT_TRIGGERS];
	void *own;
};

struct test_agent_program {
	/* for host_call(); the argument is a struct test_agent */
	void (*start)(void *agent);
	void (*trigger)(void *agent); /* if asked */
	void (*print)(void *agent);
};
