/*
 * The same events folded in processes with different hash seeds give the same bytes: Lua's seed is
 * made of addresses and the time, and address layout is random in each process.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/digest.h"
#include "tests/unit/rules/support.h"

#define EVENTS 10000
#define KEYS 50

static const char text[] =
	"local order = { alpha = 1, beta = 2, gamma = 3, delta = 4 }\n"
	"projection \"mix\" {\n"
	"  on = { type = \"t\" }, key = \"data.k\", init = { seen = {}, log = \"\" },\n"
	"  fold = function(state, event)\n"
	"    state.seen[event.data.word] = (state.seen[event.data.word] or 0) + event.data.n\n"
	"    local out = {}\n"
	"    for name, value in pairs(state.seen) do out[#out + 1] = name .. value end\n"
	"    for name in pairs(order) do out[#out + 1] = name end\n"
	"    table.sort(out, function(a, b) return #a < #b end)\n"
	"    state.log = table.concat(out, \",\"):sub(-200)\n"
	"    state.first = next(state.seen)\n"
	"    state.x = (state.x or 0) + event.data.f / 3\n"
	"    state.event = event.data\n"
	"    return state\n"
	"  end,\n"
	"}\n";

static struct dal_digest run(void)
{
	struct fixture f;
	struct dal_vm_entry *entries[KEYS];
	struct dal_digester *digester = dal_digester_new();
	fixture_load(&f, text);
	for (int i = 0; i < KEYS; i++) {
		entries[i] = dal_vm_entry_new(f.vm, 0);
	}
	for (int i = 0; i < EVENTS; i++) {
		char event[256];
		snprintf(event, sizeof(event),
			 "{\"type\":\"t\",\"data\":{\"k\":%d,\"word\":\"w%d\",\"n\":%d,"
			 "\"f\":%d.25,\"z\":[1,{\"b\":1,\"a\":2}]}}",
			 i % KEYS, i * 7919 % 23, i, i);
		fixture_event(&f, event);
		assert_int_equal(dal_vm_fold(f.vm, 0, entries[i % KEYS]), 0);
	}
	for (int i = 0; i < KEYS; i++) {
		struct dal_buffer json = {0}, again = {0};
		struct dal_vm_entry *read;
		dal_vm_entry_encode(entries[i], &json);
		assert_int_equal(dal_vm_entry_decode(f.vm, 0, dal_buffer_slice(&json), &read), 0);
		dal_vm_entry_encode(read, &again);
		assert_true(dal_slice_equal(dal_buffer_slice(&json), dal_buffer_slice(&again)));
		dal_digester_add(digester, dal_buffer_slice(&json));
		dal_vm_entry_free(read);
		dal_vm_entry_free(entries[i]);
		dal_buffer_deinit(&json);
		dal_buffer_deinit(&again);
	}
	fixture_free(&f);
	return dal_digester_finish_take(digester);
}

/* The digest that another process finds: this program, run again. */
static struct dal_digest ask(void)
{
	int ends[2];
	struct dal_digest digest;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		char descriptor[16];
		snprintf(descriptor, sizeof(descriptor), "%d", ends[1]);
		execl("/proc/self/exe", "determinism", descriptor, (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], digest.bytes, sizeof(digest.bytes)), sizeof(digest.bytes));
	close(ends[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return digest;
}

static void test_processes(void **state)
{
	(void)state;
	struct dal_digest first = ask();
	for (int i = 0; i < 3; i++) {
		struct dal_digest other = ask();
		assert_memory_equal(first.bytes, other.bytes, sizeof(first.bytes));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processes),
	};
	if (argc > 1) {
		struct dal_digest digest = run();
		return write((int)strtol(argv[1], NULL, 10), digest.bytes, sizeof(digest.bytes)) <
		       0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
