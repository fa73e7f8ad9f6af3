/* SPDX-License-Identifier: ISC */
/*
 * A vchan between dom0 and a domain, as QubesOS's programs in dom0 make theirs: the real
 * libxenvchan, with QubesOS's places in xenstore. The server's two nodes appear together
 * in one transaction, readable by the client, and go when the client has come; a client
 * waits for them. A vchan here is never blocking.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxenvchan.h>

struct dom0_vchan {
	struct libxenvchan *chan; /* NULL: closed */
	char path[96];		  /* of a server, while its nodes are in xenstore; else "" */
};

/* A server with rings of `bytes` at /local/domain/0/data/vchan/<client>/<port>. */
bool dom0_vchan_serve(struct dom0_vchan *vchan, int client, int port, size_t bytes);

/* The client of /local/domain/<server>/data/vchan/0/<port>, if there is one that lives now. */
bool dom0_vchan_try_connect(struct dom0_vchan *vchan, int server, int port);

/* Closes it; also our nodes go. */
void dom0_vchan_close(struct dom0_vchan *vchan);

/* What poll() shall wait for: -1 when closed. */
int dom0_vchan_fd(const struct dom0_vchan *vchan);
/* To be called when that is readable. */
void dom0_vchan_take_event(struct dom0_vchan *vchan);

/* 2: the client has not come; 1: open; 0: the peer has gone (or it is closed). A server's
 * nodes are removed at the first 1. */
int dom0_vchan_state(struct dom0_vchan *vchan);

/* All of it or nothing: whether it was read. */
bool dom0_vchan_get(struct dom0_vchan *vchan, void *to, size_t size);
/* What fits, 0: nothing now; -1: the peer has gone. */
int dom0_vchan_put(struct dom0_vchan *vchan, const void *from, size_t size);
size_t dom0_vchan_ready(struct dom0_vchan *vchan);

/* Writes nonsense into the shared page: "prod", "cons" (of the ring that we write), "both",
 * "peer" (the peer's own), "live". False: no such word. */
bool dom0_vchan_corrupt(struct dom0_vchan *vchan, const char *what);
