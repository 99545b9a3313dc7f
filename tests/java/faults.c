/* Java's side of the border made worse, for the thread that asks for it: the n-th array or object
 * that C wants is not to be had, or the collector moves all that lives before and after each thing
 * that C asks of Java. */
#include <jni.h>
#include <jvmti.h>
#include <malloc.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

static const struct JNINativeInterface_ *as_it_is;
static struct JNINativeInterface_ worse;
static jvmtiEnv *collector;
static jclass no_memory;
static int left, fired, moving, moved;

static void move(void)
{
    if (moving && (*collector)->ForceGarbageCollection(collector) == JVMTI_ERROR_NONE)
        moved++;
}

/* Is it this one? Then the exception is on its way that Java throws itself. */
static int fails(JNIEnv *env)
{
    if (left == 0 || --left > 0)
        return 0;
    fired = 1;
    as_it_is->ThrowNew(env, no_memory, "planted");
    return 1;
}

static jbyteArray JNICALL new_array(JNIEnv *env, jsize len)
{
    jbyteArray out;

    if (fails(env))
        return NULL;
    move();
    out = as_it_is->NewByteArray(env, len);
    move();
    return out;
}

static jobject JNICALL new_object(JNIEnv *env, jclass c, jmethodID m, ...)
{
    va_list args;
    jobject out;

    if (fails(env))
        return NULL;
    move();
    va_start(args, m);
    out = as_it_is->NewObjectV(env, c, m, args);
    va_end(args);
    move();
    return out;
}

static void JNICALL get_region(JNIEnv *env, jbyteArray a, jsize start, jsize len, jbyte *out)
{
    move();
    as_it_is->GetByteArrayRegion(env, a, start, len, out);
    move();
}

static void JNICALL set_region(JNIEnv *env, jbyteArray a, jsize start, jsize len, const jbyte *in)
{
    move();
    as_it_is->SetByteArrayRegion(env, a, start, len, in);
    move();
}

static jboolean JNICALL call_boolean(JNIEnv *env, jclass c, jmethodID m, ...)
{
    va_list args;
    jboolean out;

    move();
    va_start(args, m);
    out = as_it_is->CallStaticBooleanMethodV(env, c, m, args);
    va_end(args);
    move();
    return out;
}

static void arm(JNIEnv *env)
{
    if (*env != &worse) {
        as_it_is = *env;
        worse = *as_it_is;
        worse.NewByteArray = new_array;
        worse.NewObject = new_object;
        worse.GetByteArrayRegion = get_region;
        worse.SetByteArrayRegion = set_region;
        worse.CallStaticBooleanMethod = call_boolean;
        *env = &worse;
    }
    fired = moved = 0;
}

static void JNICALL fail_at(JNIEnv *env, jclass c, jint n)
{
    (void)c;
    arm(env);
    left = n;
}

static void JNICALL move_always(JNIEnv *env, jclass c)
{
    (void)c;
    arm(env);
    moving = 1;
}

/* How often it failed or moved. */
static jint JNICALL relent(JNIEnv *env, jclass c)
{
    (void)c;
    *env = as_it_is;
    left = moving = 0;
    return fired + moved;
}

static jlong JNICALL allocated(JNIEnv *env, jclass c)
{
    struct mallinfo2 m;

    (void)env;
    (void)c;
    (void)malloc_trim(0);
    m = mallinfo2();
    return (jlong)(m.uordblks + m.hblkhd);
}

#define METHOD(name, types, function)                                                              \
    {                                                                                              \
        (char *)(uintptr_t)(name), (char *)(uintptr_t)(types), (void *)(uintptr_t)(function)       \
    }

JNIEXPORT jint JNI_OnLoad(JavaVM *vm, void *reserved)
{
    static const JNINativeMethod methods[] = {
        METHOD("failAt", "(I)V", fail_at),
        METHOD("moveAlways", "()V", move_always),
        METHOD("relent", "()I", relent),
        METHOD("allocated", "()J", allocated),
    };
    JNIEnv *env;
    jclass c;

    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) != JNI_OK ||
        (*vm)->GetEnv(vm, (void **)&collector, JVMTI_VERSION_1_2) != JNI_OK)
        return JNI_ERR;
    c = (*env)->FindClass(env, "java/lang/OutOfMemoryError");
    no_memory = c ? (*env)->NewGlobalRef(env, c) : NULL;
    c = no_memory ? (*env)->FindClass(env, "vn/ocop/field/Faults") : NULL;
    if (!c || (*env)->RegisterNatives(env, c, methods, sizeof methods / sizeof *methods) != JNI_OK)
        return JNI_ERR;
    return JNI_VERSION_1_6;
}
