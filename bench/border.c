/* The two calls of BorderBench.java in C: in the same thread of the same process, where memory and
 * locks cost what they cost there, and on a handle of its own. */
#include <jni.h>
#include <time.h>

#include "ocop.h"

static double cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The processor time of one ocop_load, and of one ocop_amend that changes nothing. */
static bool measure(struct ocop_store *store, const struct ocop_id *id, jint calls, double *load_ns,
                    double *amend_ns)
{
    ProtobufCMessage *m = NULL;
    double begin = cpu_ns();

    for (jint i = 0; i < calls; i++) {
        ocop_free(m);
        if (ocop_load(store, id, &m, NULL) != OCOP_OK)
            return false;
    }
    *load_ns = (cpu_ns() - begin) / calls;
    begin = cpu_ns();
    for (jint i = 0; i < calls; i++) {
        if (ocop_amend(store, m, "không đổi", NULL) != OCOP_OK)
            return false;
    }
    *amend_ns = (cpu_ns() - begin) / calls;
    ocop_free(m);
    return true;
}

jboolean Java_vn_ocop_field_BorderBench_inC(JNIEnv *env, jclass c, jstring path, jstring id,
                                            jint calls, jdoubleArray ns);
JNIEXPORT jboolean JNICALL Java_vn_ocop_field_BorderBench_inC(JNIEnv *env, jclass c, jstring path,
                                                              jstring id, jint calls,
                                                              jdoubleArray ns)
{
    const char *p = (*env)->GetStringUTFChars(env, path, NULL);
    const char *i = (*env)->GetStringUTFChars(env, id, NULL);
    struct ocop_store *store = NULL;
    struct ocop_id parsed;
    double took[2] = {0, 0};
    bool done = p && i && ocop_id_parse(i, &parsed) &&
                ocop_open(p, NULL, &store, NULL) == OCOP_OK &&
                measure(store, &parsed, calls, &took[0], &took[1]);

    (void)c;
    ocop_close(store);
    (*env)->SetDoubleArrayRegion(env, ns, 0, 2, took);
    (*env)->ReleaseStringUTFChars(env, id, i);
    (*env)->ReleaseStringUTFChars(env, path, p);
    return done;
}
