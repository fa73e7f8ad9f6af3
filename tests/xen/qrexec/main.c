/* SPDX-License-Identifier: ISC */
/*
 * Runs the scenes of qrexec in the hosted machine: a qube with the agent, and dom0 with its
 * daemon and callers, each in an image of its own; stepped and on threads, in all versions
 * of the protocol.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/host/host.h"
#include "tests/host/image.h"
#include "tests/host/unit.h"
#include "tests/xen/qrexec/scene.h"
#include "xen/fiber.h"

#define GUEST_PAGES 2304u
#define SCENE_NS (3000 * DAEMON_SECOND)
#define CLEAN_NS (100 * DAEMON_SECOND)
#define SETTLE_ROUNDS 1000u
#define VERSIONS 3u

struct world {
	struct host_machine *machine;
	struct host_image *dom0_image, *qube_image;
	struct host_domain *dom0, *qube;
	const struct test_agent_program *program;
	struct test_agent agent;
	struct daemon daemon;
	const struct qrexec_scene *scene;
	struct host_counters clean;
	void (*connect)(struct daemon *daemon);
	void (*disconnect)(struct daemon *daemon);
	uint32_t faults_one_in; /* now */
	atomic_uint over;
};

/* The lists of scenes; a test's index is made of the list, the mode, the scene, the version. */
static const struct {
	const char *symbol, *name, *threads;
} lists[] = {
	{ "qrexec_call_scenes", "calls", "calls-threads" },
	{ "qrexec_life_scenes", "life", "life-threads" },
	{ "qrexec_hostile_scenes", "hostile", "hostile-threads" },
	{ "qrexec_trigger_scenes", "triggers", "triggers-threads" },
};
#define LIST_STEP 2000
#define MODE_STEP 1000

static enum host_mode mode;

static void scene_fiber(void *argument)
{
	struct world *world = argument;

	world->connect(&world->daemon);
	world->scene->run(&world->daemon);
	if (world->daemon.vchan)
		world->disconnect(&world->daemon);
	atomic_store(&world->over, 1);
}

static void scene_start(void *argument)
{
	ck_assert_int_eq(fiber_start("scene", scene_fiber, argument), 0);
}

static void faults_set(struct world *world)
{
	uint32_t one_in = atomic_load(&world->agent.faults_one_in);
	struct host_faults faults = { .malloc_one_in = one_in,
				      .grant_one_in = one_in,
				      .map_one_in = one_in,
				      .evtchn_one_in = one_in,
				      .store_one_in = one_in,
				      .commit_one_in = one_in };

	if (one_in == world->faults_one_in)
		return;
	world->faults_one_in = one_in;
	host_domain_set_faults(world->qube, &faults);
}

static bool scene_is_over(void *argument)
{
	struct world *world = argument;

	faults_set(world);

	if (atomic_load(&world->agent.trigger_asked))
		host_call(world->qube, world->program->trigger, &world->agent);
	return atomic_load(&world->over);
}

/* A server is waiting for a daemon again, and nothing else is there. */
static bool is_clean(void *argument)
{
	struct world *world = argument;
	struct host_counters qube = host_domain_counters(world->qube);
	struct host_counters dom0 = host_domain_counters(world->dom0);

	return memcmp(&qube, &world->clean, sizeof(qube)) == 0 && !dom0.fibers && !dom0.mapped &&
	       !dom0.granted && !dom0.ports && !dom0.watches;
}

static bool is_listening(void *argument)
{
	struct world *world = argument;
	struct host_counters counters = host_domain_counters(world->qube);

	return counters.ports == 1 && counters.granted == 3 && counters.fibers == 1;
}

/* What the agent holds when it has said all that it says at first: nothing changes any more. */
static bool is_settled(struct world *world)
{
	struct host_counters before = world->clean;

	world->clean = host_domain_counters(world->qube);
	return !world->clean.transactions && memcmp(&before, &world->clean, sizeof(before)) == 0;
}

static void world_begin(struct world *world, uint32_t version)
{
	struct host_options options = host_options_default(mode);

	memset(world, 0, sizeof(*world));
	world->machine = host_machine_create(&options);
	world->dom0_image = host_image_load(NULL);
	world->qube_image = host_image_load(NULL);
	world->dom0 = host_domain_create(world->machine, "dom0", GUEST_PAGES);
	world->qube = host_domain_create(world->machine, "qube", GUEST_PAGES);
	world->program = host_image_symbol(world->qube_image, "qrexec_test_agent");
	world->connect = host_image_symbol(world->dom0_image, "daemon_connect");
	world->disconnect = host_image_symbol(world->dom0_image, "daemon_disconnect");
	world->agent.daemon = host_domid(world->dom0);
	world->daemon = (struct daemon){ .qube = host_domid(world->qube),
					 .version = version,
					 .echoes = version == 4,
					 .is_stepped = mode == HOST_STEPPED,
					 .agent = &world->agent };
	host_call(world->qube, world->program->start, &world->agent);
	ck_assert(host_run_until(world->machine, is_listening, world, CLEAN_NS));
	/* With threads it may be long before the agent gets its turn. */
	for (unsigned int i = 0; i < SETTLE_ROUNDS; i++) {
		host_run_for(world->machine, 100 * DAEMON_MS);
		if (is_settled(world))
			return;
	}
	ck_abort_msg("the agent's beginning does not end");
}

static void world_end(struct world *world)
{
	if (!host_run_until(world->machine, is_clean, world, CLEAN_NS)) {
		struct host_counters qube = host_domain_counters(world->qube);
		struct host_counters dom0 = host_domain_counters(world->dom0);

		fprintf(stderr, "%s: was:  %s\n", world->scene->name,
			host_counters_text(&world->clean));
		fprintf(stderr, "%s: qube: %s\n", world->scene->name, host_counters_text(&qube));
		ck_abort_msg("%s: dom0: %s", world->scene->name, host_counters_text(&dom0));
	}
	host_call(world->qube, world->program->print, &world->agent);
	host_machine_destroy(world->machine);
	host_image_unload(world->dom0_image);
	host_image_unload(world->qube_image);
}

START_TEST(a_scene)
{
	static struct world world;
	const struct qrexec_scene *scenes;
	int place = _i % MODE_STEP;

	mode = _i % LIST_STEP < MODE_STEP ? HOST_STEPPED : HOST_THREADS;
	world_begin(&world, 2 + (uint32_t)place % VERSIONS);
	scenes = host_image_symbol(world.dom0_image, lists[_i / LIST_STEP].symbol);
	world.scene = &scenes[(uint32_t)place / VERSIONS];
	if (mode == HOST_THREADS && world.scene->stepped_only) {
		host_machine_destroy(world.machine);
		return;
	}
	host_call(world.dom0, scene_start, &world);
	if (!host_run_until(world.machine, scene_is_over, &world, SCENE_NS)) {
		host_machine_dump(world.machine);
		ck_abort_msg("%s does not end", world.scene->name);
	}
	world_end(&world);
}
END_TEST

static int scene_count(const struct host_image *image, const char *symbol)
{
	const struct qrexec_scene *scenes = host_image_symbol(image, symbol);
	int count = 0;

	while (scenes[count].name)
		count++;
	return count;
}

/* SCENE=n: only that one of each list. */
static void cases_add(Suite *suite, const struct host_image *image, int list)
{
	const char *only = getenv("SCENE");
	int count = scene_count(image, lists[list].symbol);
	int first = only ? atoi(only) : 0;

	for (int threads = 0; threads < 2; threads++) {
		TCase *tests = tcase_create(threads ? lists[list].threads : lists[list].name);
		int base = list * LIST_STEP + threads * MODE_STEP;

		tcase_set_timeout(tests, 300);
		tcase_add_loop_test(tests, a_scene, base + first * (int)VERSIONS,
				    base + (only ? first + 1 : count) * (int)VERSIONS);
		suite_add_tcase(suite, tests);
	}
}

int main(void)
{
	Suite *suite = suite_create("qrexec");
	struct host_image *image = host_image_load(NULL);

	for (int list = 0; list < (int)ARRAY_SIZE(lists); list++)
		cases_add(suite, image, list);
	host_image_unload(image);
	return unit_run(suite, CK_NORMAL, "");
}
