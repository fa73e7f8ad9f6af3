/* SPDX-License-Identifier: ISC */
/* qrexec's messages: framing in pieces of any size, bodies, command lines, requests. */
#include "xen/qrexec_wire.h"

#include <errno.h>
#include <string.h>

#include "tests/host/unit.h"

/* ---- command lines ---- */

static const struct {
	const char *line;
	int result;
	bool is_service;
	const char *service, *argument, *source;
} lines[] = {
	{ "user:QUBESRPC qubes.WaitForSession dom0", 0, true, "qubes.WaitForSession", "", "dom0" },
	{ "root:QUBESRPC ringwall.Log+50 work name other", 0, true, "ringwall.Log", "50", "work" },
	{ "root:nogui:QUBESRPC a.B+ x keyword adminvm", 0, true, "a.B", "", "x" },
	{ ":QUBESRPC a.B", 0, true, "a.B", "", "" },
	{ "user:QUBESRPC a.B+c+d: e", 0, true, "a.B", "c+d:", "e" },
	{ "user:QUBESRPC a.B ", 0, true, "a.B", "", "" },
	{ "user:cat /etc/passwd", 0, false, "", "", "" },
	{ "user:nogui:cat", 0, false, "", "", "" },
	{ "user:", 0, false, "", "", "" },
	{ "user:QUBESRPC", 0, false, "", "", "" },
	{ "user:nogui:nogui:QUBESRPC a b", 0, false, "", "", "" },
	{ "user:QUBESRPC ", -EINVAL, true, "", "", "" },
	{ "user:QUBESRPC  a.B dom0", -EINVAL, true, "", "", "a.B" },
	{ "user:QUBESRPC +x dom0", -EINVAL, true, "", "x", "dom0" },
	{ "user:QUBESRPC a\nB dom0", -EINVAL, true, "aB", "", "dom0" },
	{ "user:QUBESRPC a.B+\xff dom0", -EINVAL, true, "a.B", "", "dom0" },
	{ "user QUBESRPC a.B dom0", -EINVAL, false, "", "", "" },
	{ "", -EINVAL, false, "", "", "" },
};

START_TEST(a_command_line)
{
	struct qrexec_command command;

	ck_assert_int_eq(
		qrexec_wire_parse_command(lines[_i].line, strlen(lines[_i].line) + 1, &command),
		lines[_i].result);
	ck_assert_int_eq(command.is_service, lines[_i].is_service);
	ck_assert_str_eq(command.service, lines[_i].service);
	ck_assert_str_eq(command.argument, lines[_i].argument);
	ck_assert_str_eq(command.source, lines[_i].source);
}
END_TEST

START_TEST(a_command_line_ends_with_its_only_nul)
{
	static const char line[] = "user:QUBESRPC a.B dom0";
	struct qrexec_command command;
	char bytes[sizeof(line)];

	ck_assert_int_eq(qrexec_wire_parse_command(line, sizeof(line) - 1, &command), -EINVAL);
	ck_assert_int_eq(qrexec_wire_parse_command(line, 0, &command), -EINVAL);
	for (size_t i = 0; i + 1 < sizeof(line); i++) {
		memcpy(bytes, line, sizeof(line));
		bytes[i] = '\0';
		ck_assert_int_eq(qrexec_wire_parse_command(bytes, sizeof(line), &command), -EINVAL);
	}
	ck_assert_int_eq(qrexec_wire_parse_command(line, sizeof(line), &command), 0);
}
END_TEST

/* Each word may be one byte shorter than its field, and no more. */
START_TEST(words_have_their_limits)
{
	static const struct {
		const char *before, *after;
	} places[] = { { "u:QUBESRPC ", "+x dom0" },
		       { "u:QUBESRPC a+", " dom0" },
		       { "u:QUBESRPC a+x ", " name y" } };
	struct qrexec_command command;
	char line[256], word[80];

	for (int length = 62; length < 66; length++) {
		memset(word, 'w', sizeof(word));
		word[length] = '\0';
		snprintf(line, sizeof(line), "%s%s%s", places[_i].before, word, places[_i].after);
		ck_assert_int_eq(qrexec_wire_parse_command(line, strlen(line) + 1, &command),
				 length < 64 ? 0 : -ENAMETOOLONG);
	}
	ck_assert_uint_eq(strlen(_i == 0   ? command.service
				 : _i == 1 ? command.argument
					   : command.source),
			  63);
}
END_TEST

/* ---- bodies ---- */

START_TEST(versions)
{
	struct qrexec_header header = { .type = QREXEC_HELLO, .length = 4 };
	uint8_t hello[QREXEC_HELLO_BYTES];

	ck_assert_int_eq(qrexec_wire_version(0), -EPROTO);
	ck_assert_int_eq(qrexec_wire_version(1), -EPROTO);
	ck_assert_int_eq(qrexec_wire_version(2), 2);
	ck_assert_int_eq(qrexec_wire_version(3), 3);
	ck_assert_int_eq(qrexec_wire_version(4), 4);
	ck_assert_int_eq(qrexec_wire_version(5), 4);
	ck_assert_int_eq(qrexec_wire_version(UINT32_MAX), 4);
	ck_assert_uint_eq(qrexec_wire_put_hello(hello), 12);
	ck_assert_mem_eq(hello, "\0\3\0\0\4\0\0\0\4\0\0\0", 12);
	ck_assert_int_eq(qrexec_wire_parse_hello(&header, hello + 8), 4);
	header.length = 5;
	ck_assert_int_eq(qrexec_wire_parse_hello(&header, hello + 8), -EPROTO);
	header = (struct qrexec_header){ .type = 0x301, .length = 4 };
	ck_assert_int_eq(qrexec_wire_parse_hello(&header, hello + 8), -EPROTO);
}
END_TEST

static int data_check(uint32_t type, uint32_t length, uint32_t version)
{
	struct qrexec_header header = { type, length };

	return qrexec_wire_check_data(&header, version);
}

START_TEST(what_may_stand_on_a_calls_channel)
{
	for (uint32_t type = 0x190; type < 0x193; type++) {
		ck_assert_int_eq(data_check(type, 0, 2), 0);
		ck_assert_int_eq(data_check(type, 4096, 2), 0);
		ck_assert_int_eq(data_check(type, 4097, 2), -EPROTO);
		ck_assert_int_eq(data_check(type, 65536, 3), 0);
		ck_assert_int_eq(data_check(type, 65537, 4), -EPROTO);
		ck_assert_int_eq(data_check(type, UINT32_MAX, 4), -EPROTO);
	}
	ck_assert_int_eq(data_check(0x193, 4, 2), 0);
	ck_assert_int_eq(data_check(0x193, 3, 2), -EPROTO);
	ck_assert_int_eq(data_check(0x193, 8, 4), -EPROTO);
	ck_assert_int_eq(data_check(0x18f, 0, 4), -EPROTO);
	ck_assert_int_eq(data_check(0x194, 0, 4), -EPROTO);
	ck_assert_int_eq(data_check(0x300, 4, 4), -EPROTO);
}
END_TEST

static int params_check(uint32_t domain, uint32_t port)
{
	struct qrexec_params params = { domain, port };

	return qrexec_wire_check_params(&params);
}

START_TEST(the_far_end)
{
	uint8_t message[QREXEC_TERMINATED_BYTES];
	struct qrexec_params params = { 0x12, 0x205 }, again;

	ck_assert_uint_eq(qrexec_wire_put_terminated(message, &params), 16);
	ck_assert_mem_eq(message, "\x11\2\0\0\x8\0\0\0\x12\0\0\0\5\2\0\0", 16);
	ck_assert_int_eq(qrexec_wire_parse_params(message + 8, 8, &again), 0);
	ck_assert_uint_eq(again.domain, params.domain);
	ck_assert_uint_eq(again.port, params.port);
	ck_assert_int_eq(qrexec_wire_parse_params(message + 8, 7, &again), -EPROTO);
	ck_assert_int_eq(params_check(0, 513), 0);
	ck_assert_int_eq(params_check(0x7fef, 768), 0);
	ck_assert_int_eq(params_check(0, 512), -EPROTO);
	ck_assert_int_eq(params_check(0, 769), -EPROTO);
	ck_assert_int_eq(params_check(0x7ff0, 513), -EPROTO);
	ck_assert_int_eq(params_check(0x10000, 513), -EPROTO);
}
END_TEST

START_TEST(answers_to_our_requests)
{
	uint8_t body[40] = { 0, 0, 0, 0, 1, 2, 0, 0, 'a', '-', '7' };
	struct qrexec_params params;
	struct qrexec_ident ident, wanted = { "a-7" };

	ck_assert_int_eq(qrexec_wire_parse_connect(body, 40, &params, &ident), 0);
	ck_assert_uint_eq(params.port, 513);
	ck_assert_mem_eq(&ident, &wanted, sizeof(ident));
	body[20] = 'x'; /* behind the NUL: does not count */
	ck_assert_int_eq(qrexec_wire_parse_refused(body + 8, 32, &ident), 0);
	ck_assert_mem_eq(&ident, &wanted, sizeof(ident));
	ck_assert_int_eq(qrexec_wire_parse_connect(body, 39, &params, &ident), -EPROTO);
	ck_assert_int_eq(qrexec_wire_parse_connect(body, 41, &params, &ident), -EPROTO);
	ck_assert_int_eq(qrexec_wire_parse_connect(body, 4, &params, &ident), -EPROTO);
	ck_assert_int_eq(qrexec_wire_parse_refused(body + 8, 31, &ident), -EPROTO);
	memset(body + 8, 'a', 32);
	ck_assert_int_eq(qrexec_wire_parse_connect(body, 40, &params, &ident), -EPROTO);
}
END_TEST

START_TEST(exit_codes)
{
	uint8_t message[QREXEC_EXIT_BYTES];

	ck_assert_uint_eq(qrexec_wire_put_exit_code(message, 127), 12);
	ck_assert_mem_eq(message, "\x93\1\0\0\4\0\0\0\x7f\0\0\0", 12);
	ck_assert_int_eq(qrexec_wire_exit_code(message + 8), 127);
	ck_assert_int_eq(qrexec_wire_exit_code((const uint8_t *)"\xff\xff\xff\xff"), 255);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_request_of_version_2)
{
	static const struct qrexec_ident ident = { "ringwall-1" };
	uint8_t message[QREXEC_TRIGGER_BYTES], wanted[136] = { 0x10, 2, 0, 0, 128 };

	memcpy(wanted + 8, "qubes.FeaturesRequest", 21);
	memcpy(wanted + 72, "dom0", 4);
	memcpy(wanted + 104, "ringwall-1", 10);
	memset(message, 0xaa, sizeof(message));
	ck_assert_uint_eq(
		qrexec_wire_put_trigger(message, 2, "qubes.FeaturesRequest", "dom0", &ident), 136);
	ck_assert_mem_eq(message, wanted, 136);
}
END_TEST

START_TEST(a_request_of_later_versions)
{
	static const struct qrexec_ident ident = { "ringwall-1" };
	uint8_t message[QREXEC_TRIGGER_BYTES], wanted[112] = { 0x12, 2, 0, 0, 104 };

	memcpy(wanted + 8, "@default", 8);
	memcpy(wanted + 72, "ringwall-1", 10);
	memcpy(wanted + 104, "a.Bcd+e", 8);
	for (uint32_t version = 3; version <= 4; version++) {
		memset(message, 0xaa, sizeof(message));
		ck_assert_uint_eq(
			qrexec_wire_put_trigger(message, version, "a.Bcd+e", "@default", &ident),
			112);
		ck_assert_mem_eq(message, wanted, 112);
	}
}
END_TEST

static const struct {
	const char *service, *target;
	uint32_t version;
} bad_requests[] = {
	{ "", "dom0", 3 },
	{ "a", "", 3 },
	{ "a b", "dom0", 3 },
	{ "a/b", "dom0", 4 },
	{ "a:b", "dom0", 3 },
	{ "a", "a+b", 3 },
	{ "a\n", "dom0", 2 },
	{ "a", "0123456789abcdef0123456789abcdef", 2 },
	{ "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "dom0", 2 },
	{ "a", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 3 },
};

START_TEST(a_request_that_dom0_would_not_take)
{
	static const struct qrexec_ident ident = { "ringwall-1" };
	uint8_t message[QREXEC_TRIGGER_BYTES];

	ck_assert_uint_eq(qrexec_wire_put_trigger(message, bad_requests[_i].version,
						  bad_requests[_i].service, bad_requests[_i].target,
						  &ident),
			  0);
}
END_TEST

START_TEST(the_longest_request)
{
	static const struct qrexec_ident ident = { "ringwall-1" };
	uint8_t message[QREXEC_TRIGGER_BYTES];
	char service[130];

	memset(service, 's', sizeof(service));
	service[127] = '\0';
	ck_assert_uint_eq(qrexec_wire_put_trigger(message, 3, service, "dom0", &ident),
			  QREXEC_TRIGGER_BYTES);
	service[127] = 's';
	service[128] = '\0';
	ck_assert_uint_eq(qrexec_wire_put_trigger(message, 3, service, "dom0", &ident), 0);
}
END_TEST

/* ---- the stream ---- */

#define STREAM_BYTES 20000u

static uint8_t stream[STREAM_BYTES];

static size_t stream_put(size_t at, uint32_t type, uint32_t length)
{
	at += qrexec_wire_put_header(stream + at, type, length);
	for (uint32_t i = 0; i < length; i++)
		stream[at + i] = (uint8_t)(type + i * 7);
	return at + length;
}

/* Messages of these lengths, handed over in pieces as small as `step` makes them. */
START_TEST(messages_in_pieces)
{
	static const uint32_t lengths[] = { 0, 4, 40, 0, 4103, 4104, 4105, 6000, 1 };
	static struct qrexec_receiver receiver;
	uint32_t seen = 0, step = (uint32_t[]){ 1, 2, 7, 8, 13, 4096, 100000 }[_i];
	size_t end = 0, at = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(lengths); i++)
		end = stream_put(end, 0x200 + i, lengths[i]);
	qrexec_receiver_init(&receiver);
	while (at < end) {
		uint8_t *to;
		size_t room = qrexec_receiver_room(&receiver, &to);
		int whole;

		ck_assert_uint_gt(room, 0);
		if (room > step)
			room = step;
		ck_assert_uint_le(room, end - at);
		memcpy(to, stream + at, room);
		at += room;
		whole = qrexec_receiver_add(&receiver, room);
		ck_assert_int_ge(whole, 0);
		if (!whole)
			continue;
		ck_assert_uint_eq(receiver.header.type, 0x200 + seen);
		ck_assert_uint_eq(receiver.header.length, lengths[seen]);
		ck_assert_uint_eq(qrexec_receiver_kept(&receiver),
				  lengths[seen] < 4104 ? lengths[seen] : 4104);
		for (size_t i = 0; i < qrexec_receiver_kept(&receiver); i++)
			ck_assert_uint_eq(receiver.body[i], (uint8_t)(0x200 + seen + i * 7));
		qrexec_receiver_init(&receiver);
		seen++;
	}
	ck_assert_uint_eq(seen, ARRAY_SIZE(lengths));
}
END_TEST

START_TEST(a_message_longer_than_any)
{
	static struct qrexec_receiver receiver;
	uint8_t *to;

	qrexec_receiver_init(&receiver);
	ck_assert_uint_eq(qrexec_receiver_room(&receiver, &to), 8);
	qrexec_wire_put_header(to, 0x777, QREXEC_MESSAGE_BYTES);
	ck_assert_int_eq(qrexec_receiver_add(&receiver, 8), 0);
	qrexec_receiver_init(&receiver);
	qrexec_receiver_room(&receiver, &to);
	qrexec_wire_put_header(to, 0x777, QREXEC_MESSAGE_BYTES + 1);
	ck_assert_int_eq(qrexec_receiver_add(&receiver, 8), -EPROTO);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_loop_test(cases, a_command_line, 0, ARRAY_SIZE(lines));
	tcase_add_test(cases, a_command_line_ends_with_its_only_nul);
	tcase_add_loop_test(cases, words_have_their_limits, 0, 3);
	tcase_add_test(cases, versions);
	tcase_add_test(cases, what_may_stand_on_a_calls_channel);
	tcase_add_test(cases, the_far_end);
	tcase_add_test(cases, answers_to_our_requests);
	tcase_add_test(cases, exit_codes);
	tcase_add_test(cases, a_request_of_version_2);
	tcase_add_test(cases, a_request_of_later_versions);
	tcase_add_loop_test(cases, a_request_that_dom0_would_not_take, 0, ARRAY_SIZE(bad_requests));
	tcase_add_test(cases, the_longest_request);
	tcase_add_loop_test(cases, messages_in_pieces, 0, 7);
	tcase_add_test(cases, a_message_longer_than_any);
}

int main(void)
{
	return unit_main("xen/qrexec_wire", add_cases);
}
