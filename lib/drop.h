/* SPDX-License-Identifier: ISC */
/*
 * Why a packet was dropped. One list gives the constant, the counter's name and
 * the sentence that the stats print; there is no drop without an entry here.
 */
#pragma once

#include <stdint.h>

/* DROP(constant, counter name, text) */
#define DROP_REASONS(DROP)                                                               \
	DROP(NO_MEMORY, "no-memory", "no packet or page was free")                       \
	DROP(RING_FULL, "ring-full", "the receiver's ring had no room")                  \
	DROP(LINK_DOWN, "link-down", "the interface was not connected")                  \
	DROP(COPY_FAILED, "copy-failed", "the hypervisor refused a grant copy")          \
	DROP(BAD_SLOTS, "bad-slots", "ring slots that the protocol does not allow")      \
	DROP(BAD_GSO, "bad-gso", "segmentation data that does not fit the packet")       \
	DROP(BAD_OFFLOAD, "bad-offload", "blank checksum without a transport header")    \
	DROP(NO_OFFLOAD, "no-offload", "too large for a receiver without segmentation")  \
	DROP(PEER_STATUS, "peer-status", "the backend reported an error")                \
	DROP(QUOTA, "quota", "the sender's share was used up")                           \
	DROP(SHORT, "short", "shorter than its headers say")                             \
	DROP(BAD_MAC, "bad-mac", "not for our MAC, or not from the sender's")            \
	DROP(BAD_ETHERTYPE, "bad-ethertype", "a protocol that is not forwarded")         \
	DROP(BAD_ARP, "bad-arp", "malformed or spoofed ARP")                             \
	DROP(BAD_IP_HEADER, "bad-ip-header", "malformed IP header")                      \
	DROP(BAD_CHECKSUM, "bad-checksum", "wrong header checksum")                      \
	DROP(IP_OPTIONS, "ip-options", "IP options are not forwarded")                   \
	DROP(FRAGMENT, "fragment", "an IP fragment that cannot be judged")               \
	DROP(FRAGMENT_BAD, "fragment-bad", "empty, of odd length, or with two ends")     \
	DROP(FRAGMENT_LONG, "fragment-long", "reaches beyond the longest IP packet")     \
	DROP(FRAGMENT_TINY, "fragment-tiny", "cuts through the transport header")        \
	DROP(FRAGMENT_OVERLAP, "fragment-overlap", "overlaps others of its packet")      \
	DROP(FRAGMENT_TWICE, "fragment-twice", "this fragment has been here before")     \
	DROP(FRAGMENT_MANY, "fragment-many", "too many fragments of one packet")         \
	DROP(FRAGMENT_QUOTA, "fragment-quota", "the sender's share of fragments")        \
	DROP(FRAGMENT_TIMEOUT, "fragment-timeout", "the first fragment did not come")    \
	DROP(IP6_EXTENSION, "ip6-extension", "a malformed or misplaced IPv6 header")     \
	DROP(IP6_CHAIN, "ip6-chain", "more IPv6 extension headers than are read")        \
	DROP(IP6_ROUTING, "ip6-routing", "an IPv6 routing header with a way to go")      \
	DROP(IP6_UNKNOWN, "ip6-unknown", "an IPv6 header that nobody can judge behind")  \
	DROP(IP6_JUMBO, "ip6-jumbo", "an IPv6 jumbogram")                                \
	DROP(BAD_NDP, "bad-ndp", "neighbour discovery that crossed a router or is cut")  \
	DROP(BAD_TRANSPORT, "bad-transport", "malformed TCP, UDP or ICMP header")        \
	DROP(SPOOFED, "spoofed", "the source address is not the client's")               \
	DROP(DOWNSTREAM, "downstream", "to or from a client that is not here")           \
	DROP(MARTIAN, "martian", "an address that must not be on the wire")              \
	DROP(MULTICAST, "multicast", "broadcast or multicast, which is not forwarded")   \
	DROP(TTL, "ttl", "time to live exceeded")                                        \
	DROP(TOO_BIG, "too-big", "larger than the next link and may not be split")       \
	DROP(NO_ROUTE, "no-route", "no interface leads there")                           \
	DROP(NO_NEIGHBOUR, "no-neighbour", "the next hop did not answer ARP")            \
	DROP(NO_RULES, "no-rules", "no valid rules are loaded: closed")                  \
	DROP(BLOCKED, "blocked", "a rule said block")                                    \
	DROP(NO_FLOW, "no-flow", "a reply to nothing that was let out")                  \
	DROP(FLOW_STATE, "flow-state", "impossible in the flow's state")                 \
	DROP(TCP_WINDOW, "tcp-window", "outside of what its TCP connection can take")    \
	DROP(FLOW_TABLE_FULL, "flow-table-full", "no room for another flow")             \
	DROP(NO_TRANSLATION, "no-translation", "cannot be translated as the rules say")  \
	DROP(STATE_LIMIT, "state-limit", "the rule has all the flows it may have")       \
	DROP(SOURCE_LIMIT, "source-limit", "the same, from this source address")         \
	DROP(LIMITS_FULL, "limits-full", "no memory left to count flows by rule")        \
	DROP(NAT_PORTS, "nat-ports", "no free port for address translation")             \
	DROP(NOT_OURS, "not-ours", "to the firewall itself, which offers nothing there") \
	DROP(RATE_LIMIT, "rate-limit", "answers of this kind are rationed")              \
	DROP(DETACHED, "detached", "the interface went away while it waited")

enum drop_reason {
#define DROP_ENUM(constant, name, text) DROP_##constant,
	DROP_REASONS(DROP_ENUM)
#undef DROP_ENUM
		DROP_REASON_COUNT
};

/* The counter's name, for example "blocked"; never NULL. */
const char *drop_name(enum drop_reason reason);

/* One sentence for a human; never NULL. */
const char *drop_text(enum drop_reason reason);
