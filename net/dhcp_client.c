/* SPDX-License-Identifier: ISC */
#include "net/dhcp_client.h"

#include <errno.h>
#include <string.h>

#include "net/dhcp_message.h"

#define SECOND_NS 1000000000ull
#define NONE ((be32){ 0 })

void dhcp_client_init(struct dhcp_client *client, const struct dhcp_config *config)
{
	memset(client, 0, sizeof(*client));
	client->config = *config;
	client->next_ns = UINT64_MAX;
}

static bool has_lease(const struct dhcp_client *client)
{
	return client->state == DHCP_BOUND || client->state == DHCP_RENEWING ||
	       client->state == DHCP_REBINDING;
}

const struct dhcp_lease *dhcp_client_lease(const struct dhcp_client *client)
{
	return has_lease(client) ? &client->lease : NULL;
}

uint64_t dhcp_client_next_ns(const struct dhcp_client *client)
{
	return client->next_ns;
}

static void state_enter(struct dhcp_client *client, enum dhcp_state state)
{
	client->state = state;
	client->tries = 0;
}

/* A new exchange: another transaction id, and the clock of `secs` begins. */
static void exchange_begin(struct dhcp_client *client, enum dhcp_state state, uint64_t now_ns)
{
	state_enter(client, state);
	client->xid = random_u32(client->config.random);
	client->begin_ns = now_ns;
}

static void message_send(struct dhcp_client *client, struct dhcp_request *request, uint64_t now_ns)
{
	uint64_t seconds = (now_ns - client->begin_ns) / SECOND_NS;
	uint8_t frame[DHCP_FRAME_BYTES];

	request->xid = client->xid;
	request->seconds = seconds < UINT16_MAX ? (uint16_t)seconds : UINT16_MAX;
	request->mac = client->config.mac;
	dhcp_request_write(request, frame);
	client->counters.sent++;
	client->config.output.send(client->config.output.context, frame, sizeof(frame));
}

/* What each state says, RFC 2131, table 5. */
static void state_send(struct dhcp_client *client, uint64_t now_ns)
{
	struct dhcp_request request = { .type = DHCP_REQUEST };

	switch (client->state) {
	case DHCP_SELECTING:
		request.type = DHCP_DISCOVER;
		break;
	case DHCP_REQUESTING:
		request.wanted = client->offer.address;
		request.server = client->offer.server;
		break;
	case DHCP_REBOOTING:
		request.wanted = client->wanted;
		break;
	case DHCP_RENEWING:
		request.to = client->lease.server;
		request.to_mac = client->server_mac;
		request.own = client->lease.address;
		break;
	case DHCP_REBINDING:
		request.own = client->lease.address;
		break;
	default:
		return;
	}
	client->tries++;
	message_send(client, &request, now_ns);
}

/* RFC 2131, 4.1: 4, 8, 16, 32, 64 seconds, each with up to a second more or less. */
static uint64_t retry_wait_ns(struct dhcp_client *client)
{
	uint32_t doublings = client->tries - 1;
	uint64_t wait_ns = DHCP_LAST_RETRY_NS;

	if (doublings < 4)
		wait_ns = DHCP_FIRST_RETRY_NS << doublings;
	return wait_ns - SECOND_NS + random_below(client->config.random, 2 * SECOND_NS);
}

/* RFC 2131, 4.4.5: half of what is left, not below a minute, and not past the end. */
static uint64_t renew_at_ns(uint64_t end_ns, uint64_t now_ns)
{
	uint64_t wait_ns = (end_ns - now_ns) / 2;

	if (wait_ns < DHCP_SHORTEST_RENEW_NS)
		wait_ns = DHCP_SHORTEST_RENEW_NS;
	return wait_ns < end_ns - now_ns ? now_ns + wait_ns : end_ns;
}

static void init_begin(struct dhcp_client *client, uint64_t now_ns)
{
	exchange_begin(client, DHCP_SELECTING, now_ns);
	state_send(client, now_ns);
	client->next_ns = now_ns + retry_wait_ns(client);
}

/* To the caller; only when there was something to lose. */
static void lease_lose(struct dhcp_client *client)
{
	bool had = has_lease(client);

	state_enter(client, DHCP_STOPPED);
	client->next_ns = UINT64_MAX;
	if (had)
		client->config.output.changed(client->config.output.context, NULL);
}

void dhcp_client_start(struct dhcp_client *client, be32 remembered, uint64_t now_ns)
{
	lease_lose(client);
	if (!remembered.raw) {
		init_begin(client, now_ns);
		return;
	}
	client->wanted = remembered;
	exchange_begin(client, DHCP_REBOOTING, now_ns);
	state_send(client, now_ns);
	client->next_ns = now_ns + retry_wait_ns(client);
}

void dhcp_client_stop(struct dhcp_client *client, uint64_t now_ns)
{
	struct dhcp_request request = {
		.type = DHCP_RELEASE,
		.own = client->lease.address,
		.to = client->lease.server,
		.to_mac = client->server_mac,
		.server = client->lease.server,
	};

	if (has_lease(client)) {
		client->xid = random_u32(client->config.random);
		client->begin_ns = now_ns;
		message_send(client, &request, now_ns);
	}
	lease_lose(client);
}

void dhcp_client_renew(struct dhcp_client *client, uint64_t now_ns)
{
	if (client->state == DHCP_BOUND)
		client->next_ns = now_ns;
}

void dhcp_client_decline(struct dhcp_client *client, uint64_t now_ns)
{
	struct dhcp_request request = {
		.type = DHCP_DECLINE,
		.wanted = client->lease.address,
		.server = client->lease.server,
	};

	if (!has_lease(client))
		return;
	client->xid = random_u32(client->config.random);
	client->begin_ns = now_ns;
	message_send(client, &request, now_ns);
	lease_lose(client);
	state_enter(client, DHCP_PAUSED);
	client->next_ns = now_ns + DHCP_DECLINE_WAIT_NS;
}

/* An ACK. The lease runs from when it was asked for (RFC 2131, 4.4.1). */
static void lease_bind(struct dhcp_client *client, const struct dhcp_reply *reply, uint64_t now_ns)
{
	bool news = !has_lease(client) ||
		    memcmp(&client->lease, &reply->lease, sizeof(client->lease)) != 0;

	client->lease = reply->lease;
	mac_copy(client->server_mac, reply->server_mac);
	client->renew_ns = client->rebind_ns = client->end_ns = UINT64_MAX;
	if (reply->lease.lease != UINT32_MAX) {
		client->renew_ns = client->begin_ns + reply->lease.renew * SECOND_NS;
		client->rebind_ns = client->begin_ns + reply->lease.rebind * SECOND_NS;
		client->end_ns = client->begin_ns + reply->lease.lease * SECOND_NS;
	}
	if (client->end_ns <= now_ns) {
		lease_lose(client);
		init_begin(client, now_ns);
		return;
	}
	state_enter(client, DHCP_BOUND);
	client->next_ns = client->renew_ns;
	if (client->next_ns <= now_ns) /* the answer was slow */
		client->next_ns = now_ns + SECOND_NS;
	if (client->next_ns > client->end_ns)
		client->next_ns = client->end_ns;
	if (news)
		client->config.output.changed(client->config.output.context, &client->lease);
}

static void nak_input(struct dhcp_client *client, uint64_t now_ns)
{
	client->counters.naks++;
	lease_lose(client);
	/* Not at once: a server that refuses each request shall not make us storm. */
	state_enter(client, DHCP_PAUSED);
	client->next_ns = now_ns + SECOND_NS + random_below(client->config.random, SECOND_NS);
}

static void offer_input(struct dhcp_client *client, const struct dhcp_reply *reply, uint64_t now_ns)
{
	client->offer = reply->lease;
	state_enter(client, DHCP_REQUESTING);
	/* The same xid (RFC 2131, 4.3.2), and the lease counts from this request. */
	client->begin_ns = now_ns;
	state_send(client, now_ns);
	client->next_ns = now_ns + retry_wait_ns(client);
}

/* Whether an ACK or NAK is from whom we asked, for what we asked. */
static bool reply_is_expected(const struct dhcp_client *client, const struct dhcp_reply *reply)
{
	bool nak = reply->type == DHCP_NAK;

	switch (client->state) {
	case DHCP_REQUESTING:
		return be32_equal(reply->lease.server, client->offer.server) &&
		       (nak || be32_equal(reply->lease.address, client->offer.address));
	case DHCP_REBOOTING:
		return nak || be32_equal(reply->lease.address, client->wanted);
	case DHCP_RENEWING:
		if (!be32_equal(reply->lease.server, client->lease.server))
			return false;
		return nak || be32_equal(reply->lease.address, client->lease.address);
	case DHCP_REBINDING:
		return nak || be32_equal(reply->lease.address, client->lease.address);
	default:
		return false;
	}
}

int dhcp_client_input(struct dhcp_client *client, const void *frame, size_t bytes, bool vouched,
		      uint64_t now_ns)
{
	struct dhcp_reply reply;
	int result = dhcp_reply_read(&reply, client->config.mac, frame, bytes, vouched);

	if (result == -EINVAL)
		client->counters.malformed++;
	if (result)
		return result;
	if (reply.xid == client->xid && reply.type == DHCP_OFFER &&
	    client->state == DHCP_SELECTING) {
		offer_input(client, &reply, now_ns);
		return 0;
	}
	if (reply.xid != client->xid || reply.type == DHCP_OFFER ||
	    !reply_is_expected(client, &reply)) {
		client->counters.ignored++;
		return -ENOENT;
	}
	if (reply.type == DHCP_NAK)
		nak_input(client, now_ns);
	else
		lease_bind(client, &reply, now_ns);
	return 0;
}

/* In RENEWING and REBINDING: the next state, or once more. */
static void renewal_run(struct dhcp_client *client, uint64_t now_ns)
{
	bool rebinding = now_ns >= client->rebind_ns;

	if (now_ns >= client->end_ns) {
		lease_lose(client);
		init_begin(client, now_ns);
		return;
	}
	if (rebinding && client->state != DHCP_REBINDING)
		exchange_begin(client, DHCP_REBINDING, now_ns);
	else if (!rebinding && client->state == DHCP_BOUND)
		exchange_begin(client, DHCP_RENEWING, now_ns);
	state_send(client, now_ns);
	client->next_ns = renew_at_ns(rebinding ? client->end_ns : client->rebind_ns, now_ns);
}

void dhcp_client_run(struct dhcp_client *client, uint64_t now_ns)
{
	uint32_t most = client->state == DHCP_REBOOTING ? DHCP_REBOOT_TRIES : DHCP_REQUEST_TRIES;

	if (now_ns < client->next_ns)
		return;
	switch (client->state) {
	case DHCP_STOPPED:
		return;
	case DHCP_PAUSED:
		init_begin(client, now_ns);
		return;
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
		if (client->tries >= most) {
			init_begin(client, now_ns);
			return;
		}
		break;
	case DHCP_SELECTING:
		break;
	default:
		renewal_run(client, now_ns);
		return;
	}
	state_send(client, now_ns);
	client->next_ns = now_ns + retry_wait_ns(client);
}
