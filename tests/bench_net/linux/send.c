/* SPDX-License-Identifier: ISC */
/*
 * Sends UDP frames of many flows to an interface as fast as the kernel takes them, each
 * pass in another random order, and prints what a packet of each pass took.
 *
 * Usage: send INTERFACE ROUTER-MAC FLOWS BYTES PASSES
 *
 * Everything that a veth does with a frame, through forwarding to the last interface,
 * happens within the system call or right after it on the same CPU, so the time that
 * passes is the time of the whole way.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define FRAME_MAX 1514u
#define SOURCE 0x0a090002u  /* 10.9.0.2 */
#define SERVERS 0x2d000000u /* 45.0.0.0/8 */

struct sender {
	int socket;
	uint32_t flows;
	uint32_t bytes;
	uint32_t *order;
	double *times;
	uint8_t frames[BATCH][FRAME_MAX];
	struct iovec vectors[BATCH];
	struct mmsghdr messages[BATCH];
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint16_t header_sum(const void *header)
{
	uint16_t words[10];
	uint32_t sum = 0;

	memcpy(words, header, sizeof(words));
	for (unsigned int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* The flow's addresses and ports; all else is there already. */
static void set_flow(uint8_t *frame, uint32_t index)
{
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	ip->daddr = htonl(SERVERS | ((index * 0x9e3779u) & 0xffffff));
	ip->check = 0;
	ip->check = header_sum(ip);
	udp->source = htons((uint16_t)(1024 + index % 60000));
}

static void make_frame(struct sender *sender, uint8_t *frame, const uint8_t *to,
		       const uint8_t *from)
{
	struct ether_header *ethernet = (struct ether_header *)frame;
	struct iphdr *ip = (struct iphdr *)(ethernet + 1);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	memcpy(ethernet->ether_dhost, to, ETH_ALEN);
	memcpy(ethernet->ether_shost, from, ETH_ALEN);
	ethernet->ether_type = htons(ETHERTYPE_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons((uint16_t)(sender->bytes - ETH_HLEN));
	ip->frag_off = htons(IP_DF);
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->saddr = htonl(SOURCE);
	udp->dest = htons(443);
	udp->len = htons((uint16_t)(sender->bytes - ETH_HLEN - sizeof(*ip)));
}

static void open_socket(struct sender *sender, const char *interface, uint8_t *mac)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct ifreq request = { 0 };
	int yes = 1;

	sender->socket = socket(AF_PACKET, SOCK_RAW, 0);
	if (sender->socket < 0)
		fail("socket");
	address.sll_ifindex = (int)if_nametoindex(interface);
	if (bind(sender->socket, (struct sockaddr *)&address, sizeof(address)))
		fail(interface);
	if (setsockopt(sender->socket, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)))
		fail("PACKET_QDISC_BYPASS");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(sender->socket, SIOCGIFHWADDR, &request))
		fail("SIOCGIFHWADDR");
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static void shuffle(struct sender *sender, uint64_t *state)
{
	for (uint32_t i = sender->flows; i > 1; i--) {
		uint32_t k, other;

		*state = *state * 6364136223846793005ull + 1442695040888963407ull;
		k = (uint32_t)((*state >> 33) % i);
		other = sender->order[k];
		sender->order[k] = sender->order[i - 1];
		sender->order[i - 1] = other;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The median of what a packet of a batch took: a batch during which the CPU was taken
 * away for somebody else counts for nothing.
 */
static double send_pass(struct sender *sender)
{
	uint32_t batches = 0;

	for (uint32_t at = 0; at < sender->flows; at += BATCH) {
		uint32_t count = sender->flows - at < BATCH ? sender->flows - at : BATCH;

		uint64_t start;

		for (uint32_t i = 0; i < count; i++)
			set_flow(sender->frames[i], sender->order[at + i]);
		start = now_ns();
		for (uint32_t done = 0; done < count;) {
			int sent =
				sendmmsg(sender->socket, sender->messages + done, count - done, 0);

			if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
				fail("sendmmsg");
			done += sent > 0 ? (uint32_t)sent : 0;
		}
		sender->times[batches++] = (double)(now_ns() - start) / count;
	}
	qsort(sender->times, batches, sizeof(*sender->times), compare);
	return sender->times[batches / 2];
}

int main(int argc, char **argv)
{
	static struct sender sender;
	uint8_t to[ETH_ALEN], from[ETH_ALEN];
	unsigned int mac[ETH_ALEN];
	uint64_t state = 1;
	cpu_set_t cpus;

	if (argc != 6 || sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
				&mac[4], &mac[5]) != ETH_ALEN) {
		fprintf(stderr, "usage: send INTERFACE ROUTER-MAC FLOWS BYTES PASSES\n");
		return 2;
	}
	for (unsigned int i = 0; i < ETH_ALEN; i++)
		to[i] = (uint8_t)mac[i];
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		fail("sched_setaffinity");
	sender.flows = (uint32_t)atoi(argv[3]);
	sender.bytes = (uint32_t)atoi(argv[4]);
	if (sender.flows == 0 || sender.bytes < 60 || sender.bytes > FRAME_MAX)
		return 2;
	open_socket(&sender, argv[1], from);
	sender.order = malloc(sender.flows * sizeof(*sender.order));
	sender.times = malloc((sender.flows / BATCH + 1) * sizeof(*sender.times));
	if (!sender.order || !sender.times)
		fail("malloc");
	for (uint32_t i = 0; i < sender.flows; i++)
		sender.order[i] = i;
	for (uint32_t i = 0; i < BATCH; i++) {
		make_frame(&sender, sender.frames[i], to, from);
		sender.vectors[i] = (struct iovec){ sender.frames[i], sender.bytes };
		sender.messages[i].msg_hdr.msg_iov = &sender.vectors[i];
		sender.messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (int pass = 0; pass < atoi(argv[5]); pass++) {
		shuffle(&sender, &state);
		printf("%.2f\n", send_pass(&sender));
	}
	return 0;
}
