# The end-to-end tests: test_*.c here, each linked with the other files (the harness). They start
# the program on a pseudo-terminal, and those that need it a range (tests/range/up).

PTY_PKGS := vterm cmocka jansson libpcre2-8
PTY_SRC  := $(sort $(filter-out tests/pty/test_%,$(wildcard tests/pty/*.c)))
PTY_OBJ  := $(patsubst tests/pty/%.c,$(BUILD)/pty/%.o,$(PTY_SRC))
PTY_TEST := $(sort $(wildcard tests/pty/test_*.c))
PTY_BIN  := $(patsubst tests/pty/%.c,$(BUILD)/pty/%,$(PTY_TEST))
PTY_INC  := $(call pkg_cflags,$(PTY_PKGS))

$(BUILD)/pty/%.o: tests/pty/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC    $<")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(PTY_INC) -MMD -MP -c -o $@ $<

$(PTY_BIN): $(BUILD)/pty/%: $(BUILD)/pty/%.o $(PTY_OBJ) $(BUILD)/libbase.a
	$(if $(Q),@echo "  TEST  $@")
	$(Q)$(CC) $(CFLAGS) $(HARDEN) $(LDFLAGS) -o $@ $^ \
		$(call pkg_libs,$(PTY_PKGS) $(PKGS_base)) -lutil -lpthread

# A machine that sleeps and whose disk hangs, preloaded into the program by fixture_open_machine.
$(BUILD)/pty/machine.so: tests/pty/preload/machine.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  SO    $@")
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -shared -fPIC -o $@ $< -ldl

# The same for a server, which is built without our sanitisers.
$(BUILD)/pty/machine-plain.so: tests/pty/preload/machine.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  SO    $@")
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -shared -fPIC -o $@ $< -ldl

$(BUILD)/pty/test_machine $(BUILD)/pty/test_targets: | $(BUILD)/pty/machine.so
$(BUILD)/pty/test_care: | $(BUILD)/pty/machine-plain.so

.SECONDARY: $(PTY_OBJ) $(PTY_BIN:=.o)
-include $(PTY_OBJ:.o=.d) $(PTY_BIN:=.d)

.PHONY: pty
pty: $(PTY_BIN) $(BUILD)/pgoncall ## build and run the end-to-end tests
	@BUILD=$(BUILD) tests/run.sh $(PTY_BIN)
