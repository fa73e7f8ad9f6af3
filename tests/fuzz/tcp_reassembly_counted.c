/* SPDX-License-Identifier: ISC */
/* Reassembly as it is, its loads counted (tests/fuzz/tcp_receive_fuzz.c). */
#include "net/tcp_reassembly.c"
