import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import software.amazon.event.ruler.GenericMachine;

/**
 * AWS event-ruler on the same bytes as bench/match: Match RULES EVENTS REPEAT
 *
 * Prints the same line of JSON. Its API takes strings, so bytes become strings before the clock
 * starts; nor does the warm-up count, passes for two seconds, until the compiler has seen the work.
 * Rules that the engine refuses end it with status 3.
 */
public class Match {
    private static final int LISTED = 1000;
    private static final long WARM_UP_NS = 2_000_000_000L;

    private static void fail(int status, String text) {
        System.err.println("match-event-ruler: " + text);
        System.exit(status);
    }

    private static double peakRssMb() throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Double.parseDouble(line.split("\\s+")[1]) / 1024;
            }
        }
        return 0;
    }

    private static void pass(GenericMachine<Integer> machine, List<String> events, long[] matches)
            throws Exception {
        for (String event : events) {
            for (int id : machine.rulesForJSONEvent(event)) {
                matches[id]++;
            }
        }
    }

    private static String matchesJson(List<String> names, long[] matches, int passes)
            throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        var members = mapper.createObjectNode();
        long sum = 0;
        for (int i = 0; i < matches.length; i++) {
            sum += matches[i] / passes;
            members.put(names.get(i), matches[i] / passes);
        }
        return names.size() > LISTED ? Long.toString(sum) : mapper.writeValueAsString(members);
    }

    public static void main(String[] arguments) throws Exception {
        int repeat = arguments.length == 3 ? Integer.parseInt(arguments[2]) : 0;
        if (repeat < 1) {
            fail(2, "usage: Match RULES EVENTS REPEAT");
        }
        List<String> events = Files.readAllLines(Path.of(arguments[1]));
        long started = System.nanoTime();
        GenericMachine<Integer> machine = GenericMachine.<Integer>builder().build();
        List<String> names = new ArrayList<>();
        JsonNode rules = new ObjectMapper().readTree(new File(arguments[0]));
        for (Map.Entry<String, JsonNode> rule : rules.properties()) {
            try {
                machine.addRule(names.size(), rule.getValue().toString());
            } catch (Exception e) {
                fail(3, rule.getKey() + ": " + e.getMessage());
            }
            names.add(rule.getKey());
        }
        double buildS = (System.nanoTime() - started) / 1e9;

        long[] matches = new long[names.size()];
        started = System.nanoTime();
        do {
            pass(machine, events, new long[names.size()]);
        } while (System.nanoTime() - started < WARM_UP_NS);

        started = System.nanoTime();
        for (int i = 0; i < repeat; i++) {
            pass(machine, events, matches);
        }
        double seconds = (System.nanoTime() - started) / 1e9;
        long count = (long) events.size() * repeat;
        System.out.printf(Locale.ROOT,
                "{\"engine\": \"event-ruler\", \"build_s\": %.4f, \"events\": %d, \"seconds\": %.4f, "
                        + "\"events_per_s\": %.0f, \"matches\": %s, \"peak_rss_mb\": %.1f}%n",
                buildS, count, seconds, count / seconds, matchesJson(names, matches, repeat),
                peakRssMb());
    }
}
