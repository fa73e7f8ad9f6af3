/* SPDX-License-Identifier: ISC */
/*
 * The shared ring of lib/ring.c and the drivers' TX halves, for Spin: several producers
 * reserve, fill, commit and publish whole packets; a consumer takes and answers them;
 * both sides suppress notifications by event index, and sleep.
 *
 * Every write to the shared page that the other side may look at, and every read of what
 * it writes, is a step of its own. What is done under the lock, or in private memory, is
 * one step with the access before or after it: nobody could tell. `order`, `came` and
 * `queued` are for checking alone: no decision looks at them.
 *
 *	PRODUCERS	how many (2)
 *	SIZE		slots, a power of two (4)
 *	WRAP		indices count modulo this, at least 2 * SIZE (which it is)
 *	SIZES		the statement that picks a packet's slots into n
 *	ARM_ONE		the waiting producer wants to hear of the next answer; else, as
 *			netfront does, of half of what is under way
 *	LIVENESS=p	the claim that producer p is served whenever it has queued, in
 *			place of the check of the state in which everybody sleeps
 *	START		the first index (0)
 *	PACKETS		how many each producer sends; else without end, or until it likes
 *	BUG_...		one rule broken; see README.md
 */

#ifndef SIZE
#define SIZE 4
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef WRAP
#define WRAP (2 * SIZE)
#endif
#ifndef START
#define START 0
#endif
#ifndef SIZES
#define SIZES if :: n = 1 :: n = 2 :: n = SIZE fi
#endif

#define DISTANCE(to, from) ((to + WRAP - from) % WRAP)
#define AHEAD(index, count) (((index) + (count)) % WRAP)
#define SLOT(index) ring[(index) % SIZE]
#ifdef BUG_PLAIN_COMPARE
#define NOTIFY(old, now, event) (old < event && event <= now)
#else
#define NOTIFY(old, now, event) (DISTANCE(now, event) < DISTANCE(now, old))
#endif

/* The shared page. A slot is EMPTY (answered), or tells producer, slots and place. */
#define EMPTY 0
#define CONTENT(owner, count, place) (1 + (owner) * 32 + (count) * 4 + (place))
byte ring[SIZE];
byte req_prod = START, req_event = AHEAD(START, 1);
byte rsp_prod = START, rsp_event = AHEAD(START, 1);
/* An event channel holds one event. The driver also runs when its own side scheduled it. */
bool event_to_consumer, event_to_driver;

/* struct ring_producer and what goes with it, under the lock. `taken` are answers. */
byte published = START, committed = START, reserved = START, taken = START;
bool open;
chan waiters = [PRODUCERS] of { byte };
byte want[PRODUCERS], first[PRODUCERS];
bool granted[PRODUCERS];
byte next_ticket, now_serving, ticket[PRODUCERS + 1];

chan order = [SIZE] of { byte, byte }; /* packets on the ring, as they were reserved */
chan came = [PRODUCERS] of { byte };   /* those who asked and are not served yet */
bool queued[PRODUCERS];
byte idle_producers;
byte consumed = START;

#define FREE (SIZE - DISTANCE(reserved, taken))
#ifdef BUG_SOME_ROOM
#define ROOM_LACKS(count) (FREE == 0)
#else
#define ROOM_LACKS(count) (count > FREE)
#endif
#ifdef BUG_TWO_OPEN
#define CLOSED true
#else
#define CLOSED (!open)
#endif
#define UNDER_WAY DISTANCE(published, taken)

inline ticket_draw(who)
{
	atomic {
		ticket[who] = next_ticket;
		next_ticket++
	}
}

/* Serves the next; and numbers anew from 0: the same order in fewer states. */
inline unlock()
{
	now_serving++;
	do
	:: w <= PRODUCERS ->
		if
		:: ticket[w] >= now_serving -> ticket[w] = ticket[w] - now_serving
		:: else -> ticket[w] = 0
		fi;
		w++
	:: else -> w = 0; break
	od;
	next_ticket = next_ticket - now_serving;
	now_serving = 0
}

inline reservation_open(who)
{
	open = true;
	first[who] = reserved;
	reserved = AHEAD(reserved, want[who]);
	assert(DISTANCE(reserved, rsp_prod) <= SIZE);
	order!who, want[who];
#ifndef NO_ORDER_CHECK
	assert(came?[eval(who)]);
	came?eval(who);
#endif
	want[who] = 0;
	queued[who] = false;
	granted[who] = true
}

/* Serves the head of the queue for as long as there is room for it. */
inline waiters_serve()
{
	do
	:: CLOSED && len(waiters) > 0 ->
		waiters?<w>;
		if
		:: ROOM_LACKS(want[w]) -> break
		:: else ->
			waiters?w;
			reservation_open(w)
		fi
	:: else -> break
	od;
	w = 0
}

inline reserve_queued(who, count)
{
	want[who] = count;
	queued[who] = true;
#ifndef NO_ORDER_CHECK
	came!who;
#endif
#ifdef BUG_BARGE
	if
	:: CLOSED && !ROOM_LACKS(count) -> reservation_open(who)
	:: else -> waiters!who
	fi
#else
	waiters!who;
	waiters_serve()
#endif
}

inline responses_take()
{
	assert(DISTANCE(rsp_prod, taken) <= UNDER_WAY);
	taken = rsp_prod
}

/*
 * Says when an event is wanted, then looks again whether those answers came before that;
 * the look is the last thing done under the lock.
 */
inline arm_and_unlock()
{
#ifdef ARM_ONE
	rsp_event = AHEAD(taken, 1);
	atomic {
#ifndef BUG_NO_RECHECK_PRODUCER
		event_to_driver = event_to_driver || rsp_prod != taken;
#endif
		unlock()
	}
#else
	rsp_event = AHEAD(taken, UNDER_WAY / 2 + 1);
	atomic {
#ifndef BUG_NO_RECHECK_PRODUCER
		event_to_driver = event_to_driver ||
			UNDER_WAY && DISTANCE(rsp_prod, taken) > UNDER_WAY / 2;
#endif
		unlock()
	}
#endif
}

proctype producer(byte me)
{
	byte n, i, w, old, event;
#ifdef PACKETS
	byte sent;
#endif

	do
#ifdef PACKETS
	:: atomic { sent < PACKETS -> sent++; SIZES };
#else
	:: atomic { SIZES };
#endif
		ticket_draw(me);
		atomic {
			now_serving == ticket[me] ->
			responses_take();
			reserve_queued(me, n);
			if
			:: granted[me] -> unlock()
			:: else -> goto no_room
			fi
		}
		if
		:: false ->
no_room:		arm_and_unlock()
		:: true
		fi;
		atomic { granted[me] -> granted[me] = false };
		do
		:: atomic {
			i < n ->
			assert(SLOT(first[me] + i) == EMPTY);
			SLOT(first[me] + i) = CONTENT(me, n, i);
			i++ }
#ifdef BUG_PUBLISH_PART
			req_prod = AHEAD(first[me], i)
#endif
		:: atomic { i == n -> i = 0; n = 0; first[me] = 0 };
			break
		od;
		ticket_draw(me);
		atomic {
			now_serving == ticket[me] ->
			committed = reserved;
			open = false;
			waiters_serve();
			old = published;
			published = committed;
#ifdef BUG_NOTIFY_BEFORE_BARRIER
			event = req_event
		}
		req_prod = published;
		atomic {
#else
			req_prod = published
		}
		atomic {
			event = req_event;
#endif
			if
			:: NOTIFY(old, published, event) -> event_to_consumer = true
			:: else
			fi;
			old = 0;
			event = 0
		}
		arm_and_unlock()
	:: atomic { idle_producers++; break }
	od
}

/* The loop source of the producing side: runs on an event, or when scheduled. */
proctype driver()
{
	byte w;

end_asleep:
	do
	:: atomic { event_to_driver -> event_to_driver = false };
		ticket_draw(PRODUCERS);
		atomic {
			now_serving == ticket[PRODUCERS] ->
			responses_take();
			waiters_serve()
		}
		arm_and_unlock()
	od
}

inline slots_clear()
{
	do
	:: answered != consumed ->
		SLOT(answered) = EMPTY;
		answered = AHEAD(answered, 1)
	:: else -> break
	od
}

inline answer()
{
	atomic {
		slots_clear();
		old = rsp_prod;
#ifdef BUG_ANSWER_BEFORE_BARRIER
		event = rsp_event
	}
	rsp_prod = answered;
	atomic {
#else
		rsp_prod = answered
	}
	atomic {
		event = rsp_event;
#endif
		if
		:: NOTIFY(old, answered, event) -> event_to_driver = true
		:: else
		fi;
		old = 0;
		event = 0
	}
}

/* A packet at `consumed`: whole, of one producer, and the one that was reserved next. */
inline packet_take()
{
	content = SLOT(consumed);
	assert(content != EMPTY);
	owner = (content - 1) / 32;
	count = ((content - 1) % 32) / 4;
	assert((content - 1) % 4 == 0);
	assert(count <= DISTANCE(produced, consumed));
	assert(order?[eval(owner), eval(count)]);
	order?eval(owner), eval(count);
	do
	:: count > 0 ->
		assert(SLOT(consumed) == content);
		content++;
		count--;
		consumed = AHEAD(consumed, 1)
	:: else -> break
	od;
	content = 0;
	owner = 0
}

proctype consumer()
{
	byte produced, answered = START, content, owner, count, old, event;

	do
	:: atomic {
			produced = req_prod;
			assert(DISTANCE(produced, consumed) <= SIZE)
		}
		do
		:: atomic { produced != consumed -> packet_take() };
			/* Answers this packet now, or together with the ones after it. */
			if
			:: answer()
			:: produced != consumed
			fi
		:: atomic { produced == consumed -> produced = 0; break }
		od;
#ifdef BUG_OLD_EVENT
		req_event = consumed;
#else
		req_event = AHEAD(consumed, 1);
#endif
		if
#ifndef BUG_NO_RECHECK_CONSUMER
		:: req_prod != consumed
		:: req_prod == consumed ->
#else
		:: true ->
#endif
end_asleep:
			atomic { event_to_consumer -> event_to_consumer = false }
		fi
	od
}

#ifdef LIVENESS
ltl served { [] (queued[LIVENESS] -> <> !queued[LIVENESS]) }
#else
/* Everybody sleeps: then nobody may wait, and nothing may lie on the ring. */
proctype watch()
{
	timeout;
	assert(idle_producers == PRODUCERS && len(waiters) == 0 && !open);
	assert(req_prod == reserved && consumed == req_prod && rsp_prod == req_prod);
	assert(len(order) == 0)
}
#endif

init
{
	byte i;

	atomic {
		do
		:: i < PRODUCERS -> run producer(i); i++
		:: else -> break
		od;
		run driver();
		run consumer();
#ifndef LIVENESS
		run watch();
#endif
		i = 0
	}
}
