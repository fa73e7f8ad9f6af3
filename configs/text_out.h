/* SPDX-License-Identifier: ISC */
/* Text into a buffer of a fixed size, with what each format wants quoted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text_out {
	char *to;
	size_t room;
	size_t used;
	bool full; /* something did not fit: what is there is cut off */
};

void text_add(struct text_out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What others have named may hold any byte: what is not printable ASCII becomes '?'. */
void text_add_label(struct text_out *out, const char *text); /* within quotes, Prometheus or JSON */
void text_add_html(struct text_out *out, const char *text);
