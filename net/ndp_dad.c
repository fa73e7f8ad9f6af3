/* SPDX-License-Identifier: ISC */
#include "net/ndp_dad.h"

#include <string.h>

#include "net/martian6.h"
#include "net/ndp_send.h"

static void finish(struct ndp_dad *dad, bool unique, uint64_t now_ns)
{
	ndp_dad_stop(dad);
	dad->done(dad, unique, now_ns);
}

/* Asks once more, or has waited long enough after the last question. */
static void dad_expired(struct wheel_timer *timer, uint64_t now_ns)
{
	struct ndp_dad *dad = container_of(timer, struct ndp_dad, timer);

	if (dad->left == 0) {
		finish(dad, true, now_ns);
		return;
	}
	dad->left--;
	ndp_solicit_probe(dad->ndp->own, dad->netdev, &dad->address, dad->nonce);
	wheel_start(dad->ndp->wheel, timer, now_ns + NDP_DAD_INTERVAL_NS);
}

void ndp_dad_init(struct ndp_dad *dad, struct ndp *ndp, ndp_dad_done *done, void *context)
{
	memset(dad, 0, sizeof(*dad));
	dad->ndp = ndp;
	dad->done = done;
	dad->context = context;
	wheel_timer_init(&dad->timer, dad_expired);
	list_init(&dad->link);
}

void ndp_dad_start(struct ndp_dad *dad, struct netdev *netdev, const struct ip6_address *address,
		   struct random *random, uint64_t now_ns)
{
	ndp_dad_stop(dad);
	dad->netdev = netdev;
	dad->address = *address;
	dad->left = NDP_DAD_PROBES;
	random_bytes(random, dad->nonce, sizeof(dad->nonce));
	list_push_back(&dad->ndp->detections, &dad->link);
	wheel_start(dad->ndp->wheel, &dad->timer, now_ns + random_below(random, NDP_DAD_DELAY_NS));
}

void ndp_dad_stop(struct ndp_dad *dad)
{
	wheel_stop(dad->ndp->wheel, &dad->timer);
	list_remove(&dad->link);
	dad->netdev = NULL;
}

bool ndp_dad_is_running(const struct ndp_dad *dad)
{
	return !list_is_empty(&dad->link);
}

void ndp_dad_forget(struct ndp *ndp, const struct netdev *netdev)
{
	list_for_each_safe(link, spare, &ndp->detections) {
		struct ndp_dad *dad = list_entry(link, struct ndp_dad, link);

		if (dad->netdev == netdev)
			ndp_dad_stop(dad);
	}
}

static struct ndp_dad *find(const struct ndp *ndp, const struct netdev *netdev,
			    const struct ip6_address *address)
{
	list_for_each(link, &ndp->detections) {
		struct ndp_dad *dad = list_entry(link, struct ndp_dad, link);

		if (dad->netdev == netdev && ip6_address_equal(&dad->address, address))
			return dad;
	}
	return NULL;
}

/* RFC 4862, 5.4.3 and 5.4.4: somebody has it, or wants it as we do; our own echo is neither. */
static bool is_conflict(const struct ndp_dad *dad, const struct ndp_message *message)
{
	if (message->type == ICMP6_NEIGHBOUR_ADVERTISEMENT)
		return true;
	return ndp_is_probe(message) &&
	       !(message->has_nonce && memcmp(message->nonce, dad->nonce, sizeof(dad->nonce)) == 0);
}

bool ndp_dad_hear(struct ndp *ndp, const struct netdev *netdev, const struct ndp_message *message,
		  uint64_t now_ns)
{
	struct ndp_dad *dad;

	if (message->type != ICMP6_NEIGHBOUR_ADVERTISEMENT &&
	    message->type != ICMP6_NEIGHBOUR_SOLICITATION)
		return false;
	dad = find(ndp, netdev, &message->target);
	if (!dad)
		return false;
	if (is_conflict(dad, message))
		finish(dad, false, now_ns);
	return true;
}
