# The benchmarks: programs that measure our side and OpenSSH's in turns, run by bench.sh on a range.

BENCH_BIN := $(BUILD)/bench/tunnel $(BUILD)/bench/startup $(BUILD)/bench/activity
BENCH_LIBS := $(call layer_libs,ssh loop base)

$(BENCH_BIN): $(BUILD)/bench/%: tests/bench/%.c tests/bench/samples.c tests/bench/samples.h $(BENCH_LIBS)
	@mkdir -p $(@D)
	$(if $(Q),@echo "  BENCH $@")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(HARDEN) $(PKG_INC) -o $@ $(filter %.c %.a,$^) \
		$(call layer_pkgs,ssh loop base db) -lpthread -lutil

$(BUILD)/bench/scroll: tests/bench/scroll.c $(call layer_libs,ui $(call allowed,ui))
	@mkdir -p $(@D)
	$(if $(Q),@echo "  BENCH $@")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(HARDEN) $(PKG_INC) -o $@ $(filter %.c %.a,$^) \
		$(call layer_pkgs,ui $(call allowed,ui)) -lm -lpthread

# Drives the console on a terminal, as the end-to-end tests do.
$(BUILD)/bench/logs: tests/bench/logs.c tests/bench/samples.c tests/bench/samples.h $(PTY_OBJ) $(BUILD)/libbase.a
	@mkdir -p $(@D)
	$(if $(Q),@echo "  BENCH $@")
	$(Q)$(CC) $(OURS) $(CFLAGS) $(HARDEN) $(PKG_INC) -o $@ $(filter %.c %.o %.a,$^) \
		$(call pkg_libs,$(PTY_PKGS) $(PKGS_base)) -lutil -lpthread

.PHONY: bench
bench: deps ## compare side by side (BENCH="tunnels logs starts revisions activity": some)
	@$(MAKE) --no-print-directory all $(BENCH_BIN) $(BUILD)/bench/scroll $(BUILD)/bench/logs
	@BUILD=$(BUILD) tests/bench/bench.sh; missed=$$?; \
		case " $${BENCH:-activity} " in *" activity "*) ;; *) exit $$missed ;; esac; \
		BUILD=$(BUILD) tests/bench/activity.sh && exit $$missed
