/* SPDX-License-Identifier: ISC */
/* The tree of ranges as it is, its loads counted (tests/fuzz/tcp_receive_fuzz.c). */
#include "net/tcp_spans.c"
