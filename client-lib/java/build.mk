# The Java binding: jar, native library, tests. Included by the Makefile.
JAVA_PACKAGES := default-jdk-headless libprotobuf-java
JAVA_TEST_PACKAGES := $(JAVA_PACKAGES) junit4
JDK = $(patsubst %/bin/javac,%,$(realpath $(shell command -v javac)))
JARS := /usr/share/java
# Java 8 is what Android's tools turn into what API 24 has.
JAVAC := javac --release 8 -encoding UTF-8 -Xlint:all,-options -Werror
# Compiled against, and in no jar: see androidx/annotation.
JAVA_ANNOTATIONS := $(wildcard client-lib/java/androidx/annotation/*.java)
JAVA_SRC := $(wildcard client-lib/java/vn/ocop/field/*.java)
JAVA_TEST_SRC := $(wildcard tests/java/*.java bench/*.java client-lib/java/sample/*.java)
J := $(B)/java
JAVA_JAR := $(J)/ocop-field.jar
JNI_C := $(wildcard client-lib/jni/*.c)
JNI_SO := $(B)/libocop_jni.so
JAVA_TEST := $(B)/tests/procs/test_java
JAVA_TESTS := $(if $(CIPHER),KeyTest,RecordTest SyncTest FileTest SampleTest BorderTest AarTest)
I_jni = -Iproto/base -Iclient-lib -isystem $(B)/gen -isystem $(JDK)/include -isystem $(JDK)/include/linux

$(B)/gen/border.pb-c.c $(B)/gen/border.pb-c.h &: client-lib/jni/border.proto
	@mkdir -p $(B)/gen
	protoc-c --proto_path=client-lib/jni --c_out=$(B)/gen border.proto
$(B)/obj/client-lib/jni/%.o: client-lib/jni/%.c $(B)/gen/border.pb-c.h | $(GEN_H)
	@mkdir -p $(@D)
	@echo CC $<
	@$(CC) $(CFLAGS) $(I_jni) -MMD -MP -c $< -o $@
$(JNI_SO): $(call obj,$(JNI_C)) $(B)/gen/border.pb-c.o $(CLIENT_A) $(PROTO_A) client-lib/jni/exports.map
	$(CC) $(CFLAGS) -shared -o $@ -Wl,--version-script=client-lib/jni/exports.map -Wl,-z,relro,-z,now,-z,defs \
		$(filter %.o %.a,$^) $(CLIENT_LIBS)

$(B)/libbench_border.so: bench/border.c $(CLIENT_A) $(PROTO_A)
	$(CC) $(CFLAGS) $(I_jni) -shared -o $@ -Wl,-z,defs $^ $(CLIENT_LIBS)

$(B)/libjni_faults.so: tests/java/faults.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -D_GNU_SOURCE $(I_jni) -shared -o $@ -Wl,-z,defs $<

# Generated code is compiled apart: its warnings are not ours.
$(J)/generated.stamp: proto/schema/records.proto client-lib/jni/border.proto $(JAVA_ANNOTATIONS)
	@rm -rf $(J)/gen $(J)/classes $(J)/annotations
	@mkdir -p $(J)/gen $(J)/classes $(J)/annotations
	protoc --proto_path=proto/schema --proto_path=client-lib/jni --java_out=lite:$(J)/gen records.proto border.proto
	@javac --release 8 -encoding UTF-8 -nowarn -Xlint:-options -d $(J)/annotations $(JAVA_ANNOTATIONS)
	@javac --release 8 -encoding UTF-8 -nowarn -Xlint:-options -cp $(JARS)/protobuf.jar -d $(J)/classes \
		$$(find $(J)/gen -name '*.java')
	@touch $@
$(JAVA_JAR): $(J)/generated.stamp $(JAVA_SRC)
	$(JAVAC) -cp $(J)/classes:$(J)/annotations:$(JARS)/protobuf.jar -d $(J)/classes $(JAVA_SRC)
	@jar --create --date=1980-01-01T00:00:02Z --file=$@ -C $(J)/classes .

# A program like the other tests: it says what it ran in the words of cmocka.
$(JAVA_TEST): $(JAVA_JAR) $(JNI_SO) $(B)/libjni_faults.so $(JAVA_TEST_SRC) tests/java/run.sh | $(OCOPD) $(THUMBNAIL)
	@mkdir -p $(J)/tests $(@D)
	$(JAVAC) -Xlint:-try -cp $(JAVA_JAR):$(JARS)/protobuf.jar:$(JARS)/junit4.jar -d $(J)/tests $(JAVA_TEST_SRC)
	@sed 's/@CLASSES@/$(JAVA_TESTS)/' tests/java/run.sh >$@ && chmod +x $@

.PHONY: aar
aar: ## an Android library of what `make android` has built: build/android/ocop-field.aar
	@sh .ci/packages.sh $(PACKAGES) $(JAVA_PACKAGES)
	@$(MAKE) -s $(JAVA_JAR)
	@sh client-lib/java/aar.sh build/android $(JAVA_JAR) build/android/ocop-field.aar

# Every public method has its javadoc: client-lib/java alone, for what is generated has what protoc writes.
.PHONY: javadoc
javadoc: $(JAVA_JAR) ## the javadoc of the Java binding, in BUILD/java/doc
	@rm -rf $(J)/doc
	@javadoc -quiet -Xdoclint:all -Werror -protected -encoding UTF-8 --release 8 -notimestamp -d $(J)/doc \
		-classpath $(J)/classes:$(J)/annotations:$(JARS)/protobuf.jar $(JAVA_SRC)

.PHONY: java
java: ## the jar and the native library of the Java binding
	@sh .ci/packages.sh $(PACKAGES) $(JAVA_PACKAGES)
	@$(MAKE) -s $(JAVA_JAR) $(JNI_SO)
