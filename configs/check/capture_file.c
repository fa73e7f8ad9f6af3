/* SPDX-License-Identifier: ISC */
/* The one file that includes libpcap's header. */
#include "configs/check/capture_file.h"

#include <pcap/pcap.h>
#include <stdlib.h>

struct capture_file {
	pcap_t *pcap;
	const char *name;
	bool bare;
};

struct capture_file *capture_file_open(const char *name)
{
	struct capture_file *file = calloc(1, sizeof(*file));
	char error[PCAP_ERRBUF_SIZE] = "no memory";

	if (file)
		file->pcap = pcap_open_offline_with_tstamp_precision(
			name, PCAP_TSTAMP_PRECISION_NANO, error);
	if (!file || !file->pcap) {
		fprintf(stderr, "ringwall-check: %s: %s\n", name, error);
		free(file);
		return NULL;
	}
	file->name = name;
	switch (pcap_datalink(file->pcap)) {
	case DLT_EN10MB:
		return file;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		file->bare = true;
		return file;
	default:
		fprintf(stderr, "ringwall-check: %s: neither Ethernet nor IP, but %s\n", name,
			pcap_datalink_val_to_description_or_dlt(pcap_datalink(file->pcap)));
		capture_file_close(file);
		return NULL;
	}
}

bool capture_file_is_bare(const struct capture_file *file)
{
	return file->bare;
}

int capture_file_next(struct capture_file *file, struct capture_frame *frame)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(file->pcap, &header, &frame->bytes);

	if (result == PCAP_ERROR_BREAK)
		return 0;
	if (result != 1) {
		fprintf(stderr, "ringwall-check: %s: %s\n", file->name, pcap_geterr(file->pcap));
		return -1;
	}
	frame->captured = header->caplen < header->len ? header->caplen : header->len;
	frame->length = header->len;
	frame->time_ns = (uint64_t)header->ts.tv_sec * 1000000000u + (uint64_t)header->ts.tv_usec;
	return 1;
}

void capture_file_close(struct capture_file *file)
{
	pcap_close(file->pcap);
	free(file);
}
