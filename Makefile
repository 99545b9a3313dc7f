# Ocop Field Registry. `make help` lists the targets.
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
# CIPHER=1 builds against a SQLite that encrypts (docs/decisions/0020), in a directory of its own.
CIPHER ?=
B ?= build$(if $(CIPHER),-cipher)
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
SAN ?=
OPT ?= -O2 -g

WARN := -std=c11 -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wundef -Wimplicit-fallthrough -Werror
CFLAGS += $(OPT) $(WARN) -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -fvisibility=hidden -fstack-protector-strong -fPIC \
	-D_FORTIFY_SOURCE=2 $(SAN)
ifneq ($(SAN),)
CFLAGS := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS))
endif
# The messages are part of the library's face; everything else that is generated is not.
GENFLAGS = $(OPT) -std=c11 -fvisibility=$(if $(findstring .pb-c,$<),default,hidden) -fPIC $(SAN)

# The SQLite of CIPHER=1: fetched once, compiled into libproto.a, hidden like all else. With what our SQL
# asks for, no extensions to load, and nothing that spills in plain text into temporary files.
CIPHER_DIR := build/multiple-ciphers-$(shell sed -n 's/^version=//p' .ci/fetch-cipher.sh)
CIPHER_FLAGS := -DSQLITE_OMIT_UTF16 -DSQLITE_OMIT_AUTHORIZATION -DSQLITE_OMIT_PROGRESS_CALLBACK \
	-DSQLITE_OMIT_GET_TABLE -DSQLITE_OMIT_COMPLETE -DSQLITE_OMIT_DECLTYPE -DSQLITE_OMIT_TCL_VARIABLE \
	-DSQLITE_OMIT_DESERIALIZE -DSQLITE_OMIT_DATETIME_FUNCS -DSQLITE_UNTESTABLE -DSQLITE_THREADSAFE=1 -DSQLITE_TEMP_STORE=3 \
	-DSQLITE_DQS=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_SHARED_CACHE -DSQLITE_LIKE_DOESNT_MATCH_BLOBS \
	-DSQLITE_MAX_VARIABLE_NUMBER=250000 -DHAVE_USLEEP=1 -DHAVE_GMTIME_R=1 -DHAVE_ISNAN=1 -DCODEC_TYPE=CODEC_TYPE_CHACHA20 \
	-DHAVE_CIPHER_AES_128_CBC=0 -DHAVE_CIPHER_AES_256_CBC=0 -DHAVE_CIPHER_SQLCIPHER=0 \
	-DHAVE_CIPHER_RC4=0 -DHAVE_CIPHER_ASCON128=0 -DHAVE_CIPHER_AEGIS=0
ifneq ($(CIPHER),)
CFLAGS += -DOCOP_CIPHER -isystem $(CIPHER_DIR)
CIPHER_H := $(CIPHER_DIR)/sqlite3.h
CIPHER_O := $(B)/sqlite3.o
WRAP := -Wl,--wrap=ocop_open -Wl,--wrap=sqlite3_open # see tests/cipher/keyed.c
endif

# Each layer sees only what it may include.
I_base := -Iproto/base
I_schema := $(I_base) -Iproto/schema -I$(B)/gen
I_change := $(I_schema) -Iproto/change
I_data := $(I_change) -Iproto/data
I_wire := $(I_base) -Iproto/wire
I_image := $(I_base) -Iproto/image
I_proto := $(I_data) -Iproto/wire
I_thumbnail := $(I_image) -Iserver/thumbnail
I_client := $(I_proto) -Iproto/image -Iclient-lib
I_cli := -Iproto/base -Iclient-lib -I$(B)/gen
I_server := $(I_proto) -Iserver
I_test := $(I_proto) -Iproto/image -Iclient-lib -Iserver -Itests/lib -Itests/cipher

LIBS := $(if $(CIPHER),-lm,-lsqlite3) -lprotobuf-c -lsodium -lz -ljansson -lutf8proc -lpthread
SERVER_LIBS := -lnanomsg -lcsv -linih -lqrencode $(LIBS)
CLIENT_LIBS := -lnanomsg -ljpeg $(LIBS)
# Tests hold both sides. The server alone has nothing that decodes a picture: see server/thumbs.c.
TEST_LIBS := -ljpeg $(SERVER_LIBS)

comma := ,
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
GEN_C := $(B)/gen/records.pb-c.c $(B)/gen/sync.pb-c.c $(B)/gen/evidence.pb-c.c $(B)/gen/migrations.c
GEN_O := $(GEN_C:.c=.o)
BASE_C := $(wildcard proto/base/*.c)
SCHEMA_C := $(wildcard proto/schema/*.c)
CHANGE_C := $(wildcard proto/change/*.c)
DATA_C := $(wildcard proto/data/*.c)
WIRE_C := $(wildcard proto/wire/*.c)
IMAGE_C := $(wildcard proto/image/*.c)
PROTO_C := $(BASE_C) $(SCHEMA_C) $(CHANGE_C) $(DATA_C) $(WIRE_C) $(IMAGE_C)
CLIENT_C := $(wildcard client-lib/*.c)
CLI_C := $(wildcard client-lib/cli/*.c)
SERVER_MAIN_C := $(wildcard server/ocopd*.c)
SERVER_C := $(filter-out $(SERVER_MAIN_C),$(wildcard server/*.c))
CIPHER_TEST_C := $(if $(CIPHER),tests/cipher/keyed.c)
TEST_LIB_C := $(wildcard tests/lib/*.c) $(if $(CIPHER),$(CIPHER_TEST_C) tests/cipher/files.c)
TEST_C := $(wildcard tests/unit/test_*.c tests/integration/test_*.c tests/procs/test_*.c)
BENCH_C := $(filter-out bench/border.c,$(wildcard bench/*.c))
FAULT_C := $(wildcard tests/fault/*.c)
FUZZ_C := $(filter-out $(FUZZ_OUT),$(wildcard tests/fuzz/fuzz_*.c))
SIM_C := $(wildcard tests/sim/*.c)

PROTO_A := $(B)/libproto.a
CLIENT_A := $(B)/libocop.a
SERVER_A := $(B)/libocopd.a
OCOP := $(B)/ocop
OCOPD := $(B)/ocopd
THUMBNAIL := $(B)/ocop-thumbnail
TEST_PROGRAMS := $(patsubst tests/%.c,$(B)/tests/%,$(TEST_C))
SIM := $(B)/sim/sim
FUZZ_REPLAY := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_C))
BENCHES := $(B)/bench/$(if $(CIPHER),bench_cipher,bench_all)

.PHONY: all
all: $(OCOP) $(OCOPD) $(THUMBNAIL) $(B)/libocop.so ## build everything

# --- generated ---
$(B)/gen/records.pb-c.c $(B)/gen/records.pb-c.h &: proto/schema/records.proto
	@mkdir -p $(B)/gen
	protoc-c --proto_path=proto/schema --c_out=$(B)/gen records.proto
$(B)/gen/sync.pb-c.c $(B)/gen/sync.pb-c.h &: proto/schema/sync.proto
	@mkdir -p $(B)/gen
	protoc-c --proto_path=proto/schema --c_out=$(B)/gen sync.proto
$(B)/gen/evidence.pb-c.c $(B)/gen/evidence.pb-c.h &: proto/schema/evidence.proto
	@mkdir -p $(B)/gen
	protoc-c --proto_path=proto/schema --c_out=$(B)/gen evidence.proto
$(B)/gen/migrations.c: migrations migrations/embed.sh $(wildcard migrations/*.sql)
	@mkdir -p $(B)/gen
	sh migrations/embed.sh migrations/*.sql > $@.tmp && mv $@.tmp $@
$(B)/gen/%.o: $(B)/gen/%.c | $(CIPHER_H)
	@$(CC) $(GENFLAGS) $(if $(CIPHER),-isystem $(CIPHER_DIR)) -Iproto/base -Iproto/data -I$(B)/gen -c $< -o $@
$(CIPHER_DIR)/sqlite3.c $(CIPHER_DIR)/sqlite3.h &:
	sh .ci/fetch-cipher.sh $(CIPHER_DIR)
$(B)/sqlite3.o: $(CIPHER_DIR)/sqlite3.c
	@mkdir -p $(B)
	@echo CC $<
	@$(CC) $(filter -O%,$(OPT)) -w -fPIC -fvisibility=hidden -fstack-protector-strong $(SAN) $(CIPHER_FLAGS) -c $< -o $@
.PHONY: generated
generated: $(GEN_C) $(B)/gen/border.pb-c.c
GEN_H := $(B)/gen/records.pb-c.h $(B)/gen/sync.pb-c.h $(B)/gen/evidence.pb-c.h

# --- objects, each with the include path of its layer ---
define compile
$(B)/obj/$(1)/%.o: $(1)/%.c | $(GEN_H) $(CIPHER_H)
	@mkdir -p $$(@D)
	@echo CC $$<
	@$$(CC) $$(CFLAGS) $(2) -MMD -MP -c $$< -o $$@
endef
$(eval $(call compile,proto/base,$(I_base)))
$(eval $(call compile,proto/schema,$(I_schema)))
$(eval $(call compile,proto/change,$(I_change)))
$(eval $(call compile,proto/data,$(I_data)))
$(eval $(call compile,proto/wire,$(I_wire)))
$(eval $(call compile,proto/image,$(I_image)))
$(eval $(call compile,client-lib/cli,$(I_cli)))
$(eval $(call compile,client-lib,$(I_client)))
$(eval $(call compile,server/thumbnail,$(I_thumbnail)))
$(eval $(call compile,server,$(I_server)))
$(eval $(call compile,tests,$(I_test)))
$(eval $(call compile,bench,$(I_test) -Ibench))

# What the gates need to know: every layer with its include path, and its objects alone.
.PHONY: layers compile
layers:
	@printf '%s\t%s\n' client-lib/jni '$(I_jni)' proto/base '$(I_base)' proto/schema '$(I_schema)' proto/change '$(I_change)' \
		proto/data '$(I_data)' proto/wire '$(I_wire)' proto/image '$(I_image)' client-lib/cli '$(I_cli)' \
		client-lib '$(I_client)' server/thumbnail '$(I_thumbnail)' server '$(I_server)'
compile: $(call obj,$(PROTO_C) $(CLIENT_C) $(JNI_C) $(CLI_C) $(SERVER_C) $(SERVER_MAIN_C))

$(PROTO_A): $(call obj,$(PROTO_C)) $(GEN_O) $(CIPHER_O)
	@rm -f $@ && ar rcs $@ $^
$(CLIENT_A): $(call obj,$(CLIENT_C))
	@rm -f $@ && ar rcs $@ $^
$(SERVER_A): $(call obj,$(SERVER_C))
	@rm -f $@ && ar rcs $@ $^
$(B)/libocop.so: $(CLIENT_A) $(PROTO_A)
	$(CC) $(CFLAGS) -shared -o $@ -Wl,--whole-archive $(CLIENT_A) -Wl,--no-whole-archive $(PROTO_A) \
		-Wl,-z,relro,-z,now $(CLIENT_LIBS)
$(OCOP): $(call obj,$(CLI_C)) $(CLIENT_A) $(PROTO_A)
	$(CC) $(CFLAGS) -o $@ $^ $(CLIENT_LIBS)
$(OCOPD): $(call obj,$(SERVER_MAIN_C)) $(SERVER_A) $(PROTO_A)
	$(CC) $(CFLAGS) -o $@ $^ $(SERVER_LIBS)

# Built without SAN, and not of the libraries: a process that may only read and write cannot do what
# sanitizers do. They see what it does in test_picture.
# What it does not need it does not hold.
THUMBNAIL_C := $(wildcard server/thumbnail/*.c) proto/image/picture.c proto/image/exif.c proto/base/err.c
$(THUMBNAIL): $(THUMBNAIL_C) $(wildcard proto/image/*.h server/thumbnail/*.h proto/base/*.h)
	@mkdir -p $(@D)
	$(CC) $(filter-out $(SAN),$(CFLAGS)) $(I_thumbnail) -Wl,-z,relro,-z,now -o $@ $(THUMBNAIL_C) -ljpeg -lpng16

$(B)/tests/%: $(B)/obj/tests/%.o $(call obj,$(TEST_LIB_C)) $(CLIENT_A) $(SERVER_A) $(PROTO_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WRAP) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(TEST_LIBS)
$(B)/tests/procs/test_kills: $(B)/obj/tests/procs/kills_compare.o
$(B)/tests/integration/test_serve: WRAP := -Wl,--wrap=nn_sendmsg
$(B)/tests/unit/test_socket_errors: WRAP := -Wl,--wrap=nn_recvmsg -Wl,--wrap=nanosleep -Wl,--wrap=__nanosleep64
$(B)/tests/integration/test_images: WRAP := -Wl,--wrap=picture_scale
$(B)/tests/integration/test_contents: WRAP := -Wl,--wrap=blobs_answer
$(B)/tests/integration/test_travel: WRAP := -Wl,--wrap=content_part_put -Wl,--wrap=fsync
$(B)/tests/integration/test_mend: WRAP := -Wl,--wrap=registry_begin
$(B)/tests/integration/test_loose: WRAP := $(addprefix -Wl$(comma)--wrap=,store_commit store_rollback content_each content_room write)
$(B)/tests/unit/test_evidence_files: WRAP := -Wl,--wrap=content_check -Wl,--wrap=linkat -Wl,--wrap=fsync
$(B)/tests/unit/test_strip: WRAP := -Wl,--wrap=zip_follow
$(B)/tests/unit/test_content: WRAP := -Wl,--wrap=fsync
$(B)/tests/unit/test_questions: WRAP := -Wl,--wrap=sqlite3_step
# What can fail is wrapped: see tests/fault/fault.c.
WRAPPED := malloc calloc realloc fsync rename link write unlink opendir mkdir \
	$(foreach name,open pread pwrite ftruncate,$(name) $(name)64) nn_socket nn_setsockopt nn_connect nn_sendmsg nn_recvmsg
$(B)/tests/fault/test_faults: $(call obj,$(FAULT_C) $(TEST_LIB_C)) $(CLIENT_A) $(SERVER_A) $(PROTO_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(WRAPPED:%=-Wl,--wrap=%) -lcmocka $(TEST_LIBS)
# LIBFUZZER=1, as `make fuzz` sets it, puts libFuzzer in the place of replay.c.
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(if $(LIBFUZZER),,$(B)/obj/tests/fuzz/replay.o) $(call obj,$(TEST_LIB_C)) \
		$(CLIENT_A) $(SERVER_A) $(PROTO_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WRAP) $(if $(LIBFUZZER),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
		-lcmocka $(TEST_LIBS)
# Targets with a state behind them: see tests/fuzz/scene.h for what stands aside.
SCENE := $(B)/fuzz/fuzz_request $(B)/fuzz/fuzz_reply $(B)/fuzz/fuzz_files
$(SCENE): $(addprefix $(B)/obj/tests/fuzz/,scene.o scene_registry.o scene_aside.o)
$(SCENE): WRAP := $(addprefix -Wl$(comma)--wrap=,frame_seal_request frame_open_request noise_prepare \
	frame_seal_reply frame_open_reply crypto_sign_detached crypto_sign_verify_detached registry_begin registry_begin_soon \
	registry_begin_read registry_commit store_begin store_begin_read store_commit store_rollback wipe_store)
$(B)/fuzz/fuzz_import: $(B)/obj/tests/fuzz/scene_registry.o
$(B)/fuzz/fuzz_import: WRAP := $(addprefix -Wl$(comma)--wrap=,registry_begin registry_commit registry_rollback)
$(B)/fuzz/fuzz_png: $(B)/obj/server/thumbnail/png_rows.o
$(B)/fuzz/fuzz_png: WRAP := -Wl,--wrap=png_create_read_struct -Wl,--wrap=png_create_info_struct
$(B)/fuzz/fuzz_png: TEST_LIBS += -lpng16
ifdef LIBFUZZER
$(SCENE) $(B)/fuzz/fuzz_changeset: $(B)/obj/tests/fuzz/mutate.o
endif
# Curves that cost less, a count of the heap, contents in memory: see tests/sim/curve.c, memory.c
# and folder.c.
SIM_WRAPPED := $(addprefix crypto_,scalarmult_curve25519 scalarmult_curve25519_base sign_detached \
	sign_verify_detached) changeset_seal feed_page store_outbox_ready utf8proc_map \
	malloc calloc realloc strdup free open_memstream fclose \
	close fsync flock mkdir rmdir unlink rename write opendir closedir __stat64_time64 \
	$(foreach name,open stat statvfs ftruncate pread pwrite readdir,$(name) $(name)64)
$(SIM): $(call obj,$(SIM_C) tests/lib/stories.c) $(CLIENT_A) $(SERVER_A) $(PROTO_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ $(SIM_WRAPPED:%=-Wl,--wrap=%) $(TEST_LIBS)
$(B)/bench/%: $(B)/obj/bench/%.o $(call obj,$(filter-out bench/bench_%.c,$(BENCH_C)) $(CIPHER_TEST_C) \
		tests/lib/line.c tests/lib/port.c) $(CLIENT_A) $(SERVER_A) $(PROTO_A)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(WRAP) -o $@ $^ -lcmocka $(TEST_LIBS)

include client-lib/java/build.mk

.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# --- the two commands, and the rest ---
PACKAGES := gcc make pkg-config libsqlite3-dev libprotobuf-c-dev protobuf-c-compiler protobuf-compiler \
	libnanomsg-dev zlib1g-dev libsodium-dev libjansson-dev libutf8proc-dev libcsv-dev libinih-dev \
	libqrencode-dev libjpeg62-turbo-dev libpng-dev
TEST_PACKAGES := libcmocka-dev patch
CHECK_PACKAGES := clang clang-format clang-tidy cppcheck llvm-14 libclang-rt-14-dev libstdc++-12-dev \
	haproxy lld qemu-user gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-arm-linux-gnueabihf \
	libc6-dev-armhf-cross
CROSS_PACKAGES := qemu-user gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-s390x-linux-gnu \
	musl-tools
ANDROID_PACKAGES := clang lld llvm-14 patch

.PHONY: run demo test test-cipher check gates-selftest faults bench deps deps-test deps-cipher deps-check help
run: deps ## install what is missing, build, show the main job, and stay up
	$(MAKE) -s all
	bash tests/integration/demo.sh $(B) stay
demo: deps ## the same without staying up; fails unless what it shows is right
	$(MAKE) -s all
	bash tests/integration/demo.sh $(B)
deps: ; @sh .ci/packages.sh $(PACKAGES)
deps-test: ; @sh .ci/packages.sh $(PACKAGES) $(TEST_PACKAGES) $(JAVA_TEST_PACKAGES)
deps-cipher: ; @[ -e $(CIPHER_DIR)/sqlite3.c ] || command -v npm >/dev/null || sh .ci/packages.sh npm
deps-check: ; @sh .ci/packages.sh $(PACKAGES) $(TEST_PACKAGES) $(JAVA_TEST_PACKAGES) $(CHECK_PACKAGES)

test: deps-test ## install what is missing, build and run all tests
	$(MAKE) -s all tests
	sh .ci/run-tests.sh $(B)
	$(MAKE) -s test-cipher
	$(MAKE) -s demo

# The tests of stores, on encrypted ones.
CIPHER_TESTS := unit/test_recording unit/test_syncing unit/test_store_file unit/test_find \
	unit/test_migrate integration/test_check integration/test_sealing integration/test_editing integration/test_exchange \
	integration/test_threads integration/test_two_processes cipher/test_cipher cipher/test_cipher_cli \
	procs/test_java
.PHONY: cipher-tests
cipher-tests: ; @echo $(CIPHER_TESTS)
test-cipher: deps-test deps-cipher ## the tests of stores again, on encrypted ones
	$(MAKE) -s -j 2 CIPHER=1 OPT=-O1 B=build-cipher build-cipher/ocop bench-build $(CIPHER_TESTS:%=build-cipher/tests/%)
	TESTS='$(notdir $(CIPHER_TESTS))' sh .ci/run-tests.sh build-cipher
.PHONY: tests bench-build
bench-build: $(BENCHES)
.PHONY: fuzz fuzzers
fuzzers: $(FUZZ_REPLAY)
tests: $(TEST_PROGRAMS) $(JAVA_TEST) $(FUZZ_REPLAY) $(SIM) $(B)/tests/fault/test_faults $(B)/tests/integration/example_record

SEEDS ?= 1000
FIRST ?= 1
.PHONY: sim sim-planted
sim: deps-test ## simulate SEEDS=n runs from FIRST=s, one process a core; a failing run is made short
	@$(MAKE) -s $(SIM)
	$(SIM) --first=$(FIRST) --seeds=$(SEEDS)

sim-planted: deps-test ## plant bugs, one by one, and see the simulator catch each
	@$(MAKE) -s $(SIM)
	SEEDS=$(SEEDS) sh tests/sim/planted.sh $(B)

.PHONY: golden
golden: deps-test ## before a new migration: make the files of this schema, from which later programs must upgrade
	@$(MAKE) -s $(B)/tests/integration/test_upgrade
	OCOP_RECORD=1 $(B)/tests/integration/test_upgrade

CYCLES ?= 500
SEED ?= 1
.PHONY: kills
kills: deps-test ## kill server and devices through CYCLES=n, the moments drawn from SEED=s, and compare
	@$(MAKE) -s all $(B)/tests/procs/test_kills
	CYCLES=$(CYCLES) SEED=$(SEED) OCOP_BIN=$(OCOP) OCOPD_BIN=$(OCOPD) $(B)/tests/procs/test_kills

check: deps-check deps-cipher ## the gates: format, static analysis, clang, sanitizers, threads and more
	sh .ci/check.sh $(GATES)
gates-selftest: deps-check deps-cipher ## plant a breach for every gate and see it fail
	sh .ci/selftest.sh $(GATES)

CROSS ?= aarch64 armhf s390x musl
.PHONY: cross deps-cross cipher-directory cipher-flags
cipher-directory: ; @echo '$(CIPHER_DIR)'
cipher-flags: ; @echo '$(CIPHER_FLAGS)'
deps-cross: deps-test deps-cipher ; @sh .ci/packages.sh $(CROSS_PACKAGES)
cross: deps-cross ## the tests on other processors under qemu: CROSS='aarch64 armhf s390x musl', SEEDS=20
	sh .ci/cross.sh $(CROSS)

# Compiled by clang against Debian's libraries of the same processors, unless NDK names one.
ABIS ?= arm64-v8a armeabi-v7a x86_64
.PHONY: android
android: deps-test deps-cipher ## libocop as one library for Android's ABIS; NDK=... or, for one ABI, SYSROOT=... TARGET=...
	@sh .ci/packages.sh $(ANDROID_PACKAGES) $(if $(NDK)$(SYSROOT),,$(CROSS_PACKAGES))
	@for abi in $(ABIS); do NDK='$(NDK)' SYSROOT='$(SYSROOT)' TARGET='$(TARGET)' sh client-lib/android/build.sh $$abi || exit 1; done
	@$(MAKE) -s aar

.PHONY: android-java
android-java: android ## the Java tests against those of ARM, in JVMs of ARM under qemu
	@$(MAKE) -s $(JAVA_TEST)
	@for abi in $(filter-out x86_64,$(ABIS)); do sh client-lib/android/java.sh $$abi || exit 1; done

fuzz: deps-check ## fuzz each target for FUZZ_SECONDS (300) under sanitizers, from its corpus
	$(MAKE) -s -j 2 B=build-fuzz CC=clang OPT='-O1 -g' LIBFUZZER=1 \
		SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzzers
	sh .ci/fuzz.sh build-fuzz

.PHONY: fuzz-coverage
fuzz-coverage: deps-check ## how far the committed corpora reach (FUZZ_CORPUS: another directory of them)
	$(MAKE) -s -j 2 B=build-coverage CC=clang OPT='-O1 -g' \
		SAN='-fprofile-instr-generate -fcoverage-mapping' fuzzers
	sh .ci/fuzz-coverage.sh build-coverage

faults: deps-test ## fail every allocation, disk operation and file call in turn, and look for leaks: FAULT_ACT=sync for one act
	$(MAKE) -s B=build-faults SAN=-fsanitize=leak build-faults/tests/fault/test_faults
	build-faults/tests/fault/test_faults

bench: deps-test ## measure; one line per figure
	$(MAKE) -s $(BENCHES) $(if $(CIPHER),,$(JAVA_TEST) $(B)/libbench_border.so)
	@for b in $(BENCHES); do $$b || exit 1; done
	$(if $(CIPHER),,@sh bench/border.sh $(B))

.PHONY: bench-phone
bench-phone: deps ## what a small phone notices with 50,000 records: times, instructions, bytes written
	@sh .ci/packages.sh valgrind
	@$(MAKE) -s $(B)/bench/bench_phone
	@sh bench/phone.sh $(B)

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.PHONY: clean
clean: ## remove what was built
	rm -rf $(B)
