# SPDX-License-Identifier: ISC
# The ring's rules in every order of steps, by Spin.

model: packages
	@tests/model/run $(abspath $(BUILD))/model

.PHONY: model
