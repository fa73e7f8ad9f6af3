images += hello
hello_SRCS := configs/hello/main.c lib/bytes.c $(arch_SRCS)
