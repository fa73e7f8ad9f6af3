/* SPDX-License-Identifier: ISC */
/*
 * The RX direction, for Spin: a backend answers in slots that the frontend has posted,
 * and a frontend whose pages are away in packets posts them again when they come home.
 * The steps and names are those of ring.pml.
 *
 *	SIZE		slots (4)
 *	LARGEST		slots of the largest packet (3)
 *	PAGES		pages that the frontend has, at least LARGEST (5)
 *	BUG_...		one rule broken; see README.md
 */

#define SIZE 4
#define WRAP (2 * SIZE)
#ifndef LARGEST
#define LARGEST 3
#endif
#ifndef PAGES
#define PAGES 5
#endif

#define DISTANCE(to, from) ((to + WRAP - from) % WRAP)
#define AHEAD(index, count) (((index) + (count)) % WRAP)
#define NOTIFY(old, now, event) (DISTANCE(now, event) < DISTANCE(now, old))

byte req_prod, req_event = 1, rsp_prod, rsp_event = 1;
bool event_to_backend, event_to_frontend = true;
bool backend_waits;

/* The frontend: pages at home, and away in packets; the rest are posted. */
byte idle = PAGES, away, produced, taken;
bool polling;

proctype backend()
{
	byte n, limit, answered, old, event;

	do
	:: n < LARGEST -> n++
	:: n > 0 ->
		do
		:: limit = req_prod;
			if
			:: atomic {
				DISTANCE(limit, answered) >= n ->
				backend_waits = false;
				break
			}
			:: atomic { DISTANCE(limit, answered) < n -> backend_waits = true }
			fi;
			req_event = AHEAD(limit, 1);
			if
#ifndef BUG_NO_RECHECK_BACKEND
			:: req_prod != limit
			:: req_prod == limit ->
#else
			:: true ->
#endif
end_asleep:
				atomic { event_to_backend -> event_to_backend = false }
			fi
		od;
		atomic {
			old = answered;
			answered = AHEAD(answered, n);
			rsp_prod = answered;
			limit = 0;
			n = 0
		}
		atomic {
			event = rsp_event;
			if
			:: NOTIFY(old, answered, event) -> event_to_frontend = true
			:: else
			fi;
			event = 0;
			old = 0
		}
	:: n == 0 -> break
	od
}

proctype frontend()
{
	byte seen, old, event;

end_asleep:
	do
	:: atomic {
			event_to_frontend ->
			event_to_frontend = false;
			polling = true
		};
		atomic {
			seen = rsp_prod;
			assert(DISTANCE(seen, taken) <= DISTANCE(produced, taken));
			away = away + DISTANCE(seen, taken);
			taken = seen;
			old = produced;
			do
			:: idle > 0 && DISTANCE(produced, taken) < SIZE ->
				idle--;
				produced = AHEAD(produced, 1)
			:: else -> break
			od
		}
		req_prod = produced;
		atomic {
			event = req_event;
			if
			:: NOTIFY(old, produced, event) -> event_to_backend = true
			:: else
			fi;
			old = 0;
			event = 0
		}
		rsp_event = AHEAD(seen, 1);
		atomic {
#ifndef BUG_NO_RECHECK_FRONTEND
			event_to_frontend = event_to_frontend || rsp_prod != seen;
#endif
			seen = 0;
			polling = false
		}
	od
}

/* Packets are freed one page at a time, never while the driver polls. */
proctype stack()
{
end_nothing:
	do
	:: atomic {
			away > 0 && !polling ->
			away--;
			idle++;
			if
#ifdef BUG_POST_ONLY_WHEN_EMPTY
			:: produced == taken -> event_to_frontend = true
#else
			:: DISTANCE(produced, taken) < LARGEST -> event_to_frontend = true
#endif
			:: else
			fi
		}
	od
}

/* Everybody sleeps: then all pages are here, so the backend may not wait for any. */
proctype watch()
{
	timeout;
	assert(!backend_waits);
	assert(taken == rsp_prod && away == 0)
}

init
{
	atomic {
		run backend();
		run frontend();
		run stack();
		run watch()
	}
}
