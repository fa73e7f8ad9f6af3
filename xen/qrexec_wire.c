/* SPDX-License-Identifier: ISC */
#include "xen/qrexec_wire.h"

#include <errno.h>
#include <string.h>

#include <xen/xen.h>

#define SERVICE_KEYWORD "QUBESRPC "
#define NOGUI_KEYWORD "nogui:"
#define V2_TARGET_BYTES 32u
#define V2_CHUNK_BYTES 4096u
#define V3_CHUNK_BYTES 65536u

static uint32_t le32_get(const uint8_t *from)
{
	return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void le32_put(uint8_t *to, uint32_t value)
{
	for (uint32_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

/* ---- reading ---- */

struct qrexec_header qrexec_wire_header(const uint8_t bytes[QREXEC_HEADER_BYTES])
{
	return (struct qrexec_header){ .type = le32_get(bytes), .length = le32_get(bytes + 4) };
}

int qrexec_wire_version(uint32_t peer)
{
	if (peer < QREXEC_VERSION_MIN)
		return -EPROTO;
	return (int)(peer < QREXEC_VERSION_MAX ? peer : QREXEC_VERSION_MAX);
}

int qrexec_wire_parse_hello(const struct qrexec_header *header, const uint8_t *body)
{
	if (header->type != QREXEC_HELLO ||
	    header->length != QREXEC_HELLO_BYTES - QREXEC_HEADER_BYTES)
		return -EPROTO;
	return qrexec_wire_version(le32_get(body));
}

uint32_t qrexec_wire_chunk_bytes(uint32_t version)
{
	return version < 3 ? V2_CHUNK_BYTES : V3_CHUNK_BYTES;
}

int qrexec_wire_check_data(const struct qrexec_header *header, uint32_t version)
{
	switch (header->type) {
	case QREXEC_STDIN:
	case QREXEC_STDOUT:
	case QREXEC_STDERR:
		return header->length <= qrexec_wire_chunk_bytes(version) ? 0 : -EPROTO;
	case QREXEC_EXIT_CODE:
		return header->length == QREXEC_EXIT_BYTES - QREXEC_HEADER_BYTES ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

int qrexec_wire_exit_code(const uint8_t *body)
{
	return (int)(le32_get(body) & 0xff);
}

int qrexec_wire_parse_params(const uint8_t *body, size_t bytes, struct qrexec_params *params)
{
	if (bytes < QREXEC_PARAMS_BYTES)
		return -EPROTO;
	params->domain = le32_get(body);
	params->port = le32_get(body + 4);
	return 0;
}

int qrexec_wire_check_params(const struct qrexec_params *params)
{
	if (params->domain >= DOMID_FIRST_RESERVED)
		return -EPROTO;
	if (params->port < QREXEC_PORT_FIRST || params->port > QREXEC_PORT_LAST)
		return -EPROTO;
	return 0;
}

int qrexec_wire_parse_refused(const uint8_t *body, size_t bytes, struct qrexec_ident *ident)
{
	if (bytes != QREXEC_IDENT_BYTES || body[QREXEC_IDENT_BYTES - 1] != 0)
		return -EPROTO;
	memset(ident, 0, sizeof(*ident));
	memcpy(ident->text, body, strlen((const char *)body));
	return 0;
}

int qrexec_wire_parse_connect(const uint8_t *body, size_t bytes, struct qrexec_params *params,
			      struct qrexec_ident *ident)
{
	if (qrexec_wire_parse_params(body, bytes, params))
		return -EPROTO;
	return qrexec_wire_parse_refused(body + QREXEC_PARAMS_BYTES, bytes - QREXEC_PARAMS_BYTES,
					 ident);
}

/* ---- command lines ---- */

static bool is_printable(char letter)
{
	return letter >= ' ' && letter <= '~';
}

/* Copies the letters up to one of `ends` or the line's end; the first letter not copied. */
static const char *word_take(const char *line, const char *ends, char *to, size_t size, int *error)
{
	size_t used = 0;

	for (; *line && !strchr(ends, *line); line++) {
		if (!is_printable(*line))
			*error = -EINVAL;
		else if (used + 1 < size)
			to[used++] = *line;
		else
			*error = -ENAMETOOLONG;
	}
	to[used] = '\0';
	return line;
}

static int service_parse(const char *line, struct qrexec_command *command)
{
	int error = 0;

	line = word_take(line, "+ ", command->service, sizeof(command->service), &error);
	if (*line == '+')
		line = word_take(line + 1, " ", command->argument, sizeof(command->argument),
				 &error);
	if (*line == ' ')
		word_take(line + 1, " ", command->source, sizeof(command->source), &error);
	if (!command->service[0])
		return -EINVAL;
	return error;
}

int qrexec_wire_parse_command(const char *line, size_t bytes, struct qrexec_command *command)
{
	memset(command, 0, sizeof(*command));
	if (!bytes || memchr(line, '\0', bytes) != line + bytes - 1)
		return -EINVAL;
	line = strchr(line, ':');
	if (!line)
		return -EINVAL;
	line++;
	if (strncmp(line, NOGUI_KEYWORD, strlen(NOGUI_KEYWORD)) == 0)
		line += strlen(NOGUI_KEYWORD);
	if (strncmp(line, SERVICE_KEYWORD, strlen(SERVICE_KEYWORD)) != 0)
		return 0;
	command->is_service = true;
	return service_parse(line + strlen(SERVICE_KEYWORD), command);
}

/* ---- writing ---- */

size_t qrexec_wire_put_header(uint8_t *to, uint32_t type, uint32_t length)
{
	le32_put(to, type);
	le32_put(to + 4, length);
	return QREXEC_HEADER_BYTES;
}

size_t qrexec_wire_put_hello(uint8_t *to)
{
	qrexec_wire_put_header(to, QREXEC_HELLO, QREXEC_HELLO_BYTES - QREXEC_HEADER_BYTES);
	le32_put(to + QREXEC_HEADER_BYTES, QREXEC_VERSION_MAX);
	return QREXEC_HELLO_BYTES;
}

size_t qrexec_wire_put_terminated(uint8_t *to, const struct qrexec_params *params)
{
	qrexec_wire_put_header(to, QREXEC_CONNECTION_TERMINATED, QREXEC_PARAMS_BYTES);
	le32_put(to + QREXEC_HEADER_BYTES, params->domain);
	le32_put(to + QREXEC_HEADER_BYTES + 4, params->port);
	return QREXEC_TERMINATED_BYTES;
}

size_t qrexec_wire_put_exit_code(uint8_t *to, int code)
{
	qrexec_wire_put_header(to, QREXEC_EXIT_CODE, QREXEC_EXIT_BYTES - QREXEC_HEADER_BYTES);
	le32_put(to + QREXEC_HEADER_BYTES, (uint32_t)code);
	return QREXEC_EXIT_BYTES;
}

static bool is_name_letter(char letter, const char *more)
{
	if ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))
		return true;
	return (letter >= '0' && letter <= '9') || strchr("_-.", letter) || strchr(more, letter);
}

/* Its length, 1 .. size - 1; 0: no name that dom0 would take as it is. */
static size_t name_length(const char *name, const char *more, size_t size)
{
	size_t length = 0;

	for (; name[length]; length++)
		if (length + 1 >= size || !is_name_letter(name[length], more))
			return 0;
	return length;
}

static size_t put_trigger2(uint8_t *to, const char *service, const char *target,
			   const struct qrexec_ident *ident)
{
	size_t body = QREXEC_NAME_BYTES + V2_TARGET_BYTES + QREXEC_IDENT_BYTES;
	size_t target_length = name_length(target, "@:", V2_TARGET_BYTES);
	size_t length = name_length(service, "+", QREXEC_NAME_BYTES);

	if (!target_length || !length)
		return 0;
	to += qrexec_wire_put_header(to, QREXEC_TRIGGER_SERVICE, (uint32_t)body);
	memset(to, 0, body);
	memcpy(to, service, length);
	memcpy(to + QREXEC_NAME_BYTES, target, target_length);
	memcpy(to + QREXEC_NAME_BYTES + V2_TARGET_BYTES, ident->text, QREXEC_IDENT_BYTES);
	return QREXEC_HEADER_BYTES + body;
}

static size_t put_trigger3(uint8_t *to, const char *service, const char *target,
			   const struct qrexec_ident *ident)
{
	size_t target_length = name_length(target, "@:", QREXEC_NAME_BYTES);
	size_t length = name_length(service, "+", QREXEC_SERVICE_BYTES);
	size_t body = QREXEC_NAME_BYTES + QREXEC_IDENT_BYTES + length + 1;

	if (!target_length || !length)
		return 0;
	to += qrexec_wire_put_header(to, QREXEC_TRIGGER_SERVICE3, (uint32_t)body);
	memset(to, 0, QREXEC_NAME_BYTES);
	memcpy(to, target, target_length);
	memcpy(to + QREXEC_NAME_BYTES, ident->text, QREXEC_IDENT_BYTES);
	memcpy(to + QREXEC_NAME_BYTES + QREXEC_IDENT_BYTES, service, length + 1);
	return QREXEC_HEADER_BYTES + body;
}

size_t qrexec_wire_put_trigger(uint8_t *to, uint32_t version, const char *service,
			       const char *target, const struct qrexec_ident *ident)
{
	return version < 3 ? put_trigger2(to, service, target, ident)
			   : put_trigger3(to, service, target, ident);
}

/* ---- the control channel's stream ---- */

void qrexec_receiver_init(struct qrexec_receiver *receiver)
{
	receiver->received = 0;
}

size_t qrexec_receiver_kept(const struct qrexec_receiver *receiver)
{
	uint32_t length = receiver->header.length;

	return length < sizeof(receiver->body) ? length : sizeof(receiver->body);
}

size_t qrexec_receiver_room(struct qrexec_receiver *receiver, uint8_t **to)
{
	size_t kept = qrexec_receiver_kept(receiver);
	size_t have, left;

	if (receiver->received < QREXEC_HEADER_BYTES) {
		*to = receiver->head + receiver->received;
		return QREXEC_HEADER_BYTES - receiver->received;
	}
	have = receiver->received - QREXEC_HEADER_BYTES;
	if (have < kept) {
		*to = receiver->body + have;
		return kept - have;
	}
	*to = receiver->skipped;
	left = receiver->header.length - have;
	return left < sizeof(receiver->skipped) ? left : sizeof(receiver->skipped);
}

int qrexec_receiver_add(struct qrexec_receiver *receiver, size_t bytes)
{
	bool had_header = receiver->received >= QREXEC_HEADER_BYTES;

	receiver->received += (uint32_t)bytes;
	if (receiver->received < QREXEC_HEADER_BYTES)
		return 0;
	if (!had_header) {
		receiver->header = qrexec_wire_header(receiver->head);
		if (receiver->header.length > QREXEC_MESSAGE_BYTES)
			return -EPROTO;
	}
	return receiver->received - QREXEC_HEADER_BYTES == receiver->header.length;
}
