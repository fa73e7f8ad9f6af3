/* SPDX-License-Identifier: ISC */
/*
 * dom0's qrexec daemon for one domain, with the programs that make its calls: qrexec-daemon
 * DOMID SOCKET FOLDER. As strict as the real one: where that exits, this one logs "EXIT: why"
 * and ends with status 1; what is wrong without being fatal there is logged with "WRONG:".
 * What the calls put out is written into the folder.
 *
 * Lines on the socket (README.md): call, just, command, policy, offer, status, await, raw,
 * header, corrupt, vanish, quit.
 */
#define _GNU_SOURCE /* pipe2, close_range */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.h"
#include "dom0_vchan.h"
#include "qrexec_call.h"
#include "qrexec_wire.h"

#define PORT_FIRST 513
#define PORTS 256
#define CALLS 64
#define POLICIES 16
#define BODY_BYTES 2048
#define AWAIT_MS 15000

struct call {
	pid_t pid; /* 0: unused */
	int fd;	   /* its result */
	int port;
	size_t used;
	char result[512];
	struct control_client *client; /* who wants to know; NULL: nobody */
};

struct policy {
	char service[128];
	bool accept;
	int exit_code;
	char text[256];
	char mode[32];
};

static struct {
	int domid;
	const char *folder;
	struct dom0_vchan vchan;
	struct control control;
	uint32_t version; /* agreed on; 0: no hello yet */
	uint32_t offer;
	uint64_t connect_at;
	bool bad; /* we have sent nonsense */
	struct message_header header;
	bool have_header;
	bool port_used[PORTS];
	struct call calls[CALLS];
	struct policy policies[POLICIES];
	size_t policy_count;
	unsigned terminated, triggered, made;
	/* Who waits for the agent, and until when. */
	struct control_client *awaiting;
	uint64_t await_end;
} d;

static void fail(const char *why, unsigned number)
{
	say("EXIT: %s (0x%x)", why, number);
	dom0_vchan_close(&d.vchan);
	exit(1);
}

/* Control messages are small, and the agent always reads: what does not fit at once waits. */
static void send_control(const void *data, size_t size)
{
	const char *at = data;
	uint64_t end = now_ms() + 5000;

	while (size && now_ms() < end) {
		int put = dom0_vchan_put(&d.vchan, at, size);

		if (put < 0)
			return;
		at += put;
		size -= (size_t)put;
		if (size)
			usleep(1000);
	}
	if (size)
		say("WRONG: the agent does not read");
}

static void send_message(uint32_t type, const void *body, uint32_t length)
{
	struct message_header header = { type, length };

	send_control(&header, sizeof(header));
	send_control(body, length);
}

/* ---- calls ---- */

static int take_port(void)
{
	for (int i = 0; i < PORTS; i++)
		if (!d.port_used[i]) {
			d.port_used[i] = true;
			return PORT_FIRST + i;
		}
	return -1;
}

/* Forks: the child has call->name and all that it needs; its result comes over a pipe. */
static struct call *fork_call(struct control_client *client, const struct qrexec_call *what,
			      void (*work)(const struct qrexec_call *))
{
	struct call *call = NULL;
	int ends[2];

	for (int i = 0; i < CALLS && !call; i++)
		if (!d.calls[i].pid)
			call = &d.calls[i];
	if (!call || pipe2(ends, O_CLOEXEC))
		return NULL;
	*call = (struct call){ .fd = ends[0], .port = what->port, .client = client };
	call->pid = fork();
	if (!call->pid) {
		/* Nothing of ours: an open /dev/xen/gntdev would hide the daemon's end from the
		 * domain. */
		dup2(ends[1], 1);
		close_range(3, ~0u, 0);
		work(what);
	}
	close(ends[1]);
	if (client)
		client->waiting++;
	return call;
}

static void reap(struct call *call)
{
	ssize_t got =
		read(call->fd, call->result + call->used, sizeof(call->result) - 1 - call->used);

	if (got > 0) {
		call->used += (size_t)got;
		return;
	}
	call->result[call->used ? call->used - 1 : 0] = '\0';
	if (!call->used)
		snprintf(call->result, sizeof(call->result), "port %d without a result",
			 call->port);
	say("call: %s", call->result);
	if (call->client) {
		control_answer(call->client, "%s", call->result);
		call->client->waiting--;
	}
	close(call->fd);
	waitpid(call->pid, NULL, 0);
	call->pid = 0;
}

/* With its NUL; what is too long is cut. */
static int copy_text(char *to, size_t size, char *line)
{
	size_t length = unescape(line) + 1;

	if (length > size)
		length = size;
	memcpy(to, line, length);
	return (int)length;
}

/* call NAME SERVICE [in=FILE] [mode=MODE] [source=NAME] [version=N] [limit=MS] */
static void make_call(struct control_client *client, char *line, uint32_t type, bool verbatim)
{
	struct qrexec_call call = { .domain = d.domid,
				    .version = d.offer,
				    .folder = d.folder,
				    .just = type == MSG_JUST_EXEC,
				    .text = "",
				    .limit_ms = 20000 };
	const char *source = "dom0", *service;
	char body[BODY_BYTES], *word;
	struct exec_params params;
	int length;

	call.name = take_word(&line);
	service = verbatim ? line : take_word(&line);
	while (!verbatim && (word = take_word(&line))) {
		if (!strncmp(word, "in=", 3))
			call.input = word + 3;
		else if (!strncmp(word, "mode=", 5))
			call.mode = word + 5;
		else if (!strncmp(word, "source=", 7))
			source = word + 7;
		else if (!strncmp(word, "version=", 8))
			call.version = (uint32_t)atoi(word + 8);
		else if (!strncmp(word, "limit=", 6))
			call.limit_ms = (unsigned)atoi(word + 6);
	}
	call.port = d.version && service ? take_port() : -1;
	if (call.port < 0) {
		control_answer(client, "%s cannot: no agent, or no port", call.name);
		return;
	}
	params = (struct exec_params){ 0, (uint32_t)call.port };
	memcpy(body, &params, sizeof(params));
	if (verbatim)
		length = copy_text(body + sizeof(params), sizeof(body) - sizeof(params), line);
	else
		length = 1 + snprintf(body + sizeof(params), sizeof(body) - sizeof(params),
				      "user:QUBESRPC %s %s", service, source);
	d.made++;
	if (!fork_call(client, &call, qrexec_call_run)) {
		control_answer(client, "%s cannot: too many", call.name);
		return;
	}
	send_message(type, body, (uint32_t)(sizeof(params) + (size_t)length));
}

/* ---- what the agent says ---- */

static bool good_ident(const char *ident)
{
	size_t length = strnlen(ident, IDENT_BYTES);

	for (size_t i = 0; i < length; i++)
		if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_. -",
			    ident[i]))
			return false;
	for (size_t i = length; i < IDENT_BYTES; i++)
		if (ident[i])
			return false;
	return length < IDENT_BYTES;
}

static bool good_name(const char *name, size_t size)
{
	size_t length = strnlen(name, size);

	if (length == size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.@:+-",
			    name[i]))
			return false;
	return true;
}

static void accept_trigger(const struct policy *policy, const char *ident)
{
	struct {
		struct exec_params params;
		char ident[IDENT_BYTES];
	} body = { .params = { 0, 0 } };
	struct qrexec_call call = { .name = ident,
				    .domain = d.domid,
				    .version = d.offer,
				    .folder = d.folder,
				    .mode = policy->mode[0] ? policy->mode : NULL,
				    .limit_ms = 20000,
				    .exit_code = policy->exit_code,
				    .text = policy->text };

	call.port = take_port();
	body.params.port = (uint32_t)call.port;
	memcpy(body.ident, ident, IDENT_BYTES);
	send_message(MSG_SERVICE_CONNECT, &body, sizeof(body));
	fork_call(NULL, &call, qrexec_call_serve);
}

static void take_trigger(uint32_t type, const char *service, const char *target, const char *ident)
{
	const struct policy *policy = NULL;

	if (!good_ident(ident))
		fail("an ident that is none", type);
	if (!good_name(target, NAME_BYTES))
		fail("a target that is none", type);
	d.triggered++;
	say("trigger %x service %s target %s ident %s", type, service, target, ident);
	for (size_t i = 0; i < d.policy_count; i++)
		if (!strncmp(service, d.policies[i].service, strlen(d.policies[i].service)))
			policy = &d.policies[i];
	if (policy && !strcmp(policy->mode, "silent"))
		return;
	if (policy && policy->accept)
		accept_trigger(policy, ident);
	else
		send_message(MSG_SERVICE_REFUSED, ident, IDENT_BYTES);
}

/* A service at the end of a message of `length` bytes: one NUL, at its very end. */
static const char *last_text(const char *body, uint32_t at, uint32_t length, uint32_t type)
{
	if (length < at + 2 || memchr(body + at, '\0', length - at) != body + length - 1)
		fail("a service name that does not end where the message does", length);
	if (!good_name(body + at, length - at))
		fail("a service name that is none", type);
	return body + at;
}

static void take_terminated(const char *body)
{
	struct exec_params params;

	memcpy(&params, body, sizeof(params));
	d.terminated++;
	if (params.port < PORT_FIRST || params.port >= PORT_FIRST + PORTS ||
	    !d.port_used[params.port - PORT_FIRST])
		say("WRONG: terminated: port %u of domain %u, which is not in use", params.port,
		    params.domain);
	else if (params.domain)
		say("WRONG: terminated: port %u of domain %u", params.port, params.domain);
	else
		d.port_used[params.port - PORT_FIRST] = false;
}

static void take_message(uint32_t type, const char *body, uint32_t length)
{
	switch (type) {
	case MSG_CONNECTION_TERMINATED:
		if (length != sizeof(struct exec_params))
			fail("CONNECTION_TERMINATED of a wrong length", length);
		take_terminated(body);
		break;
	case MSG_TRIGGER_SERVICE:
		if (d.version >= 3)
			fail("TRIGGER_SERVICE with a newer version", d.version);
		if (length != NAME_BYTES + 32 + IDENT_BYTES)
			fail("TRIGGER_SERVICE of a wrong length", length);
		if (!good_name(body, NAME_BYTES) || strnlen(body + NAME_BYTES, 32) == 32)
			fail("TRIGGER_SERVICE with names that are none", type);
		take_trigger(type, body, body + NAME_BYTES, body + NAME_BYTES + 32);
		break;
	case MSG_TRIGGER_SERVICE3:
		if (d.version < 3)
			fail("TRIGGER_SERVICE3 with an older version", d.version);
		take_trigger(type, last_text(body, 96, length, type), body, body + 64);
		break;
	case MSG_TRIGGER_SERVICE4:
		if (d.version < 4)
			fail("TRIGGER_SERVICE4 with an older version", d.version);
		take_trigger(type, last_text(body, 160, length, type), body + 64, body + 128);
		break;
	default:
		fail("an unknown message", type);
	}
}

static bool take_one(void)
{
	char body[BODY_BYTES];

	if (!d.have_header && !dom0_vchan_get(&d.vchan, &d.header, sizeof(d.header)))
		return false;
	d.have_header = true;
	if (!d.version && (d.header.type != MSG_HELLO || d.header.length != 4))
		fail("no hello at first", d.header.type);
	if (d.version && d.header.type == MSG_HELLO)
		fail("a second hello", d.header.type);
	if (d.header.length > sizeof(body))
		fail("a message too long", d.header.length);
	if (d.header.length && !dom0_vchan_get(&d.vchan, body, d.header.length))
		return false;
	d.have_header = false;
	if (d.header.type == MSG_HELLO) {
		struct hello hello = { { MSG_HELLO, 4 }, 0 };

		memcpy(&hello.version, body, 4);
		if (hello.version < VERSION_MIN)
			fail("too old an agent", hello.version);
		d.version = hello.version < d.offer ? hello.version : d.offer;
		say("agent says version %u; agreed on %u", hello.version, d.version);
		if (d.offer == VERSION_MAX) /* it echoes what the agent said */
			send_control(&hello, sizeof(hello));
		else
			send_control(&(struct hello){ { MSG_HELLO, 4 }, d.offer }, sizeof(hello));
		say("connected");
		return true;
	}
	take_message(d.header.type, body, d.header.length);
	return true;
}

static void forget_connection(void)
{
	dom0_vchan_close(&d.vchan);
	d.version = 0;
	d.have_header = d.bad = false;
	memset(d.port_used, 0, sizeof(d.port_used));
}

static void keep_connection(void)
{
	if (!d.vchan.chan) {
		if (now_ms() < d.connect_at ||
		    !dom0_vchan_try_connect(&d.vchan, d.domid, CONTROL_PORT))
			return;
		say("found the agent");
	}
	while (dom0_vchan_ready(&d.vchan) && take_one())
		;
	if (dom0_vchan_state(&d.vchan) == 0) {
		say("the agent has gone");
		forget_connection();
	}
}

/* ---- commands ---- */

/* policy SERVICE accept CODE [mode=MODE] TEXT; policy SERVICE refuse; ... silent */
static void set_policy(char *line)
{
	struct policy *policy = &d.policies[d.policy_count % POLICIES];
	const char *service = take_word(&line), *verdict = take_word(&line), *code;

	if (!service || !verdict)
		return;
	*policy = (struct policy){ .accept = !strcmp(verdict, "accept") };
	snprintf(policy->service, sizeof(policy->service), "%s", service);
	if (!strcmp(verdict, "silent"))
		snprintf(policy->mode, sizeof(policy->mode), "silent");
	code = take_word(&line);
	policy->exit_code = code ? atoi(code) : 0;
	if (!strncmp(line, "mode=", 5))
		snprintf(policy->mode, sizeof(policy->mode), "%s", take_word(&line) + 5);
	snprintf(policy->text, sizeof(policy->text), "%s", line);
	if (d.policy_count < POLICIES)
		d.policy_count++;
}

static void status(struct control_client *client)
{
	unsigned ports = 0, calls = 0;

	for (int i = 0; i < PORTS; i++)
		ports += d.port_used[i];
	for (int i = 0; i < CALLS; i++)
		calls += d.calls[i].pid != 0;
	control_answer(client, "version %u ports %u calls %u made %u terminated %u triggered %u",
		       d.version, ports, calls, d.made, d.terminated, d.triggered);
}

static void end_await(void)
{
	if (!d.awaiting || (!d.version && now_ms() < d.await_end))
		return;
	control_answer(d.awaiting, d.version ? "agent" : "no agent");
	d.awaiting->waiting--;
	d.awaiting = NULL;
}

static void attack(struct control_client *client, const char *word, char *line)
{
	char data[BODY_BYTES];
	size_t size;

	if (!strcmp(word, "raw")) {
		size = from_hex(line, data, sizeof(data));
		send_control(data, size);
	} else if (!strcmp(word, "header")) { /* TYPE LENGTH TEXT: with that length declared */
		const char *type = take_word(&line), *length = take_word(&line);
		struct message_header header;

		if (!type || !length)
			return;
		header.type = (uint32_t)strtoul(type, NULL, 0);
		header.length = (uint32_t)strtoul(length, NULL, 0);
		size = unescape(line);
		send_control(&header, sizeof(header));
		send_control(line, size);
	} else if (strcmp(word, "corrupt") || !dom0_vchan_corrupt(&d.vchan, line)) {
		control_answer(client, "error: %s", word);
		return;
	}
	d.bad = true;
	say("bad: %s", word);
}

static void command(struct control_client *client, char *line)
{
	char *word = take_word(&line);

	if (!word)
		return;
	if (!strcmp(word, "call")) {
		make_call(client, line, MSG_EXEC_CMDLINE, false);
	} else if (!strcmp(word, "just")) {
		make_call(client, line, MSG_JUST_EXEC, false);
	} else if (!strcmp(word, "command")) { /* NAME CMDLINE: as it is */
		make_call(client, line, MSG_EXEC_CMDLINE, true);
	} else if (!strcmp(word, "policy")) {
		set_policy(line);
	} else if (!strcmp(word, "offer")) { /* with the next connection */
		d.offer = (uint32_t)atoi(line);
	} else if (!strcmp(word, "status")) {
		status(client);
	} else if (!strcmp(word, "await") && !d.awaiting) {
		d.awaiting = client;
		d.await_end = now_ms() + AWAIT_MS;
		client->waiting++;
	} else if (!strcmp(word, "vanish")) { /* MS: and come again after them */
		say("vanish");
		forget_connection();
		d.connect_at = now_ms() + strtoul(line, NULL, 10);
	} else if (!strcmp(word, "quit")) {
		dom0_vchan_close(&d.vchan);
		say("quit");
		exit(0);
	} else {
		attack(client, word, line);
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: qrexec-daemon DOMID SOCKET FOLDER\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	d.domid = atoi(argv[1]);
	d.folder = argv[3];
	d.offer = VERSION_MAX;
	set_policy((char[]){ "qubes.FeaturesRequest accept 0" }); /* it may be asked for at once */
	control_open(&d.control, argv[2]);
	for (;;) {
		struct pollfd fds[2 + CONTROL_CLIENTS + CALLS];
		struct pollfd *calls = fds + 2 + CONTROL_CLIENTS;

		keep_connection();
		end_await();
		control_sweep(&d.control);
		control_fill(&d.control, fds);
		fds[1 + CONTROL_CLIENTS] =
			(struct pollfd){ .fd = dom0_vchan_fd(&d.vchan), .events = POLLIN };
		for (int i = 0; i < CALLS; i++)
			calls[i] = (struct pollfd){ .fd = d.calls[i].pid ? d.calls[i].fd : -1,
						    .events = POLLIN };
		/* An agent that is not there is looked for five times a second. */
		if (poll(fds, 2 + CONTROL_CLIENTS + CALLS, d.vchan.chan ? 200 : 50) < 0)
			continue;
		if (fds[1 + CONTROL_CLIENTS].revents)
			dom0_vchan_take_event(&d.vchan);
		for (int i = 0; i < CALLS; i++)
			if (calls[i].fd >= 0 && calls[i].revents)
				reap(&d.calls[i]);
		control_serve(&d.control, fds, command);
	}
}
