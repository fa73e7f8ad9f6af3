/* SPDX-License-Identifier: ISC */
#pragma once

/* The first word of configs/firewall/VERSION. */
extern const char ringwall_version[];
