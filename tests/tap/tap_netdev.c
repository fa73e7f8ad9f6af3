/* SPDX-License-Identifier: ISC */
#include "tests/tap/tap_netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "net/wire.h"

#define UPLINK_HEAD_BYTES 192u /* what netfront copies of a received frame */
#define ETHERNET_MTU 1500u
#define FRAME_BYTES (PACKET_MAX_BYTES + 4u)
#define TCP_CHECKSUM_AT 16u
#define UDP_CHECKSUM_AT 6u

/* ---- captures, and the time for rough links ---- */

#define NS_PER_SECOND 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

int tap_capture(struct tap *tap, const char *path)
{
	/* pcap with nanoseconds, version 2.4, Ethernet. */
	static const uint32_t head[] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, 1u << 18, 1 };

	tap->capture = fopen(path, "w");
	if (!tap->capture)
		return -errno;
	return fwrite(head, sizeof(head), 1, tap->capture) == 1 ? 0 : -EIO;
}

static void capture(struct tap *tap, const struct iovec *parts, int count)
{
	uint64_t now = now_ns();
	uint32_t record[4] = { (uint32_t)(now / NS_PER_SECOND), (uint32_t)(now % NS_PER_SECOND) };

	if (!tap->capture)
		return;
	for (int i = 0; i < count; i++)
		record[2] += (uint32_t)parts[i].iov_len;
	record[3] = record[2];
	fwrite(record, sizeof(record), 1, tap->capture);
	for (int i = 0; i < count; i++)
		fwrite(parts[i].iov_base, parts[i].iov_len, 1, tap->capture);
}

/* ---- to the kernel ---- */

static void complain(struct tap *tap, const char *what)
{
	if (tap->errors++ < 20)
		fprintf(stderr, "WRONG: %s: %s\n", tap->netdev.name, what);
}

/* The uplink's backend sees only pages of its class, and those only to read. */
static void check_pages(struct tap *tap, const struct packet *packet)
{
	if (!tap->is_uplink)
		return;
	if (!packet->head_page || packet->head_page->class != IOPAGE_UPLINK_READ)
		complain(tap, "head in a page that the uplink may not read");
	for (unsigned int i = 0; i < packet->frag_count; i++)
		if (packet->frags[i].page->class != IOPAGE_UPLINK_READ)
			complain(tap, "fragment in a page that the uplink may not read");
}

static void check_packet(struct tap *tap, const struct packet *packet)
{
	const struct netdev *netdev = &tap->netdev;
	bool pieces = tap->is_uplink ? packet->frag_count != 0 : packet->length > IOPAGE_SIZE;

	if (!packet_is_valid(packet))
		complain(tap, "not a valid packet");
	check_pages(tap, packet);
	if (!netdev_can_send(netdev, packet))
		complain(tap, "an offload that the link does not have");
	if (!packet->gso_type && packet->length > netdev->mtu + sizeof(struct ethernet_header))
		complain(tap, "larger than the MTU");
	if (pieces && !(netdev->features & NETDEV_TX_SG))
		complain(tap, "more than one piece, and no such feature");
	if (memcmp(packet->data + MAC_BYTES, netdev->mac, MAC_BYTES) != 0)
		complain(tap, "not from our MAC");
}

/* The protocol of the transport header at l4_offset. */
static uint8_t transport_of(const struct packet *packet)
{
	const uint8_t *ip = packet->data + packet->l3_offset;
	uint32_t at = packet->l3_offset + (uint32_t)sizeof(struct ip6_header);
	uint8_t next = ip[6];

	if (ip[0] >> 4 == 4)
		return ip[9];
	while (at + 2 <= packet->l4_offset) {
		next = packet->data[at];
		at += (packet->data[at + 1] + 1u) * IP6_EXTENSION_UNIT;
	}
	return next;
}

static void fill_header(struct tap *tap, struct virtio_net_hdr *header, const struct packet *packet)
{
	bool tcp;

	if (!(packet->flags & PACKET_CSUM_BLANK)) {
		if (packet->gso_type)
			complain(tap, "a large packet with a checksum of its own");
		return;
	}
	tcp = transport_of(packet) == IP_PROTOCOL_TCP;
	header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->csum_start = packet->l4_offset;
	header->csum_offset = tcp ? TCP_CHECKSUM_AT : UDP_CHECKSUM_AT;
	tap->blank_out++;
	if (!packet->gso_type)
		return;
	header->gso_type = packet->gso_type == PACKET_GSO_TCPV4 ? VIRTIO_NET_HDR_GSO_TCPV4
								: VIRTIO_NET_HDR_GSO_TCPV6;
	header->gso_size = packet->gso_size;
	header->hdr_len = (uint16_t)(packet->l4_offset + (tcp_of(packet)->data_offset >> 4) * 4u);
	tap->gso_out++;
}

static void write_frame(struct tap *tap, const struct iovec *parts, int count)
{
	if (writev(tap->fd, parts, count) >= 0)
		return;
	tap->netdev.stats.tx_dropped++;
	/* What a rough link has made of it the kernel may refuse. */
	if (errno == EINVAL && !tap->rough)
		complain(tap, "the kernel will not have it");
}

static void push_out(struct tap *tap, const struct iovec *parts, int count)
{
	uint8_t frame[FRAME_BYTES];
	size_t bytes = 0;

	for (int i = 0; i < count; i++) {
		memcpy(frame + bytes, parts[i].iov_base, parts[i].iov_len);
		bytes += parts[i].iov_len;
	}
	rough_link_push(tap->rough, ROUGH_OUT, frame, bytes, now_ns());
}

/* What has got through the rough link by now. */
static void write_arrived(struct tap *tap)
{
	uint8_t frame[FRAME_BYTES];
	uint64_t now = now_ns();
	struct iovec part = { .iov_base = frame };

	while ((part.iov_len = rough_link_pop(tap->rough, ROUGH_OUT, frame, sizeof(frame), now)))
		write_frame(tap, &part, 1);
}

static void send_one(struct tap *tap, struct packet *packet)
{
	struct virtio_net_hdr header = { 0 };
	struct iovec parts[2 + PACKET_MAX_FRAGS];
	int count = 0;

	check_packet(tap, packet);
	if (tap->offloads) {
		fill_header(tap, &header, packet);
		parts[count++] = (struct iovec){ &header, sizeof(header) };
	}
	parts[count++] = (struct iovec){ packet->data, packet->head_length };
	for (unsigned int i = 0; i < packet->frag_count; i++) {
		const struct packet_frag *frag = &packet->frags[i];

		parts[count++] = (struct iovec){ frag->page->data + frag->offset, frag->length };
	}
	capture(tap, parts + tap->offloads, count - tap->offloads);
	if (tap->rough)
		push_out(tap, parts, count);
	else
		write_frame(tap, parts, count);
	tap->netdev.stats.tx_packets++;
	tap->netdev.stats.tx_bytes += packet->length;
	if (tap->is_uplink)
		packet->flags |= PACKET_SENT_UP;
	packet_free(packet);
}

static void transmit(struct netdev *netdev, struct packet_vector *vector)
{
	struct tap *tap = netdev->driver;

	if (vector->count == 0 || vector->count > PACKET_VECTOR_MAX)
		complain(tap, "vector of a wrong size");
	for (uint32_t i = 0; i < vector->count; i++)
		send_one(tap, vector->packets[i]);
	vector->count = 0;
}

static const struct netdev_ops ops = { .transmit = transmit };

/* ---- from the kernel ---- */

static int add_pages(struct packet *packet, const uint8_t *data, uint32_t bytes,
		     enum iopage_class class)
{
	while (bytes) {
		uint32_t part = bytes < IOPAGE_SIZE ? bytes : IOPAGE_SIZE;
		struct iopage *page = iopage_alloc(packet->pool->pages, class);

		if (!page)
			return -ENOMEM;
		memcpy(page->data, data, part);
		if (packet_add_frag(packet, page, 0, (uint16_t)part)) {
			iopage_free(page);
			return -ENOSPC;
		}
		data += part;
		bytes -= part;
	}
	return 0;
}

/* The uplink's head is private and the rest in pages that it can write; a client's is ours. */
static struct packet *make_packet(struct tap *tap, const uint8_t *data, uint32_t bytes)
{
	enum iopage_class class = tap->is_uplink ? IOPAGE_UPLINK_WRITE : IOPAGE_UPLINK_READ;
	uint32_t room = tap->is_uplink ? UPLINK_HEAD_BYTES : IOPAGE_SIZE - PACKET_HEADROOM;
	uint32_t head = bytes < room ? bytes : room;
	struct packet *packet = tap->is_uplink ? packet_alloc(tap->packets)
					       : packet_alloc_page(tap->packets, class);
	uint8_t *to = packet ? packet_append(packet, head) : NULL;

	if (!to) {
		packet_free(packet);
		return NULL;
	}
	memcpy(to, data, head);
	packet->in = &tap->netdev;
	if (add_pages(packet, data + head, bytes - head, class)) {
		packet_free(packet);
		return NULL;
	}
	return packet;
}

/* False: an offload that was never offered. */
static bool take_header(struct tap *tap, const struct virtio_net_hdr *header, struct packet *packet)
{
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		packet->flags |= PACKET_CSUM_BLANK | PACKET_CSUM_VALID;
		tap->blank_in++;
	} else if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		packet->flags |= PACKET_CSUM_VALID;
	}
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		packet->gso_type = PACKET_GSO_TCPV4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		packet->gso_type = PACKET_GSO_TCPV6;
		break;
	default:
		return false;
	}
	packet->gso_size = header->gso_size;
	tap->gso_in++;
	return true;
}

/* A frame of the link's; perhaps it is lost for want of memory. */
static void take_frame(struct tap *tap, const struct virtio_net_hdr *header, uint8_t *frame,
		       uint32_t bytes, struct packet_vector *vector)
{
	struct packet *packet = make_packet(tap, frame, bytes);

	tap->netdev.stats.rx_packets++;
	tap->netdev.stats.rx_bytes += bytes;
	capture(tap, &(struct iovec){ frame, bytes }, 1);
	if (!packet || !take_header(tap, header, packet)) {
		tap->netdev.stats.rx_dropped++;
		packet_free(packet);
		return;
	}
	packet_vector_add(vector, packet);
}

/* True: one frame read. */
static bool read_one(struct tap *tap, struct packet_vector *vector)
{
	static uint8_t frame[FRAME_BYTES];
	struct virtio_net_hdr header = { 0 };
	struct iovec parts[2] = { { &header, sizeof(header) }, { frame, sizeof(frame) } };
	size_t skip = tap->offloads ? sizeof(header) : 0;
	ssize_t bytes = readv(tap->fd, tap->offloads ? parts : parts + 1, tap->offloads ? 2 : 1);

	if (bytes <= (ssize_t)skip)
		return false;
	if (tap->rough)
		rough_link_push(tap->rough, ROUGH_IN, frame, (size_t)bytes, now_ns());
	else
		take_frame(tap, &header, frame, (uint32_t)((size_t)bytes - skip), vector);
	return true;
}

static void take_arrived(struct tap *tap, struct packet_vector *vector)
{
	static const struct virtio_net_hdr none;
	uint8_t frame[FRAME_BYTES];
	uint64_t now = now_ns();
	size_t bytes;

	while (!packet_vector_is_full(vector)) {
		bytes = rough_link_pop(tap->rough, ROUGH_IN, frame, sizeof(frame), now);
		if (!bytes)
			return;
		take_frame(tap, &none, frame, (uint32_t)bytes, vector);
	}
}

bool tap_poll(struct tap *tap)
{
	struct packet_vector vector = { .count = 0 };
	unsigned int read = 0;

	while (read < PACKET_VECTOR_MAX && read_one(tap, &vector))
		read++;
	if (tap->rough) {
		take_arrived(tap, &vector);
		write_arrived(tap);
	}
	if (vector.count)
		tap->netdev.input(&tap->netdev, &vector);
	if (vector.count)
		complain(tap, "input left packets in the vector");
	return read == PACKET_VECTOR_MAX;
}

/* ---- life ---- */

static int device_open(const char *name, bool offloads)
{
	unsigned int offered = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (offloads)
		request.ifr_flags |= IFF_VNET_HDR;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) || (offloads && ioctl(fd, TUNSETOFFLOAD, offered))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* A device is born in the namespace of whoever opens it. */
static int device_open_in(const char *name, const char *space, bool offloads)
{
	char path[128];
	int home, there, fd;

	if (!space)
		return device_open(name, offloads);
	snprintf(path, sizeof(path), "/run/netns/%s", space);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		fd = -errno;
	else
		fd = device_open(name, offloads);
	if (home >= 0 && setns(home, CLONE_NEWNET))
		fd = -errno;
	close(home);
	close(there);
	return fd;
}

int tap_open(struct tap *tap, struct packet_pool *packets, const char *name, const char *space,
	     bool is_uplink, bool offloads, const uint8_t *mac, const uint8_t *peer_mac)
{
	struct netdev *netdev = &tap->netdev;

	memset(tap, 0, sizeof(*tap));
	tap->fd = device_open_in(name, space, offloads);
	if (tap->fd < 0)
		return tap->fd;
	tap->packets = packets;
	tap->is_uplink = is_uplink;
	tap->offloads = offloads;
	netdev->ops = &ops;
	netdev->driver = tap;
	snprintf(netdev->name, sizeof(netdev->name), "%s", name);
	memcpy(netdev->mac, mac, MAC_BYTES);
	if (peer_mac)
		memcpy(netdev->peer_mac, peer_mac, MAC_BYTES);
	netdev->mtu = ETHERNET_MTU;
	if (offloads)
		netdev->features = NETDEV_TX_CSUM_IPV4 | NETDEV_TX_CSUM_IPV6 | NETDEV_TX_GSO_TCPV4 |
				   NETDEV_TX_GSO_TCPV6 | NETDEV_TX_SG;
	netdev->up = true;
	return 0;
}

void tap_close(struct tap *tap)
{
	if (tap->capture)
		fclose(tap->capture);
	close(tap->fd);
}
