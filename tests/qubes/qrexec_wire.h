/* SPDX-License-Identifier: ISC */
/* The messages of qrexec, as dom0's programs here need them. */
#pragma once

#include <stdint.h>
#include <string.h>

enum {
	MSG_DATA_STDIN = 0x190,
	MSG_DATA_STDOUT = 0x191,
	MSG_DATA_STDERR = 0x192,
	MSG_DATA_EXIT_CODE = 0x193,
	MSG_EXEC_CMDLINE = 0x200,
	MSG_JUST_EXEC = 0x201,
	MSG_SERVICE_CONNECT = 0x202,
	MSG_SERVICE_REFUSED = 0x203,
	MSG_TRIGGER_SERVICE = 0x210,
	MSG_CONNECTION_TERMINATED = 0x211,
	MSG_TRIGGER_SERVICE3 = 0x212,
	MSG_TRIGGER_SERVICE4 = 0x213,
	MSG_HELLO = 0x300,
};

#define VERSION_MIN 2
#define VERSION_MAX 4
#define CONTROL_PORT 512
#define RING_BYTES_CONTROL 4096
#define RING_BYTES_DATA 65536
#define CHUNK_V2 4096
#define CHUNK_V3 65536
#define IDENT_BYTES 32
#define NAME_BYTES 64

struct message_header {
	uint32_t type;
	uint32_t length;
};

struct hello {
	struct message_header header;
	uint32_t version;
};

struct exec_params {
	uint32_t domain;
	uint32_t port;
};
