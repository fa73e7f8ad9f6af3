/* SPDX-License-Identifier: ISC */
#include "lib/time_text.h"

#include <errno.h>
#include <stdbool.h>

#define DAY_S 86400u
#define NS_PER_SECOND 1000000000ull
#define FIRST_YEAR 1970u
#define LAST_YEAR 2199u
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

/* The other way round: days from 1970-01-01 to a date that there is. */
static uint32_t days_of(const struct date *date)
{
	uint32_t year = date->year - (date->month <= 2), of_era = year % 400;
	uint32_t month = date->month > 2 ? date->month - 3 : date->month + 9;
	uint32_t of_year = (153 * month + 2) / 5 + date->day - 1;

	return year / 400 * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_is(const struct date *date)
{
	struct date again;

	if (date->year < FIRST_YEAR || date->year > LAST_YEAR || date->month < 1 ||
	    date->month > 12 || date->day < 1 || date->day > 31)
		return false;
	again = date_of(days_of(date));
	return again.month == date->month && again.day == date->day;
}

struct reader {
	const char *at, *end;
};

/* Exactly so many digits, and what must stand behind them (0: anything). */
static bool take(struct reader *reader, unsigned int digits, char behind, uint32_t *value)
{
	*value = 0;
	for (; digits; digits--, reader->at++) {
		if (reader->at == reader->end || *reader->at < '0' || *reader->at > '9')
			return false;
		*value = *value * 10 + (uint32_t)(*reader->at - '0');
	}
	if (!behind)
		return true;
	return reader->at != reader->end && *reader->at++ == behind;
}

/* Digits behind a point, of which nine count. */
static bool take_fraction(struct reader *reader, uint64_t *ns)
{
	uint64_t unit = NS_PER_SECOND / 10;
	const char *first;

	*ns = 0;
	if (reader->at == reader->end || *reader->at != '.')
		return true;
	first = ++reader->at;
	for (; reader->at != reader->end && *reader->at >= '0' && *reader->at <= '9';
	     reader->at++, unit /= 10)
		*ns += unit * (uint64_t)(*reader->at - '0');
	return reader->at != first;
}

/* "Z" or what the zone is ahead of UTC, in seconds. */
static bool take_zone(struct reader *reader, int32_t *ahead_s)
{
	uint32_t hours, minutes;
	bool west;

	*ahead_s = 0;
	if (reader->at == reader->end)
		return false;
	if (*reader->at == 'Z')
		return ++reader->at == reader->end;
	west = *reader->at == '-';
	if (!west && *reader->at != '+')
		return false;
	reader->at++;
	if (!take(reader, 2, ':', &hours) || !take(reader, 2, 0, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*ahead_s = (int32_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return reader->at == reader->end;
}

int time_text_parse(const char *text, size_t length, uint64_t *wall_ns)
{
	struct reader reader = { text, text + length };
	uint32_t hour, minute, second;
	struct date date;
	int32_t ahead_s;
	int64_t seconds;
	uint64_t ns;

	if (!take(&reader, 4, '-', &date.year) || !take(&reader, 2, '-', &date.month) ||
	    !take(&reader, 2, 'T', &date.day) || !date_is(&date) || !take(&reader, 2, ':', &hour) ||
	    !take(&reader, 2, ':', &minute) || !take(&reader, 2, 0, &second) || hour > 23 ||
	    minute > 59 || second > 60 || !take_fraction(&reader, &ns) ||
	    !take_zone(&reader, &ahead_s))
		return -EINVAL;
	seconds = (int64_t)days_of(&date) * DAY_S + hour * 3600 + minute * 60 + second - ahead_s;
	if (seconds < 0)
		return -EINVAL;
	*wall_ns = (uint64_t)seconds * NS_PER_SECOND + ns;
	return 0;
}
