/* SPDX-License-Identifier: ISC */
/*
 * lwIP as fast as its options allow: no threads, pools, large windows, sums computed while
 * copying. Nothing that it checks is left out.
 */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_TCP 1
#define LWIP_UDP 0
#define LWIP_RAW 0
#define LWIP_ICMP 1
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_IGMP 0
#define LWIP_STATS 0
#define LWIP_NETIF_LOOPBACK 0
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define LWIP_NOASSERT 1

#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 0
/* Those that are open and 1024 in TIME-WAIT, as ours; more for the rows with idle ones. */
#ifndef BENCH_LWIP_PCBS
#define BENCH_LWIP_PCBS 1088
#endif
#define MEMP_NUM_TCP_PCB BENCH_LWIP_PCBS
#define MEMP_NUM_TCP_PCB_LISTEN 4
#define MEMP_NUM_TCP_SEG 16384
#define PBUF_POOL_SIZE 8192
#define PBUF_POOL_BUFSIZE 1536
#define MEMP_NUM_PBUF 1024

#define TCP_MSS 1460
#define LWIP_TCP_TIMESTAMPS 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#ifndef BENCH_LWIP_WINDOW
#define BENCH_LWIP_WINDOW (64 * 1448)
#endif
#define TCP_WND BENCH_LWIP_WINDOW
#define TCP_SND_BUF BENCH_LWIP_WINDOW
#define TCP_SND_QUEUELEN (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT (2 * TCP_MSS)
#define TCP_SNDQUEUELOWAT (TCP_SND_QUEUELEN / 2)
#define TCP_QUEUE_OOSEQ 1
#define TCP_OVERSIZE TCP_MSS
#define TCP_LISTEN_BACKLOG 1

#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM_ALGORITHM 3
#define LWIP_NETIF_TX_SINGLE_PBUF 1
