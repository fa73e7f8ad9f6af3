/* SPDX-License-Identifier: ISC */
/* The clients of `ends`. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tap/ends_parts.h"

#define CRC_BYTES 4u
#define PATH_BYTES 256u

/* A connection of ours, which sends bytes with their sum and gets the same back. */
struct client {
	struct socket *socket;
	uint64_t to_send, received;
	uint32_t crc_out, crc_in;
	bool crc_made, ended;
	uint64_t total;
	uint32_t out_at, out_bytes;
	uint8_t out[ENDS_PIECE];
};

/* One question to a web server. */
static struct question {
	struct socket *socket;
	char text[PATH_BYTES + 64];
	uint32_t sent;
	uint64_t received;
	uint32_t crc;
	char status[16];
	int result; /* 1: answered; negative: failed */
} question;

static void client_over(struct client *client, int error)
{
	if (error) {
		ends_counts.clients_failed++;
		ends_counts.client_error = error;
	} else {
		ends_counts.clients_done++;
	}
	socket_close(client->socket);
	free(client);
}

static void make_piece(struct client *client)
{
	client->out_at = 0;
	if (client->to_send) {
		client->out_bytes =
			client->to_send < ENDS_PIECE ? (uint32_t)client->to_send : ENDS_PIECE;
		random_bytes(ends_station->random, client->out, client->out_bytes);
		client->crc_out = ends_crc(client->crc_out, client->out, client->out_bytes);
		client->to_send -= client->out_bytes;
		return;
	}
	for (unsigned int i = 0; i < CRC_BYTES; i++)
		client->out[i] = (uint8_t)(client->crc_out >> 8 * i);
	client->out_bytes = CRC_BYTES;
	client->crc_made = true;
}

/* 0, or negative: it is over. */
static int client_send(struct client *client)
{
	while (!client->ended) {
		int sent;

		if (client->out_at == client->out_bytes) {
			if (client->crc_made) {
				client->ended = true;
				socket_shutdown(client->socket);
				return 0;
			}
			make_piece(client);
		}
		sent = socket_send(client->socket, client->out + client->out_at,
				   client->out_bytes - client->out_at);
		if (sent == -EAGAIN || sent == -ENOTCONN || sent == 0)
			return 0;
		if (sent < 0)
			return sent;
		client->out_at += (uint32_t)sent;
	}
	return 0;
}

/* 1: all came back as it was sent. 0: not yet. Negative: it did not. */
static int client_receive(struct client *client)
{
	uint8_t piece[ENDS_PIECE];

	for (;;) {
		int bytes = socket_receive(client->socket, piece, sizeof(piece));
		uint64_t left = client->total - client->received;

		if (bytes == -EAGAIN || bytes == -ENOTCONN)
			return 0;
		if (bytes < 0)
			return bytes;
		if (bytes == 0)
			return client->received == client->total + CRC_BYTES &&
					       client->crc_in == client->crc_out
				       ? 1
				       : -EBADMSG;
		if (client->received < client->total)
			client->crc_in = ends_crc(client->crc_in, piece,
						  (uint64_t)bytes < left ? (size_t)bytes : left);
		client->received += (uint64_t)bytes;
		ends_counts.clients_bytes += (uint64_t)bytes;
	}
}

static void on_client(struct socket *socket, uint32_t ready, void *context)
{
	struct client *client = context;
	int result = client_send(client);

	(void)socket;
	if (result == 0)
		result = client_receive(client);
	if (result == 0 && ready & SOCKET_OVER)
		result = socket_error(client->socket) ? socket_error(client->socket) : -EPIPE;
	if (result)
		client_over(client, result > 0 ? 0 : result);
}

static int connect_one(const struct socket_address *peer, uint64_t bytes)
{
	struct client *client = calloc(1, sizeof(*client));
	int error = 0;

	if (!client)
		abort();
	client->total = client->to_send = bytes;
	client->socket =
		socket_connect(ends_station->sockets, NULL, peer, on_client, client, &error);
	if (!client->socket) {
		free(client);
		return error;
	}
	ends_counts.clients++;
	return 0;
}

/* ---- a web server ---- */

static int question_receive(void)
{
	uint8_t piece[ENDS_PIECE];
	int bytes;

	while ((bytes = socket_receive(question.socket, piece, sizeof(piece))) > 0) {
		if (question.received == 0)
			snprintf(question.status, sizeof(question.status), "%.12s", piece);
		question.received += (uint64_t)bytes;
		question.crc = ends_crc(question.crc, piece, (size_t)bytes);
	}
	return bytes == -EAGAIN || bytes == -ENOTCONN ? 0 : bytes ? bytes : 1;
}

static void on_question(struct socket *socket, uint32_t ready, void *context)
{
	uint32_t left = (uint32_t)strlen(question.text) - question.sent;
	int sent = left ? socket_send(socket, question.text + question.sent, left) : 0;

	(void)context;
	if (sent > 0)
		question.sent += (uint32_t)sent;
	question.result = question_receive();
	if (question.result == 0 && ready & SOCKET_OVER)
		question.result = socket_error(socket) ? socket_error(socket) : -EPIPE;
	if (question.result)
		socket_close(socket);
}

static int get(const struct socket_address *peer, const char *path)
{
	int error = 0;

	snprintf(question.text, sizeof(question.text), "GET %.*s HTTP/1.0\r\n\r\n", (int)PATH_BYTES,
		 path);
	question.socket =
		socket_connect(ends_station->sockets, NULL, peer, on_question, NULL, &error);
	return question.socket ? 0 : error;
}

void ends_ask_print(void (*line)(void *context, const char *text), void *context)
{
	char text[128];

	if (!question.socket)
		return;
	snprintf(text, sizeof(text), "get %d %" PRIu64 " %08" PRIx32 " %s", question.result,
		 question.received, question.crc, question.status);
	line(context, text);
}

int ends_ask(const char *word)
{
	struct socket_address peer = { .port = 0 };
	char address[64];
	uint32_t count;
	uint64_t bytes;
	char path[PATH_BYTES];

	if (sscanf(word, "get=%63[^,],%255s", address, path) == 2 &&
	    ends_address_read(address, &peer))
		return get(&peer, path);
	if (sscanf(word, "connect=%63[^,],%" SCNu32 ",%" SCNu64, address, &count, &bytes) != 3 ||
	    !ends_address_read(address, &peer))
		return -EINVAL;
	while (count--) {
		int error = connect_one(&peer, bytes);

		if (error)
			return error;
	}
	return 0;
}
