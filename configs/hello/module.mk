images += hello
hello_SRCS := configs/hello/main.c $(arch_SRCS)
