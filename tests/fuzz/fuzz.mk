# Fuzzing with libFuzzer, which only clang has. `make fuzz` runs the targets one after another, each for
# FUZZ_SECONDS, from its corpus; what reaches new lines is kept in FUZZ_KEEP, a report is left in
# $(BUILD)/fuzz and ends the run. The corpus itself is run at every check (tests/unit/*/test_corpus.c).

FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 300
FUZZ_KEEP    ?= $(BUILD)/fuzz/corpus
FUZZ_FLAGS   := -g -O1 -std=c11 -D_GNU_SOURCE -Iinclude -fno-omit-frame-pointer \
                -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined

# What each target is made of, besides base.
FUZZ_TARGETS        := revision log runbook
FUZZ_LAYER_revision := migrations
FUZZ_LAYER_log      := logs
FUZZ_LAYER_runbook  := runbook

$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $(wildcard src/*/*.c include/pgoncall/*/*.h)
	@command -v $(FUZZ_CC) >/dev/null || { echo "fuzz: $(FUZZ_CC) is not installed (apt install clang)" >&2; exit 1; }
	@mkdir -p $(@D)
	$(if $(Q),@echo "  FUZZ  $@")
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $(PKG_INC) -o $@ $< $(wildcard src/$(FUZZ_LAYER_$*)/*.c src/base/*.c) \
		$(call layer_pkgs,$(FUZZ_LAYER_$*) base)

.PHONY: fuzz
fuzz: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%) ## fuzz the parsers (FUZZ_SECONDS each; needs clang)
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZ_KEEP)/$$target; \
		echo "fuzz: $$target, $(FUZZ_SECONDS) s"; \
		nice -n 19 $(BUILD)/fuzz/$$target -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
			-max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(BUILD)/fuzz/$$target- \
			-print_final_stats=1 $(FUZZ_KEEP)/$$target $$(ls -d tests/fuzz/corpus/$$target 2>/dev/null) \
			2>$(BUILD)/fuzz/$$target.log || { tail -n 40 $(BUILD)/fuzz/$$target.log; exit 1; }; \
		grep -E '^stat::(number_of_executed_units|new_units_added)' $(BUILD)/fuzz/$$target.log; \
	done
