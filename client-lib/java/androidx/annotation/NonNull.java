package androidx.annotation;

import java.lang.annotation.Documented;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;

/**
 * To compile against, and in no jar of ours: Kotlin and Android's tools know the name from the class
 * files, whether or not the app has the library of that name.
 */
@Documented
@Retention(RetentionPolicy.CLASS)
public @interface NonNull {}
