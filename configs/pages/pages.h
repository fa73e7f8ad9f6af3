/* SPDX-License-Identifier: ISC */
/* Pages that lie in the image: what configs/pages/make-pages makes of folders. */
#pragma once

#include "configs/http_server.h"

extern const struct http_page status_pages[]; /* configs/pages/status: /status.css, /status.js */
extern const unsigned int status_pages_count;

extern const struct http_page httpd_pages[]; /* configs/httpd/pages */
extern const unsigned int httpd_pages_count;
