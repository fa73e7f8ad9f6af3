/* SPDX-License-Identifier: ISC */
/*
 * Runs the attacks of one role, one after the other. Command line, all needed:
 *
 *	role=frontend|backend attack=NAME|all seed=N ip=A.B.C.D target=A.B.C.D
 *
 * ip= is what it says it is (a client's address, or the uplink's gateway), target= what
 * it sends to (a host beyond the victim, or the victim). Each attack says "NAME begins"
 * and "NAME done", and "NAME UNEXPECTED" where the victim did not do what it should.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/clock.h"
#include "configs/hostile/hostile.h"
#include "lib/ip4_text.h"
#include "lib/log.h"
#include "lib/panic.h"
#include "lib/random.h"
#include "xen/fiber.h"
#include "xen/start.h"

#define NS_PER_MS 1000000ull
#define POLL_MS 4u
#define THROW_OUT_MS 3000u
#define SETTLE_MS 60u
#define TAKEN_MS 5000u
#define REFUSED_MS 500u
#define WORD_BYTES 64u
#define HUGE_BYTES 2000u

be32 hostile_ip, hostile_target;
char hostile_huge[HUGE_BYTES + 1];

static struct random draws;
static const struct hostile_role *role;
static const char *attack_name;
static uint32_t unexpected;

void hostile_pause_ms(uint32_t ms)
{
	fiber_sleep_until(clock_now_ns() + ms * NS_PER_MS);
}

bool hostile_wait(bool (*condition)(void), uint32_t ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;

	while (!condition()) {
		if (clock_now_ns() >= end)
			return false;
		hostile_pause_ms(POLL_MS);
	}
	return true;
}

uint32_t hostile_draw(uint32_t bound)
{
	return random_below(&draws, bound);
}

void hostile_unexpected(const char *format, ...)
{
	char text[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	unexpected++;
	log_line(LOG_INFO, "hostile", "%s UNEXPECTED: %s", attack_name, text);
}

void hostile_scribble(volatile uint32_t *ring, uint32_t words, uint32_t ms)
{
	uint64_t end = clock_now_ns() + ms * NS_PER_MS;

	while (clock_now_ns() < end)
		for (uint32_t i = 0; i < 64; i++)
			ring[hostile_draw(words)] = random_u32(&draws);
}

/* ---- running attacks ---- */

static bool is_thrown_out(void)
{
	return !role->is_connected();
}

static void outcome_check(const struct hostile_attack *attack)
{
	if (attack->outcome == THROWN_OUT) {
		if (!hostile_wait(is_thrown_out, THROW_OUT_MS))
			hostile_unexpected("still connected");
		return;
	}
	hostile_pause_ms(SETTLE_MS);
	if (attack->outcome == STAYS && is_thrown_out())
		hostile_unexpected("thrown out");
}

static void attack_run(const struct hostile_attack *attack)
{
	attack_name = attack->name;
	if (!role->connect())
		hostile_unexpected("no connection to begin with");
	log_line(LOG_INFO, "hostile", "%s begins", attack->name);
	if (attack->run)
		attack->run();
	else
		role->lie(&attack->lie, attack->outcome == STAYS ? TAKEN_MS : REFUSED_MS);
	outcome_check(attack);
	log_line(LOG_INFO, "hostile", "%s done", attack->name);
}

static uint32_t attacks_run(const struct hostile_attack *attack, const char *which)
{
	bool all = strcmp(which, "all") == 0;
	uint32_t ran = 0;

	for (; attack->name; attack++) {
		if (!all && strcmp(which, attack->name) != 0)
			continue;
		attack_run(attack);
		ran++;
	}
	return ran;
}

/* ---- the command line ---- */

static void word_find(const char *cmdline, const char *key, char word[WORD_BYTES])
{
	const char *at = strstr(cmdline, key);
	size_t length;

	if (!at)
		panic("%s is missing", key);
	at += strlen(key);
	length = strcspn(at, " ");
	if (length >= WORD_BYTES)
		panic("%s is too long", key);
	memcpy(word, at, length);
	word[length] = '\0';
}

static be32 address_find(const char *cmdline, const char *key)
{
	char word[WORD_BYTES];
	be32 address;

	word_find(cmdline, key, word);
	if (ip4_text_parse(word, strlen(word), &address))
		panic("%s is no address", key);
	return address;
}

static void seed_read(const char *cmdline)
{
	uint8_t seed[RANDOM_SEED_BYTES] = { 0 };
	char word[WORD_BYTES];
	uint64_t number;

	word_find(cmdline, "seed=", word);
	number = strtoull(word, NULL, 0);
	memcpy(seed, &number, sizeof(number));
	random_init(&draws, seed);
}

static void role_find(const char *cmdline)
{
	char word[WORD_BYTES];

	word_find(cmdline, "role=", word);
	if (strcmp(word, hostile_frontend.name) == 0)
		role = &hostile_frontend;
	else if (strcmp(word, hostile_backend.name) == 0)
		role = &hostile_backend;
	else
		panic("role=%s: no such role", word);
}

void guest_main(const char *cmdline, const void *module, size_t module_bytes)
{
	char which[WORD_BYTES];
	uint32_t count;

	(void)module;
	(void)module_bytes;
	memset(hostile_huge, '9', HUGE_BYTES);
	role_find(cmdline);
	seed_read(cmdline);
	word_find(cmdline, "attack=", which);
	hostile_ip = address_find(cmdline, "ip=");
	hostile_target = address_find(cmdline, "target=");
	count = attacks_run(role->rings, which);
	count += attacks_run(role->store, which);
	role->leave();
	log_line(LOG_INFO, "hostile", "all done, %u attacks, %u unexpected", count, unexpected);
}
