images += churn
churn_SRCS := configs/churn/main.c $(lib_SRCS) $(arch_SRCS) $(xen_SRCS) $(drivers_SRCS)
