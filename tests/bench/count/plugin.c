/* SPDX-License-Identifier: ISC */
/*
 * A QEMU plugin that counts executed instructions per CPU and address, so that
 * the cost of a packet can be told without a clock. Every translation block has a
 * counter per CPU; the counters are summed only when somebody asks.
 *
 * It listens on a Unix socket (plugin argument socket=PATH). A client sends one
 * word and gets an answer that ends with a line "end":
 *
 *	read		"CPU RANGE INSTRUCTIONS" for each CPU and address range
 *	profile CPU	"ADDRESS EXECUTIONS INSTRUCTIONS" for each block run on that CPU
 *	reset		all counters to zero
 *
 * Ranges by virtual address: `low` below 1 GiB (our kernel), `user` other lower-half
 * addresses, `xen` 0xffff800000000000-0xffff87ffffffffff, `kernel` above that.
 *
 * Debian ships QEMU with plugins but not the header, so the few functions used are
 * declared here (QEMU 7.2, docs/devel/tcg-plugins). A block that is left in its
 * middle by a fault counts whole; that is rare enough not to matter.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_CPUS 8u
#define BUCKETS (1u << 20)

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*callback)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  void (*callback)(unsigned int cpu, void *data), int flags,
					  void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);

struct block {
	struct block *next;
	uint64_t address;
	uint32_t instructions;
	uint64_t runs[MAX_CPUS]; /* each written by its own CPU's thread only */
};

static struct block *buckets[BUCKETS];
static pthread_mutex_t buckets_lock = PTHREAD_MUTEX_INITIALIZER;

static void block_executed(unsigned int cpu, void *data)
{
	struct block *block = data;

	if (cpu < MAX_CPUS)
		block->runs[cpu]++;
}

static struct block *block_find(uint64_t address, uint32_t instructions)
{
	uint32_t slot = (uint32_t)((address * 0x9e3779b97f4a7c15ull) >> 44);
	struct block *block;

	for (block = buckets[slot]; block; block = block->next)
		if (block->address == address && block->instructions == instructions)
			return block;
	block = calloc(1, sizeof(*block));
	if (!block)
		return NULL;
	block->address = address;
	block->instructions = instructions;
	block->next = buckets[slot];
	__atomic_store_n(&buckets[slot], block, __ATOMIC_RELEASE);
	return block;
}

static void block_translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	struct block *block;

	(void)id;
	pthread_mutex_lock(&buckets_lock);
	block = block_find(qemu_plugin_tb_vaddr(tb), (uint32_t)qemu_plugin_tb_n_insns(tb));
	pthread_mutex_unlock(&buckets_lock);
	if (block)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, block_executed, 0, block);
}

static unsigned int range_of(uint64_t address)
{
	if (address < (1ull << 30))
		return 0;
	if (address < (1ull << 47))
		return 1;
	return address < 0xffff880000000000ull ? 2 : 3;
}

static void answer_read(FILE *to)
{
	static const char *const names[4] = { "low", "user", "xen", "kernel" };
	uint64_t sums[MAX_CPUS][4];
	unsigned int cpu, range;

	memset(sums, 0, sizeof(sums));
	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			for (cpu = 0; cpu < MAX_CPUS; cpu++)
				sums[cpu][range_of(b->address)] += b->runs[cpu] * b->instructions;
	for (cpu = 0; cpu < MAX_CPUS; cpu++)
		for (range = 0; range < 4; range++)
			fprintf(to, "%u %s %llu\n", cpu, names[range],
				(unsigned long long)sums[cpu][range]);
}

static void answer_profile(FILE *to, unsigned int cpu)
{
	for (uint32_t i = 0; i < BUCKETS && cpu < MAX_CPUS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			if (b->runs[cpu])
				fprintf(to, "%llx %llu %llu\n", (unsigned long long)b->address,
					(unsigned long long)b->runs[cpu],
					(unsigned long long)(b->runs[cpu] * b->instructions));
}

static void reset_counters(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			memset(b->runs, 0, sizeof(b->runs));
}

static void serve_client(int client)
{
	FILE *from = fdopen(client, "r");
	FILE *stream = fdopen(dup(client), "w");
	char line[64];

	while (from && stream && fgets(line, sizeof(line), from)) {
		if (strncmp(line, "read", 4) == 0)
			answer_read(stream);
		else if (strncmp(line, "profile ", 8) == 0)
			answer_profile(stream, (unsigned int)strtoul(line + 8, NULL, 10));
		else if (strncmp(line, "reset", 5) == 0)
			reset_counters();
		fputs("end\n", stream);
		fflush(stream);
	}
	if (stream)
		fclose(stream);
	if (from)
		fclose(from);
	else
		close(client);
}

static void *serve(void *argument)
{
	int listener = (int)(intptr_t)argument;

	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client >= 0)
			serve_client(client);
	}
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	if (listener < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4))
		return -1;
	return listener;
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	pthread_t thread;
	int listener;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "socket=", 7) != 0) {
		fprintf(stderr, "count plugin: needs socket=PATH\n");
		return -1;
	}
	listener = listen_at(argv[0] + 7);
	if (listener < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener) != 0) {
		fprintf(stderr, "count plugin: cannot listen at %s\n", argv[0] + 7);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	return 0;
}
