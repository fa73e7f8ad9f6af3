images += relay
relay_SRCS := configs/relay/main.c $(lib_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
