/* SPDX-License-Identifier: ISC */
/* The life of a stack: its table, its connections, their timers and events. */
#include "net/tcp_core.h"

#include <string.h>

#include "net/tcp_core_parts.h"

#define CHALLENGES_A_SECOND 1000u /* RFC 5961, 7; the burst is random */
#define RESETS_A_SECOND 1000u
/* Windows promise more than there is, for few are ever filled; what then finds none is lost. */
#define WINDOW_OVERCOMMIT 4u

static void set_defaults(struct tcp_config *config)
{
	const uint32_t mib = 1u << 20;

	if (!config->send_bytes)
		config->send_bytes = mib;
	if (!config->receive_bytes)
		config->receive_bytes = mib;
	if (!config->mtu)
		config->mtu = 1500;
	if (!config->time_wait_ms)
		config->time_wait_ms = 60000;
	if (!config->fin_wait_2_ms)
		config->fin_wait_2_ms = 60000;
	if (!config->orphan_ms)
		config->orphan_ms = 120000; /* RFC 9293, 3.8.3: at least 100 s */
	if (!config->options.keepalive_idle_s)
		config->options.keepalive_idle_s = 7200;
	if (!config->options.keepalive_interval_s)
		config->options.keepalive_interval_s = 75;
	if (!config->options.keepalive_count)
		config->options.keepalive_count = 9;
	if (!config->options.user_timeout_ms)
		config->options.user_timeout_ms = 900000;
	if (config->options.send_bytes)
		config->send_bytes = min32(config->send_bytes, config->options.send_bytes);
	if (config->options.receive_bytes)
		config->receive_bytes = min32(config->receive_bytes, config->options.receive_bytes);
	config->send_bytes = min32(config->send_bytes, TCP_BUFFER_MAX);
	config->receive_bytes = min32(config->receive_bytes, TCP_BUFFER_MAX);
	config->gso_bytes = min32(config->gso_bytes, TCP_GSO_MAX);
}

static void expired(struct wheel_timer *timer, uint64_t scaled_now)
{
	struct tcp_connection *c = container_of(timer, struct tcp_connection, timer);

	(void)scaled_now; /* its lowest bits are gone */
	tcp_timers_due(c, c->stack->now);
}

int tcp_stack_init(struct tcp_stack *stack, const struct tcp_config *config, uint64_t now)
{
	if (!config->send || !config->random || !config->memory.take || !config->memory.give ||
	    !config->connections || !config->connection_count || !config->time_waits ||
	    !config->time_wait_count || !config->spans || !config->span_count || !config->buckets ||
	    !config->bucket_count || config->bucket_count & (config->bucket_count - 1))
		return -EINVAL;
	memset(stack, 0, sizeof(*stack));
	stack->config = *config;
	set_defaults(&stack->config);
	random_bytes(config->random, &stack->table_key, sizeof(stack->table_key));
	tcp_isn_init(&stack->isn, config->random);
	tcp_cookies_init(&stack->cookies, config->random);
	tcp_span_pool_init(&stack->spans, config->spans, config->span_count);
	stack->windows.total = (uint64_t)config->memory.limit * TCP_BLOCK_BYTES * WINDOW_OVERCOMMIT;
	wheel_init(&stack->wheel, now << TCP_WHEEL_SHIFT);
	list_init(&stack->free);
	list_init(&stack->orphans);
	list_init(&stack->free_waits);
	list_init(&stack->time_waits);
	list_init(&stack->events);
	list_init(&stack->listeners);
	bucket_init(&stack->challenge, CHALLENGES_A_SECOND,
		    CHALLENGES_A_SECOND / 2 + random_below(config->random, CHALLENGES_A_SECOND),
		    now);
	bucket_init(&stack->reset, RESETS_A_SECOND, RESETS_A_SECOND, now);
	stack->now = now;
	for (uint32_t i = 0; i < config->bucket_count; i++)
		config->buckets[i] = NULL;
	for (uint32_t i = 0; i < config->connection_count; i++) {
		config->connections[i].flags = 0;
		config->connections[i].stack = stack;
		list_push_back(&stack->free, &config->connections[i].link);
	}
	for (uint32_t i = 0; i < config->time_wait_count; i++)
		list_push_back(&stack->free_waits, &config->time_waits[i].link);
	return 0;
}

/* ---- the table ---- */

static struct tcp_end **bucket_of(const struct tcp_stack *stack, const struct tcp_key *key)
{
	uint64_t hash = siphash13(&stack->table_key, key, sizeof(*key));

	return &stack->config.buckets[hash & (stack->config.bucket_count - 1)];
}

static struct tcp_end *find_in_table(const struct tcp_stack *stack, const struct tcp_key *key)
{
	struct tcp_end *end = *bucket_of(stack, key);

	while (end && !tcp_key_equal(&end->key, key))
		end = end->next;
	return end;
}

/* One packet is asked about several times, and the next one is often for the same. */
struct tcp_end *tcp_find(const struct tcp_stack *stack, const struct tcp_key *key)
{
	if (stack->recent && tcp_key_equal(&stack->recent->key, key))
		return stack->recent;
	return find_in_table(stack, key);
}

enum tcp_state tcp_state_of(const struct tcp_stack *stack, const struct tcp_key *key)
{
	const struct tcp_end *end = tcp_find(stack, key);

	return end ? (enum tcp_state)end->state : TCP_CLOSED;
}

void tcp_end_insert(struct tcp_stack *stack, struct tcp_end *end)
{
	struct tcp_end **bucket = bucket_of(stack, &end->key);

	end->next = *bucket;
	*bucket = end;
}

void tcp_end_remove(struct tcp_stack *stack, struct tcp_end *end)
{
	struct tcp_end **at = bucket_of(stack, &end->key);

	while (*at && *at != end)
		at = &(*at)->next;
	if (*at)
		*at = end->next;
	end->next = NULL;
	if (stack->recent == end)
		stack->recent = NULL;
}

/* ---- connections ---- */

bool tcp_connection_has_room(const struct tcp_stack *stack)
{
	return !list_is_empty(&stack->free) || !list_is_empty(&stack->orphans);
}

/*
 * A peer decides how long one lasts that its owner has closed: it takes no place from others.
 * Who has all our bytes will not miss it; to any other it is a reset.
 */
static void evict_orphan(struct tcp_stack *stack, uint64_t now)
{
	struct tcp_connection *c;

	if (list_is_empty(&stack->orphans))
		return;
	c = list_entry(stack->orphans.next, struct tcp_connection, link);
	if (c->end.state != TCP_FIN_WAIT_2)
		tcp_send_reset(c, now);
	stack->stats.orphans_evicted++;
	tcp_connection_end(c, 0);
}

struct tcp_connection *tcp_connection_make(struct tcp_stack *stack, const struct tcp_key *key,
					   void *route, uint64_t now)
{
	struct tcp_connection *c;
	struct list *link;

	if (list_is_empty(&stack->free))
		evict_orphan(stack, now);
	link = list_pop_front(&stack->free);
	if (!link) {
		stack->stats.no_connection_memory++;
		return NULL;
	}
	c = list_entry(link, struct tcp_connection, link);
	memset(c, 0, sizeof(*c));
	c->end.key = *key;
	c->stack = stack;
	c->route = route;
	list_init(&c->link);
	list_init(&c->event_link);
	wheel_timer_init(&c->timer, expired);
	tcp_buffer_init(&c->sending, min32(TCP_BUFFER_FIRST, stack->config.send_bytes));
	tcp_buffer_init(&c->receiving, TCP_BUFFER_MAX); /* the window is the limit */
	c->flags = TCP_FLAG_LIVE;
	c->heard_ms = tcp_ms(now);
	c->progress_ms = tcp_ms(now);
	c->mss_receive = TCP_MSS_DEFAULT4;
	stack->connection_used++;
	tcp_end_insert(stack, &c->end);
	return c;
}

void tcp_connection_end(struct tcp_connection *c, int error)
{
	struct tcp_stack *stack = c->stack;

	tcp_listener_forget(c);
	tcp_end_remove(stack, &c->end);
	wheel_stop(&stack->wheel, &c->timer);
	memset(c->deadline, 0, sizeof(c->deadline));
	if (c->window.budget) {
		tcp_reassembly_clear(&c->reassembly);
		tcp_window_release(&c->window);
	}
	tcp_flight_release(c);
	tcp_buffer_free(&c->sending, &stack->config.memory);
	c->end.state = TCP_CLOSED;
	c->error = (int16_t)error;
	if (!tcp_has(c, TCP_FLAG_OWNED)) {
		tcp_connection_release(c);
		return;
	}
	if (error)
		tcp_buffer_free(&c->receiving, &stack->config.memory);
	tcp_raise(c, TCP_EVENT_CLOSED | TCP_EVENT_READABLE);
}

void tcp_connection_release(struct tcp_connection *c)
{
	struct tcp_stack *stack = c->stack;

	tcp_buffer_free(&c->receiving, &stack->config.memory);
	list_remove(&c->event_link);
	list_remove(&c->link);
	c->flags = 0; /* not live */
	list_push_back(&stack->free, &c->link);
	stack->connection_used--;
}

void tcp_raise(struct tcp_connection *c, uint8_t events)
{
	if (!tcp_has(c, TCP_FLAG_OWNED))
		return;
	c->events |= events;
	if (list_is_empty(&c->event_link))
		list_push_back(&c->stack->events, &c->event_link);
}

struct tcp_connection *tcp_next_event(struct tcp_stack *stack, uint8_t *events)
{
	struct list *link = list_pop_front(&stack->events);
	struct tcp_connection *c;

	if (!link)
		return NULL;
	c = list_entry(link, struct tcp_connection, event_link);
	*events = c->events;
	c->events = 0;
	return c;
}

/* ---- time ---- */

void tcp_timer_set(struct tcp_connection *c, enum tcp_timer timer, uint64_t deadline)
{
	uint64_t most = c->stack->now + ((uint64_t)TCP_TICKS_AHEAD << TCP_TICK_SHIFT);
	uint64_t scaled;

	deadline = deadline < most ? deadline : most;
	scaled = deadline << TCP_WHEEL_SHIFT;
	c->deadline[timer] = tcp_tick(deadline);
	if (!wheel_timer_is_armed(&c->timer) || scaled < c->timer.deadline_ns)
		wheel_start(&c->stack->wheel, &c->timer, scaled);
}

uint32_t tcp_run(struct tcp_stack *stack, uint64_t now, uint32_t budget)
{
	uint32_t ran = tcp_wait_run(stack, now, budget);

	stack->now = now;
	if (ran < budget)
		ran += wheel_run(&stack->wheel, now << TCP_WHEEL_SHIFT, budget - ran);
	return ran;
}

uint64_t tcp_next_ns(const struct tcp_stack *stack)
{
	uint64_t next = wheel_next_ns(&stack->wheel);

	if (next != UINT64_MAX)
		next >>= TCP_WHEEL_SHIFT;
	if (!list_is_empty(&stack->time_waits)) {
		const struct tcp_time_wait *wait =
			list_entry(stack->time_waits.next, struct tcp_time_wait, link);

		next = wait->until_ns < next ? wait->until_ns : next;
	}
	return next;
}

/* ---- for tests ---- */

static bool connection_is_valid(const struct tcp_connection *c)
{
	uint32_t out = tcp_outstanding(c);
	uint32_t fin = tcp_has(c, TCP_FLAG_FIN_SENT) ? 1 : 0;

	if (c->receiving.bytes > c->receiving.limit)
		return false;
	if (c->end.state == TCP_CLOSED)
		return c->sending.root == NULL && c->flight == NULL;
	if (!tcp_is_synchronized(c))
		return out <= 1 && c->flight == NULL;
	if (out && !c->flight)
		return false;
	if (out > c->sending.bytes + fin)
		return false;
	return !c->flight || (c->flight->recovery.board.una == c->snd_una &&
			      c->flight->recovery.board.nxt == c->snd_nxt &&
			      tcp_scoreboard_is_valid(&c->flight->recovery.board));
}

bool tcp_stack_is_valid(const struct tcp_stack *stack)
{
	uint32_t blocks = 0, used = 0;

	list_for_each(link, &stack->free)
		used++;
	used = stack->config.connection_count - used;
	if (used != stack->connection_used)
		return false;
	if (stack->recent && find_in_table(stack, &stack->recent->key) != stack->recent)
		return false;
	for (uint32_t i = 0; i < stack->config.connection_count; i++) {
		const struct tcp_connection *c = &stack->config.connections[i];

		if (!tcp_has(c, TCP_FLAG_LIVE))
			continue;
		if (!connection_is_valid(c))
			return false;
		blocks += c->sending.blocks + c->sending.deep + c->receiving.blocks +
			  c->receiving.deep + (c->flight ? 1u : 0u);
	}
	return blocks == stack->config.memory.used;
}
