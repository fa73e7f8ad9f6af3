/* SPDX-License-Identifier: ISC */
#include "configs/status.h"

#include <inttypes.h>
#include <string.h>

#include "configs/status_rows.h"
#include "configs/text_out.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
/* Tables are parts from 1 on; of each the places are rows from 1 on. */
#define PART_HEAD 0u
#define ITEM_HEAD 0u

/* How a format writes the page's parts. */
struct format {
	void (*head)(const struct metrics_source *source, struct text_out *out);
	void (*table_head)(const struct status_table *table, uint32_t index, struct text_out *out);
	void (*row)(const struct status_table *table, const struct status_row *row, bool first,
		    struct text_out *out);
	void (*table_end)(const struct status_table *table, struct text_out *out);
	void (*end)(struct text_out *out);
};

static void add_uptime(const struct metrics_source *source, struct text_out *out)
{
	uint64_t ns = source->now_ns() - source->start_ns;

	text_add(out, "%" PRIu64 ".%03u", ns / NS_PER_SECOND,
		 (unsigned int)(ns % NS_PER_SECOND / NS_PER_MS));
}

/* ---- HTML ---- */

static void html_head(const struct metrics_source *source, struct text_out *out)
{
	text_add(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n"
		      "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n"
		      "<link rel=\"stylesheet\" href=\"/status.css\">\n"
		      "<script src=\"/status.js\" defer></script>\n<title>");
	text_add_html(out, source->guest);
	text_add(out, " - Ringwall</title></head><body>\n<header><h1>");
	text_add_html(out, source->guest);
	text_add(out, "</h1><p>Ringwall ");
	text_add_html(out, source->version);
	text_add(out, ", up for <span id=\"uptime\">");
	add_uptime(source, out);
	text_add(out, "</span> s. <span id=\"live\"></span>"
		      " <a href=\"/status.json\">JSON</a> <a href=\"/metrics\">metrics</a></p>"
		      "</header><main>\n");
}

/* "rx_packets" for a human is "rx packets". */
static void html_table_head(const struct status_table *table, uint32_t index, struct text_out *out)
{
	(void)index;
	text_add(out, "<section><h2>%s</h2><div><table id=\"%s\"><thead><tr>", table->title,
		 table->name);
	for (uint32_t i = 0; table->columns[i]; i++) {
		text_add(out, "<th scope=\"col\">");
		for (const char *c = table->columns[i]; *c; c++)
			text_add(out, "%c", *c == '_' ? ' ' : *c);
		text_add(out, "</th>");
	}
	text_add(out, "</tr></thead><tbody>\n");
}

static void html_row(const struct status_table *table, const struct status_row *row, bool first,
		     struct text_out *out)
{
	(void)first;
	text_add(out, "<tr>");
	for (uint32_t i = 0; table->columns[i]; i++) {
		const struct status_cell *cell = &row->cells[i];

		if (cell->text) {
			text_add(out, "<td>");
			text_add_html(out, cell->text);
		} else {
			text_add(out, "<td class=\"n\">%" PRIu64, cell->number);
		}
		text_add(out, "</td>");
	}
	text_add(out, "</tr>\n");
}

static void html_table_end(const struct status_table *table, struct text_out *out)
{
	(void)table;
	text_add(out, "</tbody></table></div></section>\n");
}

static void html_end(struct text_out *out)
{
	text_add(out, "</main></body></html>\n");
}

/* ---- JSON ---- */

static void json_head(const struct metrics_source *source, struct text_out *out)
{
	text_add(out, "{\"guest\":\"");
	text_add_label(out, source->guest);
	text_add(out, "\",\"version\":\"");
	text_add_label(out, source->version);
	text_add(out, "\",\"uptime_seconds\":");
	add_uptime(source, out);
	text_add(out, ",\"tables\":{");
}

static void json_table_head(const struct status_table *table, uint32_t index, struct text_out *out)
{
	text_add(out, "%s\n\"%s\":[", index ? "," : "", table->name);
}

static void json_row(const struct status_table *table, const struct status_row *row, bool first,
		     struct text_out *out)
{
	text_add(out, first ? "\n{" : ",\n{");
	for (uint32_t i = 0; table->columns[i]; i++) {
		const struct status_cell *cell = &row->cells[i];

		text_add(out, "%s\"%s\":", i ? "," : "", table->columns[i]);
		if (cell->text) {
			text_add(out, "\"");
			text_add_label(out, cell->text);
			text_add(out, "\"");
		} else {
			text_add(out, "%" PRIu64, cell->number);
		}
	}
	text_add(out, "}");
}

static void json_table_end(const struct status_table *table, struct text_out *out)
{
	(void)table;
	text_add(out, "]");
}

static void json_end(struct text_out *out)
{
	text_add(out, "}}\n");
}

/* ---- both ---- */

/* Whether a row was written in this table is told by the top bit of `item`. */
#define ITEM_ROW_BEFORE (1u << 31)

/* Writes what is at the cursor and says where to go on; false: that was the end. */
static bool write_at(const struct metrics_source *source, const struct format *format,
		     const struct http_cursor *at, struct http_cursor *next, struct text_out *out)
{
	const struct status_table *table =
		at->part == PART_HEAD ? NULL : status_table(at->part - 1);
	uint32_t place = at->item & ~ITEM_ROW_BEFORE;
	struct status_row row;

	*next = (struct http_cursor){ at->part, at->item + 1 };
	if (at->part == PART_HEAD) {
		format->head(source, out);
		*next = (struct http_cursor){ at->part + 1, ITEM_HEAD };
		return true;
	}
	if (!table) {
		if (at->item)
			return false;
		format->end(out);
		return true;
	}
	if (at->item == ITEM_HEAD) {
		format->table_head(table, at->part - 1, out);
		return true;
	}
	memset(&row, 0, sizeof(row));
	if (!table->row(source, place - 1, &row)) {
		format->table_end(table, out);
		*next = (struct http_cursor){ at->part + 1, ITEM_HEAD };
		return true;
	}
	if (row.shown) {
		format->row(table, &row, !(at->item & ITEM_ROW_BEFORE), out);
		next->item |= ITEM_ROW_BEFORE;
	}
	return true;
}

static size_t write_page(struct metrics_source *source, const struct format *format,
			 struct http_cursor *cursor, char *to, size_t room)
{
	struct text_out out = { .to = to, .room = room };
	struct http_cursor next;

	if (!cursor->part && !cursor->item)
		metrics_source_refresh(source);
	for (;;) {
		size_t used = out.used;
		bool more = write_at(source, format, cursor, &next, &out);

		if (out.full) {
			/* The next piece begins with it; a single one is never so long. */
			out.used = used;
			if (used)
				return used;
			out.full = false;
		}
		if (!more)
			return out.used;
		*cursor = next;
	}
}

size_t status_write_html(void *context, struct http_cursor *cursor, char *to, size_t room)
{
	static const struct format html = { html_head, html_table_head, html_row, html_table_end,
					    html_end };

	return write_page(context, &html, cursor, to, room);
}

size_t status_write_json(void *context, struct http_cursor *cursor, char *to, size_t room)
{
	static const struct format json = { json_head, json_table_head, json_row, json_table_end,
					    json_end };

	return write_page(context, &json, cursor, to, room);
}
