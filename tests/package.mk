# SPDX-License-Identifier: ISC
# What dom0 of QubesOS installs, made twice and tried.

package: packages
	@$(MAKE) -s qubes
	@tests/package/run $(BUILD)

.PHONY: package
