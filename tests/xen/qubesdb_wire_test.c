/* SPDX-License-Identifier: ISC */
/* QubesDB's messages byte by byte, and every reason for not taking one. */
#include "xen/qubesdb_wire.h"

#include <string.h>

#include "tests/host/unit.h"

/* A header as bytes; what its fields do not cover is 0xaa, which must not matter. */
static void make(uint8_t bytes[QUBESDB_HEADER_BYTES], uint8_t type, const char *path,
		 uint32_t length)
{
	memset(bytes, 0xaa, QUBESDB_HEADER_BYTES);
	bytes[0] = type;
	memcpy(bytes + 1, path, strlen(path) + 1);
	bytes[68] = (uint8_t)length;
	bytes[69] = (uint8_t)(length >> 8);
	bytes[70] = (uint8_t)(length >> 16);
	bytes[71] = (uint8_t)(length >> 24);
}

static const char *decode(uint8_t type, const char *path, uint32_t length)
{
	uint8_t bytes[QUBESDB_HEADER_BYTES];
	struct qubesdb_header header;
	const char *wrong;

	make(bytes, type, path, length);
	wrong = qubesdb_wire_decode(bytes, &header);
	if (wrong)
		return wrong;
	ck_assert_uint_eq(header.type, type);
	ck_assert_str_eq(header.path, path);
	ck_assert_uint_eq(header.length, length);
	return NULL;
}

static void assert_wrong(const char *wrong, const char *expected)
{
	ck_assert_ptr_nonnull(wrong);
	ck_assert_ptr_nonnull(strstr(wrong, expected));
}

/* 63 bytes with the slash. */
#define LONGEST "/123456789012345678901234567890123456789012345678901234567890_2"

START_TEST(the_six_legal_types)
{
	ck_assert_uint_eq(strlen(LONGEST), 63);
	ck_assert_ptr_null(decode(1, "/name", 0));
	ck_assert_ptr_null(decode(1, "/name", 1));
	ck_assert_ptr_null(decode(1, LONGEST, 3071));
	ck_assert_ptr_null(decode(1, "/a.b:c@d-e_F/0/9Z", 5));
	ck_assert_ptr_null(decode(4, "/qubes-firewall/10.137.0.5/", 0));
	ck_assert_ptr_null(decode(4, "/qubes-firewall/10.137.0.5", 0));
	ck_assert_ptr_null(decode(4, "/", 0));
	ck_assert_ptr_null(decode(7, "/name", 0));
	ck_assert_ptr_null(decode(9, "/name", 0));
	ck_assert_ptr_null(decode(9, "", 0));
	ck_assert_ptr_null(decode(11, "/name", 3071));
	ck_assert_ptr_null(decode(11, "/name", 0));
	ck_assert_ptr_null(decode(11, "", 0));
}
END_TEST

START_TEST(all_other_types)
{
	static const uint8_t legal[] = { 1, 4, 7, 9, 11 };

	for (uint32_t type = 0; type < 256; type++) {
		if (memchr(legal, (int)type, sizeof(legal)))
			continue;
		assert_wrong(decode((uint8_t)type, "/name", 0), "type");
		assert_wrong(decode((uint8_t)type, "", 0), "type");
	}
}
END_TEST

START_TEST(paths)
{
	static const uint8_t types[] = { 1, 4, 11, 7, 9 };
	uint8_t bytes[QUBESDB_HEADER_BYTES];
	struct qubesdb_header header;

	for (uint32_t i = 0; i < 5; i++) {
		assert_wrong(decode(types[i], "name", 0), "first slash");
		assert_wrong(decode(types[i], "-/name", 0), "first slash");
		make(bytes, types[i], "", 0);
		memset(bytes + 1, '/', 64);
		assert_wrong(qubesdb_wire_decode(bytes, &header), "without an end");
		bytes[64] = '\0';
		bytes[63] = 'x';
		ck_assert_ptr_null(qubesdb_wire_decode(bytes, &header));
	}
	assert_wrong(decode(1, "", 0), "first slash");
	assert_wrong(decode(4, "", 0), "first slash");
	assert_wrong(decode(1, "/name/", 0), "ends in a slash");
	assert_wrong(decode(11, "/name/", 0), "ends in a slash");
	assert_wrong(decode(1, "/", 0), "ends in a slash");
}
END_TEST

START_TEST(bytes_of_a_path)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_/.:@-";
	uint32_t good = 0;

	for (uint32_t c = 1; c < 256; c++) {
		char path[] = { '/', (char)c, 'x', '\0' };

		if (strchr(legal, (int)c)) {
			ck_assert_ptr_null(decode(1, path, 0));
			ck_assert_ptr_null(qubesdb_wire_check_path(path));
			good++;
			continue;
		}
		assert_wrong(decode(1, path, 0), "a byte that none may have");
		assert_wrong(qubesdb_wire_check_path(path), "a byte that none may have");
	}
	ck_assert_uint_eq(good, sizeof(legal) - 1);
}
END_TEST

START_TEST(lengths)
{
	static const uint32_t wrong[] = { 3072, 4096, 0x10000, 0x80000000, 0xffffffff };

	for (uint32_t i = 0; i < 5; i++) {
		assert_wrong(decode(1, "/name", wrong[i]), "too long");
		assert_wrong(decode(11, "/name", wrong[i]), "too long");
		assert_wrong(decode(7, "/name", wrong[i]), "too long");
	}
	assert_wrong(decode(4, "/name", 1), "where none belongs");
	assert_wrong(decode(7, "/name", 1), "where none belongs");
	assert_wrong(decode(9, "/name", 1), "where none belongs");
	assert_wrong(decode(11, "", 1), "where none belongs");
}
END_TEST

START_TEST(values)
{
	char value[QUBESDB_VALUE_MAX + 1];

	memset(value, 0xff, sizeof(value));
	ck_assert_ptr_null(qubesdb_wire_check_value(value, 0));
	ck_assert_ptr_null(qubesdb_wire_check_value(value, 3071));
	assert_wrong(qubesdb_wire_check_value(value, 3072), "too long");
	value[3070] = '\0';
	assert_wrong(qubesdb_wire_check_value(value, 3071), "NUL");
	ck_assert_ptr_null(qubesdb_wire_check_value(value, 3070));
	value[0] = '\0';
	assert_wrong(qubesdb_wire_check_value(value, 1), "NUL");
}
END_TEST

/* What is sent holds nothing of what was in memory before. */
START_TEST(encoding)
{
	uint8_t bytes[QUBESDB_HEADER_BYTES], expected[QUBESDB_HEADER_BYTES] = { 0 };

	memset(bytes, 0xaa, sizeof(bytes));
	qubesdb_wire_encode(bytes, QUBESDB_WRITE, "/a/b", 0x0b02);
	memcpy(expected, "\1/a/b", 5);
	expected[68] = 2;
	expected[69] = 0x0b;
	ck_assert_mem_eq(bytes, expected, sizeof(bytes));
	memset(bytes, 0xaa, sizeof(bytes));
	memset(expected, 0, sizeof(expected));
	qubesdb_wire_encode(bytes, QUBESDB_MULTIREAD, "", 0);
	expected[0] = 2;
	ck_assert_mem_eq(bytes, expected, sizeof(bytes));
	qubesdb_wire_encode(bytes, QUBESDB_RESP_OK, LONGEST, 0);
	ck_assert_uint_eq(bytes[0], 7);
	ck_assert_mem_eq(bytes + 1, LONGEST, 64);
}
END_TEST

static void add_cases(TCase *cases)
{
	tcase_add_test(cases, the_six_legal_types);
	tcase_add_test(cases, all_other_types);
	tcase_add_test(cases, paths);
	tcase_add_test(cases, bytes_of_a_path);
	tcase_add_test(cases, lengths);
	tcase_add_test(cases, values);
	tcase_add_test(cases, encoding);
}

int main(void)
{
	return unit_main("xen/qubesdb_wire", add_cases);
}
