/* SPDX-License-Identifier: ISC */
/*
 * Guest images. A guest is a kernel with its own data: drivers keep tables and
 * scratch arrays in static variables, and two guests in one process, or one guest
 * started twice, must not share them. So the product's code and the test's guest
 * program are linked to a shared object, and every guest loads a copy of its own.
 * What the image calls of the machine (xen/, arch/) it finds in the test program.
 */
#pragma once

struct host_image;

/* Loads a fresh copy of the shared object; aborts when that fails. NULL: the one
 * that lies beside the test program, with ".so" after its name. */
struct host_image *host_image_load(const char *path);

/* The address of a name in this copy; aborts when there is none. */
void *host_image_symbol(const struct host_image *image, const char *name);

/* Only after every domain that runs in it was killed. */
void host_image_unload(struct host_image *image);
