/* SPDX-License-Identifier: ISC */
/* What the product is called when asked for its version; made by configs/pages/module.mk. */
#pragma once

/* The first word of configs/firewall/VERSION. */
extern const char ringwall_version[];
