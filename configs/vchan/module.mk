images += vchan
vchan_SRCS := configs/vchan/main.c $(lib_SRCS) $(arch_SRCS) $(xen_SRCS)
