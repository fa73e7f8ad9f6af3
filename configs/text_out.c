/* SPDX-License-Identifier: ISC */
#include "configs/text_out.h"

#include <stdarg.h>
#include <stdio.h>

void text_add(struct text_out *out, const char *format, ...)
{
	size_t room = out->room - out->used;
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(out->to + out->used, room, format, arguments);
	va_end(arguments);
	if (bytes < 0 || (size_t)bytes >= room)
		out->full = true;
	else
		out->used += (size_t)bytes;
}

static char printable(char c)
{
	return c >= ' ' && c <= '~' ? c : '?';
}

void text_add_label(struct text_out *out, const char *text)
{
	for (; *text && !out->full; text++)
		text_add(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", printable(*text));
}

void text_add_html(struct text_out *out, const char *text)
{
	for (; *text && !out->full; text++)
		text_add(out,
			 *text == '<'	? "&lt;"
			 : *text == '>' ? "&gt;"
			 : *text == '&' ? "&amp;"
			 : *text == '"' ? "&quot;"
					: "%c",
			 printable(*text));
}
