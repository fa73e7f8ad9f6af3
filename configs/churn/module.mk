images += churn
churn_SRCS := configs/churn/main.c configs/echo_frame.c configs/pools.c $(lib_SRCS) \
	$(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
