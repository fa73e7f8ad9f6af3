/* SPDX-License-Identifier: ISC */
/*
 * End points (socket.h) on a router: how their packets leave, and that they and address
 * translation take no port from each other. Packets come by router->service:
 *
 *	config.links = router_socket_links(&router);
 *	sockets = sockets_init(&config, memory, now);
 *	router_add_service(&router, sockets_service(sockets));
 *
 *	each round:  router_set_now(&router, now); sockets_set_now(sockets, now);
 *		     ... drivers poll, and call netdev->input ...
 *		     while (sockets_run(sockets)) ...;  at most a few times
 *		     router_run_timers(&router);  sends what the sockets have made, too
 *
 * What begins at somebody else is judged `in`, as all that comes to us: a listener is as
 * reachable as the rules say, without rules not at all. What belongs to a connection, answers
 * what a socket has asked, or comes from the peer of a UDP socket is not judged again.
 */
#pragma once

#include "net/router.h"
#include "net/socket.h"

/* For sockets_config.links; the router must outlive the sockets. */
struct socket_links router_socket_links(struct router *router);
