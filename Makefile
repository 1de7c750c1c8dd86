# pgoncall: build, install, check. `make help` lists the targets.
#
# Each folder of src is a layer and becomes one archive; tests/lint/layers says which layer may use
# which, and a unit test is linked with no more than that. SANITIZE=address,undefined builds into a
# folder of its own, so nothing stale mixes.

PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
MANDIR    ?= $(PREFIX)/share/man
DATADIR   ?= $(PREFIX)/share/pgoncall
DESTDIR   ?=
CC        ?= cc
PKG_CONFIG ?= pkg-config
SANITIZE  ?=
V         ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION)
BUILD   := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
comma   := ,
Q       := $(if $(filter 1,$(V)),,@)

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
           -Wwrite-strings -Wundef -Wformat=2 -Wvla -Werror=implicit-function-declaration
OURS    := -std=c11 -D_GNU_SOURCE -Iinclude $(WARN) -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
           -fno-omit-frame-pointer
HARDEN  := -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
OURS    := $(filter-out -D_FORTIFY_SOURCE=2,$(OURS)) -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined
HARDEN  += -fsanitize=$(SANITIZE)
endif

# The layers from the top down (the order archives are linked in), and what each links with.
LAYERS := app ui diagnosis journal runbook logs review migrations db host ssh loop base
PKGS_base := libutf8proc
PKGS_loop := libuv
PKGS_ssh := libssh2 libcrypto
PKGS_host := libarchive
PKGS_db := libpq
PKGS_review :=
PKGS_migrations :=
PKGS_logs :=
PKGS_runbook :=
PKGS_journal := jansson libcrypto
PKGS_diagnosis :=
PKGS_ui := ncursesw libedit
PKGS_app := inih jansson

pkg_cflags = $(shell $(PKG_CONFIG) --cflags-only-I $(1) 2>/dev/null)
pkg_libs   = $(if $(1),$(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null))
ALL_PKGS   := $(sort $(foreach l,$(LAYERS),$(PKGS_$(l))))
PKG_INC    := $(call pkg_cflags,$(ALL_PKGS))
allowed    = $(shell sed -n 's/^$(1)://p' tests/lint/layers)

SOURCES := $(sort $(wildcard src/*/*.c))
OBJECTS := $(patsubst src/%.c,$(BUILD)/obj/%.o,$(SOURCES))
lib      = $(BUILD)/lib$(1).a
LIBS    := $(foreach l,$(LAYERS),$(call lib,$(l)))
layer_libs = $(foreach l,$(LAYERS),$(if $(filter $(l),$(1)),$(call lib,$(l))))
layer_pkgs = $(call pkg_libs,$(sort $(foreach l,$(1),$(PKGS_$(l)))))

UNIT_SRC  := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BIN  := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
HEADERS   := $(sort $(wildcard include/pgoncall/*/*.h))

.PHONY: all
all: $(BUILD)/pgoncall ## build the program

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(PKG_INC) -DPGONCALL_VERSION='"$(VERSION)"' \
		-DPGONCALL_DATADIR='"$(DATADIR)"' -MMD -MP -c -o $@ $<

define LAYER_RULE
$(call lib,$(1)): $(filter $(BUILD)/obj/$(1)/%,$(OBJECTS))
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call LAYER_RULE,$(l))))

# main.o stands outside the archive's search: it is linked by name.
$(BUILD)/pgoncall: $(BUILD)/obj/app/main.o $(LIBS)
	$(if $(Q),@echo "  LINK  $@")
	$(Q)$(CC) $(CFLAGS) $(HARDEN) $(LDFLAGS) -o $@ $< $(LIBS) $(call pkg_libs,$(ALL_PKGS)) -lm -lpthread

-include $(OBJECTS:.o=.d)

# --- tests -------------------------------------------------------------------------------------
.SECONDEXPANSION:
$(BUILD)/unit/%: tests/unit/%.c $$(call layer_libs,$$(firstword $$(subst /, ,$$*)) $$(call allowed,$$(firstword $$(subst /, ,$$*))))
	@mkdir -p $(@D)
	$(if $(Q),@echo "  TEST  $@")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(HARDEN) $(PKG_INC) -MMD -MP -o $@ $< $(filter %.a,$^) \
		$(call layer_pkgs,$(firstword $(subst /, ,$*)) $(call allowed,$(firstword $(subst /, ,$*)))) \
		$(shell $(PKG_CONFIG) --libs cmocka) -lm -lpthread
-include $(UNIT_BIN:=.d)

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests
	@tests/run.sh $(UNIT_BIN)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: clean
clean: ## remove what was built
	rm -rf build build-*
