/* SPDX-License-Identifier: ISC */
/*
 * How the bench steers a program in dom0: lines over a Unix socket, answers in lines. A
 * connection ends when its sender has ended and no command of it waits for anything. And
 * the log: lines with the time on standard output.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_CLIENTS 16
#define CONTROL_LINE_BYTES 16384

struct control_client {
	int fd; /* -1: unused */
	bool ended;
	int waiting; /* commands that are not answered in full */
	size_t used;
	char line[CONTROL_LINE_BYTES];
};

struct control {
	int listener;
	struct control_client clients[CONTROL_CLIENTS];
};

/* Ends the program when the socket cannot be made. */
void control_open(struct control *control, const char *path);
/* For poll(): 1 + CONTROL_CLIENTS entries. */
void control_fill(const struct control *control, struct pollfd *fds);
/* After poll(): calls `command` for every whole line. */
void control_serve(struct control *control, const struct pollfd *fds,
		   void (*command)(struct control_client *client, char *line));
/* Closes those that are through. */
void control_sweep(struct control *control);

void control_answer(struct control_client *client, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes the first word off a line: NULL when there is none. The rest may be "". */
char *take_word(char **line);
/* Replaces \xHH and \\ in place; the new length. */
size_t unescape(char *text);
/* For the log: other than printable ASCII as \xHH, at most 120 characters. */
const char *printable(const char *data, size_t size);
/* Bytes from hexadecimal digits; their count, at most `size`. */
size_t from_hex(const char *text, void *to, size_t size);

uint64_t now_ms(void);
