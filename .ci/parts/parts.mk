# The sources of .ci/parts/list as static libraries in P, without their own ways to build: for one compiler CC,
# which may be one for another machine. WANT: their names; S: where .ci/parts/fetch.sh put the sources.
MAKEFLAGS += --no-builtin-rules
S ?= build/parts
AR ?= ar
WANT ?= protobuf-c nanomsg z sodium jansson utf8proc jpeg
# Nothing of theirs is seen outside; what is not called goes away (--gc-sections).
PART_OPT ?= -O2
PART_FLAGS := $(PART_OPT) -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong \
	-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -w

.PHONY: all
all: $(WANT:%=$(P)/lib/lib%.a)

# part NAME SOURCES FLAGS HEADERS, of which each is `directory-or-nothing:file`
define part
$(1)_O := $$(patsubst %.c,$(P)/obj/%.o,$(2))
$$($(1)_O): $(P)/obj/%.o: %.c
	@mkdir -p $$(@D)
	@$$(CC) $$(PART_FLAGS) $(3) -c $$< -o $$@
$(P)/lib/lib$(1).a: $$($(1)_O)
	@mkdir -p $(P)/lib $(P)/include
	@cp -r $(4) $(P)/include
	@rm -f $$@ && $(AR) rcs $$@ $$($(1)_O)
	@echo "lib$(1).a: $$(words $$($(1)_O)) files"
endef

$(eval $(call part,protobuf-c,$(S)/protobuf-c/protobuf-c/protobuf-c.c,-I$(S)/protobuf-c,$(P)/gen/protobuf-c))
$(P)/lib/libprotobuf-c.a: $(P)/gen/protobuf-c/protobuf-c.h
$(P)/gen/protobuf-c/protobuf-c.h: $(S)/protobuf-c/protobuf-c/protobuf-c.h
	@mkdir -p $(@D)
	@cp $< $@

# All that Linux and bionic of API 24 have; names are looked up in the caller's thread.
NN := $(S)/nanomsg/src
NN_C := $(filter-out %_win.c,$(wildcard $(NN)/core/*.c $(NN)/aio/*.c $(NN)/utils/*.c $(NN)/devices/*.c \
	$(NN)/protocols/*/*.c $(NN)/transports/*/*.c))
NN_FLAGS := -I$(NN) -D_REENTRANT -DNN_HAVE_LINUX -DNN_STATIC_LIB -DNN_HAVE_SOCKETPAIR -DNN_HAVE_EVENTFD \
	-DNN_HAVE_PIPE -DNN_HAVE_PIPE2 -DNN_HAVE_ACCEPT4 -DNN_HAVE_EPOLL -DNN_USE_EPOLL -DNN_HAVE_POLL \
	-DNN_HAVE_CLOCK_GETTIME -DNN_HAVE_CLOCK_MONOTONIC -DNN_HAVE_UNIX_SOCKETS -DNN_USE_EVENTFD \
	-DNN_HAVE_MSG_CONTROL -DNN_HAVE_SEMAPHORE -DNN_HAVE_GCC_ATOMIC_BUILTINS -DNN_DISABLE_GETADDRINFO_A \
	-DNN_MAX_SOCKETS=512
# SMALL=1: what libocop asks for and no more. Here no transport but TCP; the list of those there are is the
# only thing that holds the others.
ifneq ($(SMALL),)
NN_C := $(filter-out $(addprefix $(NN)/transports/,inproc/% ipc/% ws/%) $(NN)/core/global.c,$(NN_C)) \
	$(P)/gen/nn_global.c
NN_FLAGS += -I$(NN)/core
$(P)/gen/nn_global.c: $(NN)/core/global.c
	@mkdir -p $(@D)
	@sed '/&nn_\(inproc\|ipc\|ws\),/d' $< >$@
endif
$(eval $(call part,nanomsg,$(NN_C),$(NN_FLAGS),$(P)/gen/nanomsg))
$(P)/lib/libnanomsg.a: $(P)/gen/nanomsg/nn.h
$(P)/gen/nanomsg/nn.h: $(NN)/nn.h
	@mkdir -p $(@D)
	@cp $(NN)/*.h $(@D)

Z_C := $(addprefix $(S)/zlib/,adler32.c compress.c crc32.c deflate.c inffast.c inflate.c inftrees.c trees.c \
	uncompr.c zutil.c)
$(eval $(call part,z,$(Z_C),-DHAVE_HIDDEN,$(S)/zlib/zlib.h $(S)/zlib/zconf.h))

# Chance comes from getrandom as a system call, where there is one, else from /dev/urandom: the function is
# not in bionic of API 24. No code for single processors but what C can say.
NA := $(S)/libsodium/src/libsodium
NA_C := $(shell find $(NA) -name '*.c' 2>/dev/null)
NA_FLAGS := -I$(P)/gen/sodium/sodium -I$(NA)/include/sodium -I$(P)/gen/sodium -I$(NA)/include -DCONFIGURED=1 \
	-DSODIUM_STATIC -DDEV_MODE=0 $(if $(WIDE),-DHAVE_TI_MODE=1) -D$(if $(BIG),NATIVE_BIG_ENDIAN,NATIVE_LITTLE_ENDIAN)=1 \
	-DHAVE_SYS_MMAN_H=1 -DHAVE_MMAP=1 -DHAVE_MLOCK=1 -DHAVE_MADVISE=1 -DHAVE_MPROTECT=1 -DHAVE_GETPID=1 \
	-DHAVE_NANOSLEEP=1 -DHAVE_PTHREAD=1 -DHAVE_WEAK_SYMBOLS=1 -DHAVE_INLINE_ASM=1 -DHAVE_POSIX_MEMALIGN=1 \
	-DHAVE_ATOMIC_OPS=1 -DHAVE_C_VARARRAYS=1 -DHAVE_ALLOCA_H=1
$(eval $(call part,sodium,$(NA_C),$(NA_FLAGS),$(NA)/include/sodium.h $(NA)/include/sodium $(P)/gen/sodium/sodium))
$(sodium_O): $(P)/gen/sodium/sodium/version.h
$(P)/gen/sodium/sodium/version.h: $(NA)/include/sodium/version.h.in
	@mkdir -p $(@D)
	@sed 's/@VERSION@/1.0.18/; s/@SODIUM_LIBRARY_VERSION_MAJOR@/10/; s/@SODIUM_LIBRARY_VERSION_MINOR@/3/; /@.*@/d' $< >$@

J := $(S)/jansson
$(eval $(call part,jansson,$(wildcard $(J)/src/*.c),-I$(P)/gen/jansson -I$(J)/android -DHAVE_STDINT_H=1 -DHAVE_UNISTD_H=1 \
	-DHAVE_FCNTL_H=1 -DHAVE_OPEN=1 -DHAVE_READ=1 -DHAVE_CLOSE=1 -DHAVE_GETPID=1 -DHAVE_GETTIMEOFDAY=1 \
	-DHAVE_SYS_TYPES_H=1 -DHAVE_SYS_TIME_H=1 -DHAVE_SYNC_BUILTINS=1 -DHAVE_ATOMIC_BUILTINS=1 \
	-DUSE_URANDOM=1,$(J)/src/jansson.h $(J)/android/jansson_config.h))

$(jansson_O): $(P)/gen/jansson/jansson_private_config.h
$(P)/gen/jansson/jansson_private_config.h: # what it would hold stands above
	@mkdir -p $(@D)
	@: >$@

U := $(S)/utf8proc
# Of each of 8,250 properties 24 bytes become 12: no upper, lower and title case (there is folding besides),
# and numbers in as many bits as they have.
ifneq ($(SMALL),)
U := $(P)/gen/utf8proc
$(U)/utf8proc.c: $(S)/utf8proc/utf8proc.c
	@mkdir -p $(@D)
	@sed -e '/^typedef struct utf8proc_property_struct/,/^}/ s/^  unsigned /  utf8proc_uint16_t /' \
		-e '/^typedef struct utf8proc_property_struct/,/^}/ s/^  utf8proc_propval_t /  utf8proc_uint8_t /' \
		-e '/^typedef struct utf8proc_property_struct/,/^}/ { /\(upper\|lower\|title\)case_seqindex/d }' \
		$(S)/utf8proc/utf8proc.h >$(U)/utf8proc.h
	@sed 's/^\(  {\([^,]*,\)\{6\}\)\([^,]*,\)\{3\}\(\([^,]*,\)\{7\}[^,]*},\)/\1\4/' $(S)/utf8proc/utf8proc_data.c >$(U)/utf8proc_data.c
	@sed 's/\(p\|utf8proc_get_property(c)\)->\(upper\|lower\|title\)case_seqindex/UINT16_MAX/g' $< >$@
$(U)/utf8proc.h: $(U)/utf8proc.c
$(P)/lib/libutf8proc.a: $(U)/utf8proc.h
endif
$(eval $(call part,utf8proc,$(U)/utf8proc.c,-DUTF8PROC_STATIC -DUTF8PROC_EXPORTS,$(U)/utf8proc.h))

# In C alone: what it decodes is decoded once, and a fifth of its size would be code for single processors. No
# arithmetic coding, which no camera writes; files and memory as ends have no use here, and temporary files no place.
JT := $(S)/libjpeg-turbo
JT_C := $(addprefix $(JT)/,$(addsuffix .c,jcapimin jcapistd jccoefct jccolor jcdctmgr jchuff jcinit jcmainct jcmarker \
	jcmaster jcomapi jcparam jcphuff jcprepct jcsample jdapimin jdapistd jdcoefct jdcolor jddctmgr jdhuff jdinput \
	jdmainct jdmarker jdmaster jdmerge jdphuff jdpostct jdsample jerror jfdctflt jfdctfst jfdctint jidctflt jidctfst \
	jidctint jidctred jquant1 jquant2 jutils jmemmgr jmemnobs jsimd_none))
# The tests make photos in memory.
JT_C += $(JT)/jdatadst.c $(JT)/jdatasrc.c
$(eval $(call part,jpeg,$(JT_C),-I$(P)/gen/jpeg -I$(JT) -DNO_GETENV -include errno.h -DUSE_CLZ_INTRINSIC=,\
	$(JT)/jpeglib.h $(JT)/jmorecfg.h $(JT)/jerror.h $(P)/gen/jpeg/jconfig.h))
$(jpeg_O): $(P)/gen/jpeg/jconfig.h
$(P)/gen/jpeg/jconfig.h:
	@mkdir -p $(@D)
	@printf '#define JPEG_LIB_VERSION 62\n#define LIBJPEG_TURBO_VERSION 2.1.5\n#define LIBJPEG_TURBO_VERSION_NUMBER 2001005\n#define MEM_SRCDST_SUPPORTED 1\n#define BITS_IN_JSAMPLE 8\n' >$@
	@printf '#define BUILD "ocop"\n#define INLINE inline\n#define THREAD_LOCAL __thread\n#define PACKAGE_NAME "libjpeg-turbo"\n#define VERSION "2.1.5"\n#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__\n#define FALLTHROUGH __attribute__((fallthrough));\n' >$(@D)/jconfigint.h
	@sed 's/@COPYRIGHT_YEAR@/2023/' $(JT)/jversion.h.in >$(@D)/jversion.h

# SQLite for a program that has no other: CIPHER_DIR holds its amalgamation, CIPHER_FLAGS are the Makefile's.
$(P)/lib/libsqlite3.a: $(CIPHER_DIR)/sqlite3.c
	@mkdir -p $(P)/lib $(P)/include
	@$(CC) $(PART_FLAGS) $(CIPHER_FLAGS) -c $< -o $(P)/sqlite3.o
	@cp $(CIPHER_DIR)/sqlite3.h $(P)/include
	@rm -f $@ && $(AR) rcs $@ $(P)/sqlite3.o

# for ocopd and the tests alone
$(eval $(call part,inih,.ci/parts/ini/ini.c,,.ci/parts/ini/ini.h))
$(eval $(call part,csv,$(S)/libcsv/libcsv.c,,$(S)/libcsv/csv.h))
QR := $(S)/qrencode
QR_C := $(filter-out %qrenc.c,$(wildcard $(QR)/*.c))
$(eval $(call part,qrencode,$(QR_C),-DMAJOR_VERSION=4 -DMINOR_VERSION=1 -DMICRO_VERSION=1 -DVERSION='"4.1.1"' \
	-DSTATIC_IN_RELEASE=static -DHAVE_STRDUP=1,$(QR)/qrencode.h))
$(eval $(call part,cmocka,$(S)/cmocka/src/cmocka.c,-I$(S)/cmocka/include -DHAVE_INTTYPES_H=1 -DHAVE_STDINT_H=1 \
	-DHAVE_STRUCT_TIMESPEC=1 -DHAVE_CLOCK_GETTIME=1 -DHAVE_CLOCK_REALTIME=1 -DHAVE_SETJMP_H=1 -DHAVE_UNISTD_H=1 \
	-DHAVE_STRSIGNAL=1 -DHAVE_SIGNAL_H=1 -DHAVE_MALLOC_H=1 -DHAVE_STDLIB_H=1 -DHAVE_STRING_H=1 -DHAVE_TIME_H=1 -D'HAVE_GCC_THREAD_LOCAL_STORAGE=1',\
	$(S)/cmocka/include/cmocka.h $(S)/cmocka/include/cmocka_pbc.h))
