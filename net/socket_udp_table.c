/* SPDX-License-Identifier: ISC */
/*
 * Which UDP socket a datagram is for: one with just this peer, else one with any. And which
 * ports they have: chosen at random (RFC 6056, 3.3.1), for whoever guesses an answer's port must
 * learn nothing from the ports of others.
 */
#include <errno.h>
#include <string.h>

#include "net/socket_parts.h"
#include "net/wire.h"

#define PROBES 64u

static uint64_t hash_of(const struct sockets *sockets, const struct udp_key *key)
{
	return siphash13(&sockets->udp_secret, key, sizeof(*key));
}

static struct udp_socket **bucket_of(const struct sockets *sockets, const struct udp_key *key)
{
	return &sockets->udp_buckets[hash_of(sockets, key) & (sockets->udp_bucket_count - 1)];
}

static bool is_same(const struct udp_key *a, const struct udp_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- ports ---- */

static uint64_t bit_of(uint16_t port)
{
	return UINT64_C(1) << port % 64;
}

static bool has_port(const struct sockets *sockets, uint16_t port)
{
	return sockets->udp_ports[port / 64] & bit_of(port);
}

/* Nobody else's? */
static bool is_no_others(struct sockets *sockets, const struct ip_address *own,
			 const struct udp_key *key)
{
	struct socket_address from = { *own, key->own_port };
	struct socket_address to = { .ip.version = (uint8_t)key->version, .port = key->peer_port };

	memcpy(to.ip.bytes, key->peer, sizeof(to.ip.bytes));
	return socket_port_is_free(sockets, IP_PROTOCOL_UDP, &from, &to);
}

static bool is_free(struct sockets *sockets, const struct ip_address *own,
		    const struct udp_key *key)
{
	return !has_port(sockets, key->own_port) && is_no_others(sockets, own, key);
}

int socket_udp_choose(struct sockets *sockets, const struct ip_address *own, struct udp_key *key)
{
	const uint32_t count = TCP_PORTS_LAST - TCP_PORTS_FIRST + 1;
	uint32_t start;

	for (uint32_t i = 0; i < PROBES; i++) {
		key->own_port =
			(uint16_t)(TCP_PORTS_FIRST + random_below(sockets->config.random, count));
		if (is_free(sockets, own, key))
			return 0;
	}
	start = random_below(sockets->config.random, count);
	for (uint32_t i = 0; i < count; i++) {
		key->own_port = (uint16_t)(TCP_PORTS_FIRST + (start + i) % count);
		if (is_free(sockets, own, key))
			return 0;
	}
	return -EADDRNOTAVAIL;
}

/* ---- sockets ---- */

void socket_udp_insert(struct udp_socket *udp)
{
	struct sockets *sockets = udp->socket.sockets;
	struct udp_socket **bucket = bucket_of(sockets, &udp->key);

	udp->next = *bucket;
	*bucket = udp;
	sockets->udp_ports[udp->key.own_port / 64] |= bit_of(udp->key.own_port);
}

/* Several have one port only when they were told to: they are counted when one goes. */
static bool port_is_shared(const struct sockets *sockets, uint16_t port)
{
	for (uint32_t i = 0; i < sockets->udp_bucket_count; i++)
		for (const struct udp_socket *udp = sockets->udp_buckets[i]; udp; udp = udp->next)
			if (udp->key.own_port == port)
				return true;
	return false;
}

void socket_udp_remove(struct udp_socket *udp)
{
	struct sockets *sockets = udp->socket.sockets;
	struct udp_socket **at = bucket_of(sockets, &udp->key);
	uint16_t port = udp->key.own_port;

	while (*at && *at != udp)
		at = &(*at)->next;
	if (*at)
		*at = udp->next;
	if (!port_is_shared(sockets, port))
		sockets->udp_ports[port / 64] &= ~bit_of(port);
}

/* Of those with this name the one with the right own address; version 0 is right for all. */
static struct udp_socket *find_named(const struct sockets *sockets, const struct ip_address *own,
				     const struct udp_key *key)
{
	struct udp_socket *found = NULL;

	for (struct udp_socket *udp = *bucket_of(sockets, key); udp; udp = udp->next) {
		if (!is_same(&udp->key, key))
			continue;
		if (ip_address_equal(&udp->own, own))
			return udp;
		if (udp->own.version == 0)
			found = udp;
	}
	return found;
}

struct udp_socket *socket_udp_find(const struct sockets *sockets, const struct ip_address *own,
				   const struct udp_key *key)
{
	const struct udp_key any = { .own_port = key->own_port };
	struct udp_socket *found;

	if (!has_port(sockets, key->own_port))
		return NULL;
	found = find_named(sockets, own, key);
	return found ? found : find_named(sockets, own, &any);
}

bool socket_udp_is_taken(struct sockets *sockets, const struct ip_address *own,
			 const struct udp_key *key)
{
	for (const struct udp_socket *udp = *bucket_of(sockets, key); udp; udp = udp->next)
		if (is_same(&udp->key, key) && ip_address_equal(&udp->own, own))
			return true;
	return !is_no_others(sockets, own, key);
}

/* ---- what was sent by those without a peer ---- */

void socket_udp_note(struct sockets *sockets, const struct udp_key *key)
{
	uint64_t hash = hash_of(sockets, key);

	sockets->udp_sent[hash % SOCKET_UDP_SENT] =
		(struct udp_sent){ hash, sockets->now + SOCKET_UDP_NS };
}

bool socket_udp_is_answer(const struct sockets *sockets, const struct udp_key *key)
{
	uint64_t hash = hash_of(sockets, key);
	const struct udp_sent *sent = &sockets->udp_sent[hash % SOCKET_UDP_SENT];

	return sent->hash == hash && sockets->now < sent->until_ns;
}
