/* SPDX-License-Identifier: ISC */
#include "lib/time_text.h"

#define DAY_S 86400u
#define ERA_DAYS 146097u /* 400 years */

struct date {
	uint32_t year, month, day;
};

/*
 * Years that begin in March have their leap day at the end: the months before it are
 * 153 days for each five.
 */
static struct date date_of(uint32_t days)
{
	uint32_t shifted = days + 719468; /* from 0000-03-01 on */
	uint32_t era = shifted / ERA_DAYS, of_era = shifted % ERA_DAYS;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153; /* 0: March */
	struct date date = { .year = year + era * 400,
			     .month = month < 10 ? month + 3 : month - 9,
			     .day = of_year - (153 * month + 2) / 5 + 1 };

	date.year += date.month <= 2;
	return date;
}

/* The last `digits` digits of a number, and what stands behind them. */
static char *put(char *to, uint32_t value, unsigned int digits, char behind)
{
	for (unsigned int i = digits; i; i--, value /= 10)
		to[i - 1] = (char)('0' + value % 10);
	to[digits] = behind;
	return to + digits + 1;
}

char *time_text_format(uint64_t wall_ns, char *to)
{
	uint64_t ms = wall_ns / 1000000, seconds = ms / 1000;
	struct date date = date_of((uint32_t)(seconds / DAY_S));
	uint32_t of_day = (uint32_t)(seconds % DAY_S);
	char *at = put(to, date.year, 4, '-');

	at = put(at, date.month, 2, '-');
	at = put(at, date.day, 2, 'T');
	at = put(at, of_day / 3600, 2, ':');
	at = put(at, of_day / 60 % 60, 2, ':');
	at = put(at, of_day % 60, 2, '.');
	at = put(at, (uint32_t)(ms % 1000), 3, 'Z');
	*at = '\0';
	return to;
}
