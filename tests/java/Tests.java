package vn.ocop.field;

import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs the tests of the classes named, and says so in the words of cmocka. */
public final class Tests {
    public static void main(String[] names) throws Exception {
        Class<?>[] classes = new Class<?>[names.length];
        for (int i = 0; i < names.length; i++) {
            classes[i] = Class.forName("vn.ocop.field." + names[i]);
        }
        JUnitCore core = new JUnitCore();
        core.addListener(new Words());
        Result result = core.run(Request.classes(classes));
        Field.end();
        int passed = result.getRunCount() - result.getFailureCount();
        System.out.printf("[  PASSED  ] %d test(s).%n", passed);
        boolean whole = result.wasSuccessful() && result.getIgnoreCount() == 0 && passed > 0;
        System.exit(whole ? 0 : 1);
    }

    private static final class Words extends RunListener {
        private boolean failed;

        @Override
        public void testStarted(Description test) {
            failed = false;
            System.out.println("[ RUN      ] " + test.getMethodName());
        }

        @Override
        public void testFailure(Failure failure) {
            failed = true;
            System.out.println("[  FAILED  ] " + failure.getTestHeader());
            System.out.println(failure.getTrace());
        }

        @Override
        public void testFinished(Description test) {
            if (!failed) {
                System.out.println("[       OK ] " + test.getMethodName());
            }
        }
    }
}
