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

VERSION := $(shell cat VERSION)$(shell git rev-parse --short HEAD 2>/dev/null | sed 's/^/+/')
comma   := ,
BUILD   := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
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
PKGS_host := jansson
PKGS_db := libpq
PKGS_review :=
PKGS_migrations :=
PKGS_logs := libpcre2-8 jansson
PKGS_runbook := libcmark libpcre2-8
PKGS_journal := jansson libcrypto
PKGS_diagnosis :=
PKGS_ui := ncursesw libedit
PKGS_app := inih jansson libbsd

# Loaded when they are first needed (src/host/library.c): by the name of the one built against.
PKGS_lazy := libarchive libcurl
soname     = $(shell objdump -p "$$($(CC) -print-file-name=lib$(1).so)" 2>/dev/null | \
	sed -n 's/^ *SONAME *//p')
define SONAME_RULE
$(BUILD)/obj/host/%.o: OURS += $(if $(call soname,$(1)),-DLIB$(2)_SONAME='"$(call soname,$(1))"')
endef
$(eval $(call SONAME_RULE,archive,ARCHIVE))
$(eval $(call SONAME_RULE,curl,CURL))

pkg_cflags = $(shell $(PKG_CONFIG) --cflags-only-I $(1) 2>/dev/null)
pkg_libs   = $(if $(1),$(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null))
ALL_PKGS   := $(sort $(foreach l,$(LAYERS),$(PKGS_$(l))))
PKG_INC    := $(call pkg_cflags,$(ALL_PKGS) $(PKGS_lazy))
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

PG_BINS ?=
VERSION_TESTS := $(foreach t,conn snapshot watch action schema,$(BUILD)/unit/db/test_$(t))
.PHONY: versions
versions: $(VERSION_TESTS) ## the database suite against the servers in PG_BINS="DIR..."
	@BUILD=$(BUILD) tests/versions $(PG_BINS)

-include tests/pty/tests.mk
-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk

# --- the range, the demo, the whole check ------------------------------------------------------
.PHONY: deps
deps: ## install what is missing, through apt
	@tests/deps.sh

.PHONY: demo
demo: deps ## build, bring up the range, stage a stuck migration, open the console on it
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tests/demo.sh

.PHONY: check
check: deps ## build, lint, and run every test
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory tests

# In one place so that the totals of both suites end in one line.
.PHONY: tests
tests: $(UNIT_BIN) $(PTY_BIN) $(BUILD)/pgoncall ## run every test (without installing or linting)
	@BUILD=$(BUILD) tests/run.sh $(UNIT_BIN) $(PTY_BIN)

$(BUILD)/keys_mdoc: tests/lint/keys_mdoc.c $(call lib,app) $(call lib,ui) $(call lib,base)
	$(Q)$(CC) $(OURS) $(CFLAGS) -o $@ $^ $(call pkg_libs,libutf8proc) -lm

.PHONY: lint
lint: $(BUILD)/keys_mdoc ## layers, headers, manual pages, scripts, warnings
	@BUILD=$(BUILD) CC="$(CC)" FLAGS="$(OURS) $(PKG_INC)" tests/lint/lint.sh

.PHONY: sanitize
sanitize: ## every test under ASan and UBSan
	@$(MAKE) --no-print-directory SANITIZE=address,undefined tests

.PHONY: memcheck
memcheck: $(UNIT_BIN) $(PTY_BIN) $(BUILD)/pgoncall ## every test under valgrind
	@BUILD=$(BUILD) tests/run.sh -w tests/valgrind.sh $(UNIT_BIN)
	@BUILD=$(BUILD) PGONCALL_WRAPPER=tests/valgrind.sh tests/run.sh $(PTY_BIN)

# --- installing --------------------------------------------------------------------------------
.PHONY: install
install: all ## install under DESTDIR and PREFIX
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(DATADIR)/themes \
		$(DESTDIR)$(DATADIR)/runbooks
	install -m 755 $(BUILD)/pgoncall $(DESTDIR)$(BINDIR)/pgoncall
	install -m 644 man/pgoncall.1 $(DESTDIR)$(MANDIR)/man1/pgoncall.1
	install -m 644 themes/*.theme $(DESTDIR)$(DATADIR)/themes/
	install -m 644 runbooks/*.md $(DESTDIR)$(DATADIR)/runbooks/

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/pgoncall $(DESTDIR)$(MANDIR)/man1/pgoncall.1
	rm -rf $(DESTDIR)$(DATADIR)

.PHONY: dist
dist: ## a tar file of the committed tree
	git archive --prefix=pgoncall-$(VERSION)/ -o pgoncall-$(VERSION).tar.gz HEAD

.PHONY: format
format: ## lay out the C files as .clang-format says
	clang-format -i $(SOURCES) $(HEADERS) $(wildcard src/*/*.h tests/unit/*/*.[ch] tests/pty/*.[ch])

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.PHONY: clean
clean: ## remove what was built
	rm -rf build build-*
