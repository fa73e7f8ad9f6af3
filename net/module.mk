net_SRCS += \
	net/rules_judge.c \
	net/rules_lex.c \
	net/rules_parse.c
