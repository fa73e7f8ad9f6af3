/* SPDX-License-Identifier: ISC */
/* See control.h. */
#include "control.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void control_open(struct control *control, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	for (int i = 0; i < CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->listener < 0 ||
	    bind(control->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(control->listener, CONTROL_CLIENTS)) {
		perror(path);
		exit(2);
	}
}

void control_fill(const struct control *control, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = control->listener, .events = POLLIN };
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		const struct control_client *client = &control->clients[i];

		fds[1 + i] =
			(struct pollfd){ .fd = client->ended ? -1 : client->fd, .events = POLLIN };
	}
}

static void accept_one(struct control *control)
{
	int fd = accept(control->listener, NULL, NULL);

	for (int i = 0; i < CONTROL_CLIENTS && fd >= 0; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0)
			continue;
		*client = (struct control_client){ .fd = fd };
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void read_lines(struct control_client *client,
		       void (*command)(struct control_client *client, char *line))
{
	ssize_t got = read(client->fd, client->line + client->used,
			   sizeof(client->line) - 1 - client->used);
	char *end;

	if (got <= 0) {
		client->ended = true;
		return;
	}
	client->used += (size_t)got;
	client->line[client->used] = '\0';
	while ((end = memchr(client->line, '\n', client->used))) {
		size_t length = (size_t)(end - client->line) + 1;
		char line[CONTROL_LINE_BYTES];

		memcpy(line, client->line, length);
		line[length - 1] = '\0';
		client->used -= length;
		memmove(client->line, client->line + length, client->used);
		command(client, line);
	}
	if (client->used == sizeof(client->line) - 1) {
		control_answer(client, "error: a line too long");
		client->used = 0;
	}
}

void control_serve(struct control *control, const struct pollfd *fds,
		   void (*command)(struct control_client *client, char *line))
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0 && fds[1 + i].fd == control->clients[i].fd &&
		    fds[1 + i].revents)
			read_lines(&control->clients[i], command);
	if (fds[0].revents)
		accept_one(control);
}

void control_sweep(struct control *control)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd < 0 || !client->ended || client->waiting)
			continue;
		close(client->fd);
		client->fd = -1;
	}
}

void control_answer(struct control_client *client, const char *format, ...)
{
	char text[CONTROL_LINE_BYTES];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text) - 1, format, arguments);
	va_end(arguments);
	if (length >= (int)sizeof(text) - 1)
		length = (int)sizeof(text) - 2;
	text[length] = '\n';
	/* Whoever asked and left does not want the answer. */
	if (send(client->fd, text, (size_t)length + 1, MSG_NOSIGNAL) < 0)
		client->ended = true;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void say(const char *format, ...)
{
	uint64_t now = now_ms();
	va_list arguments;

	printf("[%5u.%03u] ", (unsigned)(now / 1000), (unsigned)(now % 1000));
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

char *take_word(char **line)
{
	char *word = *line + strspn(*line, " ");
	size_t length = strcspn(word, " ");

	if (!length)
		return NULL;
	*line = word + length;
	if (**line)
		*(*line)++ = '\0';
	return word;
}

size_t unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		if (from[0] == '\\' && from[1] == '\\') {
			*to++ = '\\';
			from += 2;
		} else if (from[0] == '\\' && from[1] == 'x' && isxdigit((unsigned char)from[2]) &&
			   isxdigit((unsigned char)from[3])) {
			char digits[3] = { from[2], from[3], '\0' };

			*to++ = (char)strtoul(digits, NULL, 16);
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

const char *printable(const char *data, size_t size)
{
	static char text[512];
	size_t used = 0;

	for (size_t i = 0; i < size && i < 120; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= ' ' && c < 0x7f)
			text[used++] = (char)c;
		else
			used += (size_t)snprintf(text + used, 5, "\\x%02x", c);
	}
	text[used] = '\0';
	return text;
}

size_t from_hex(const char *text, void *to, size_t size)
{
	uint8_t *at = to;
	size_t count = 0;

	for (; count < size && isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]);
	     text += 2) {
		char digits[3] = { text[0], text[1], '\0' };

		at[count++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return count;
}
