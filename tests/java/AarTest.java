package vn.ocop.field;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.Test;

/** The Android library holds what it should and no more, whatever the native code in it. */
public class AarTest {
    @Test
    public void the_library_for_android_holds_what_it_should_and_no_more() throws Exception {
        Path tree = Files.createTempDirectory(Field.centre().dir, "aar");
        Path first = pack(tree, "one.aar");
        Map<String, byte[]> aar = unzip(Files.newInputStream(first));
        assertEquals("[AndroidManifest.xml, R.txt, classes.jar, jni/arm64-v8a/libocop_jni.so, "
                + "jni/x86_64/libocop_jni.so, proguard.txt]", aar.keySet().toString());
        String manifest = text(aar.get("AndroidManifest.xml"));
        assertEquals("android.permission.INTERNET", only(manifest, "<uses-permission android:name=\"([^\"]+)\""));
        assertEquals("24", only(manifest, "minSdkVersion=\"(\\d+)\""));
        Map<String, byte[]> classes = unzip(new ByteArrayInputStream(aar.get("classes.jar")));
        assertTrue(classes.containsKey("vn/ocop/field/FieldStore.class"));
        assertTrue(classes.containsKey("vn/ocop/field/records/Inspection.class"));
        for (Map.Entry<String, byte[]> c : classes.entrySet()) {
            boolean ours = c.getKey().startsWith("vn/ocop/field/") || c.getKey().startsWith("META-INF/");
            assertTrue(c.getKey(), ours);
            if (c.getKey().endsWith(".class")) {
                assertEquals("Java 8: " + c.getKey(), 52, c.getValue()[7]);
            }
        }
        assertArrayEquals("the same input, the same bytes",
                Files.readAllBytes(first), Files.readAllBytes(pack(tree, "two.aar")));
    }

    /** What C asks for by name must outlive an app's shrinker. */
    @Test
    public void the_rules_keep_what_c_finds_by_name() throws Exception {
        String rules = text(Files.readAllBytes(Paths.get("client-lib/java/aar/proguard.txt")));
        String c = text(Files.readAllBytes(Paths.get("client-lib/jni/border.c")))
                + text(Files.readAllBytes(Paths.get("client-lib/jni/native.c")));
        int names = 0;
        for (Matcher m = Pattern.compile("\"(?:L?)(vn/ocop/field/\\w+)|(?:MethodID\\([^;]*?\"(\\w+|<init>)\")").matcher(c);
                m.find(); names++) {
            String name = m.group(1) != null ? m.group(1).replace('/', '.') : m.group(2);
            assertTrue(name, rules.contains(name));
        }
        assertTrue(names + " names", names >= 6);
        assertFalse("what the rules name is there", rules.matches("(?s).*class vn\\.ocop\\.field\\.(?!Native|SyncListener|CheckListener|OcopException).*"));
    }

    private static Path pack(Path tree, String name) throws Exception {
        for (String abi : new String[] {"arm64-v8a", "x86_64"}) {
            Files.createDirectories(tree.resolve(abi));
            Files.write(tree.resolve(abi).resolve("libocop_jni.so"), abi.getBytes(StandardCharsets.UTF_8));
        }
        String jar = System.getProperty("java.class.path").replaceAll(".*?([^:]*ocop-field\\.jar).*", "$1");
        Path out = tree.resolve(name);
        Process p = new ProcessBuilder("sh", "client-lib/java/aar.sh", tree.toString(), jar, out.toString())
                .redirectErrorStream(true).redirectOutput(tree.resolve("said").toFile()).start();
        assertEquals(0, p.waitFor());
        return out;
    }

    private static Map<String, byte[]> unzip(InputStream in) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        try (ZipInputStream zip = new ZipInputStream(in)) {
            for (ZipEntry e = zip.getNextEntry(); e != null; e = zip.getNextEntry()) {
                ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                byte[] room = new byte[4096];
                for (int n = zip.read(room); n > 0; n = zip.read(room)) {
                    bytes.write(room, 0, n);
                }
                if (!e.isDirectory()) {
                    files.put(e.getName(), bytes.toByteArray());
                }
            }
        }
        return files;
    }

    private static String only(String text, String pattern) {
        Matcher m = Pattern.compile(pattern).matcher(text);
        assertTrue(pattern, m.find());
        String found = m.group(1);
        assertFalse("more than one: " + pattern, m.find());
        return found;
    }

    private static String text(byte[] utf8) {
        return new String(utf8, StandardCharsets.UTF_8);
    }
}
