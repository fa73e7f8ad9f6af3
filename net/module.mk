net_SRCS := \
	net/arp.c \
	net/bridge_filter.c \
	net/counters.c \
	net/dns_message.c \
	net/flow.c \
	net/flow_tcp.c \
	net/icmp4.c \
	net/judge.c \
	net/names.c \
	net/names_answer.c \
	net/names_resolver.c \
	net/nat.c \
	net/offload.c \
	net/offload_frame.c \
	net/parse.c \
	net/reject.c \
	net/router.c \
	net/router_egress.c \
	net/router_forward.c \
	net/router_input.c \
	net/router_judge.c \
	net/router_local.c \
	net/router_stats.c \
	net/rules_judge.c \
	net/rules_lex.c \
	net/rules_parse.c
