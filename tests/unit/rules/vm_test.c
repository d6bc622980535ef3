/* Guards, emits, keys, folds and views as rules.md describes them. */
#include "tests/unit/rules/support.h"

#define ORDER                                                                                      \
	"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"order.placed\","       \
	"\"subject\":\"o1\",\"time\":\"2026-11-24T10:00:00Z\",\"region\":\"eu\","                  \
	"\"data\":{\"customer\":\"c1\",\"total\":1200,\"country\":\"FR\",\"sku\":\"A-1\","         \
	"\"big\":9007199254740993,\"none\":null,\"tags\":[\"x\",{\"y\":1.5},[]],\"empty\":{}}}"

static const char shop[] =
	"rule \"large-order\" {\n"
	"  by = \"data.customer\",\n"
	"  on = { type = \"order.placed\", data = { total = numeric(\">=\", 1000), country = { "
	"\"FR\", \"DE\" }, sku = prefix \"A-\" } },\n"
	"  when = function(event)\n"
	"    local customer = view(\"customer-totals\", event.data.customer)\n"
	"    return not customer or event.data.total > 2 * customer.average\n"
	"  end,\n"
	"  call = \"fraud-check\",\n"
	"  emit = function(event)\n"
	"    return { type = \"order.flagged\", subject = event.subject, level = 3, data = { "
	"risk = 0.5, n = 1, tags = event.data.tags } }\n"
	"  end,\n"
	"}\n"
	"projection \"customer-totals\" {\n"
	"  version = 2,\n"
	"  on = { topic = \"events\", type = { \"order.placed\", \"order.cancelled\" } },\n"
	"  key = \"data.customer\",\n"
	"  init = { orders = 0, total = 0, average = 0 },\n"
	"  fold = function(state, event)\n"
	"    local sign = event.type == \"order.placed\" and 1 or -1\n"
	"    state.orders = state.orders + sign\n"
	"    state.total = state.total + sign * event.data.total\n"
	"    state.average = state.orders > 0 and state.total / state.orders or 0\n"
	"    return state\n"
	"  end,\n"
	"}\n";

static void test_shop(void **state)
{
	(void)state;
	struct fixture f;
	fixture_load(&f, shop);
	fixture_event(&f, ORDER);
	const uint32_t *ids;
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(dal_rules_matcher(f.rules));
	assert_int_equal(dal_matcher_match(dal_rules_matcher(f.rules), scratch, f.json,
					   DAL_JSON_ROOT, &ids),
			 2);
	assert_int_equal(ids[0], 0);
	assert_int_equal(ids[1], 1);
	dal_matcher_scratch_free(scratch);

	const struct dal_rule *rule = dal_rules_rule(f.rules, 0);
	assert_string_equal(rule->name, "large-order");
	assert_string_equal(rule->calls[0], "fraud-check");
	assert_null(rule->calls[1]);
	assert_true(rule->has_when && rule->has_emit);
	assert_slice(dal_path_text(rule->by), "data.customer");
	const struct dal_projection *projection = dal_rules_projection(f.rules, 0);
	assert_int_equal(projection->version, 2);
	assert_string_equal(projection->topics[0], "events");
	assert_int_equal(projection->on_error, DAL_ON_ERROR_PARK);
	assert_slice(projection->init, "{\"average\":0,\"orders\":0,\"total\":0}");
	assert_int_equal(strlen(projection->digest), 64);
	assert_int_equal(dal_rules_projection_index(f.rules, dal_slice_text("customer-totals")), 0);
	assert_int_equal(dal_rules_projection_index(f.rules, dal_slice_text("other")), -1);

	assert_int_equal(dal_vm_when(f.vm, 0), 0);
	assert_string_equal(f.asked, "0 c1");
	const struct dal_slice *keys;
	size_t count;
	assert_int_equal(dal_vm_keys(f.vm, 0, &keys, &count), 0);
	assert_int_equal(count, 1);
	assert_slice(keys[0], "c1");
	f.seen = dal_vm_entry_new(f.vm, 0);
	assert_false(dal_vm_entry_exists(f.seen));
	assert_int_equal(dal_vm_fold(f.vm, 0, f.seen), 0);
	assert_entry(f.seen, "{\"average\":1200.0,\"orders\":1,\"total\":1200}");
	assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_NO); /* 1200 is not more than 2 * 1200 */

	const struct dal_vm_emitted *emitted;
	assert_int_equal(dal_vm_emit(f.vm, 0, &emitted, &count), 0);
	assert_int_equal(count, 1);
	assert_slice(emitted[0].type, "order.flagged");
	assert_slice(emitted[0].subject, "o1");
	assert_slice(emitted[0].data, "{\"n\":1,\"risk\":0.5,\"tags\":[\"x\",{\"y\":1.5},[]]}");
	assert_int_equal(emitted[0].source.size, 0);
	assert_int_equal(emitted[0].extension_count, 1);
	assert_slice(emitted[0].extensions[0].name, "level");
	assert_slice(emitted[0].extensions[0].value, "3");
	assert_true(emitted[0].extensions[0].raw);
	fixture_free(&f);
}

/* Each is true of ORDER. */
static const char *const truths[] = {
	"event.id == \"1\" and event.source == \"/s\" and event.type == \"order.placed\"",
	"event.subject == \"o1\" and event.time == \"2026-11-24T10:00:00Z\" and event.region == "
	"\"eu\"",
	"event.topic == \"events\" and event.partition == 0 and event.offset == 17",
	"event.nothing == nil and event.data.nothing == nil and event.partitionkey == nil",
	"event.data.none == null and event.data.none ~= nil and type(event.data.none) == \"null\"",
	"event.data.big == 9007199254740993 and math.type(event.data.big) == \"integer\"",
	"event.data.tags[1] == \"x\" and event.data.tags[2].y == 1.5 and event.data.tags[4] == nil",
	"#event.data.tags == 3 and #event.data.tags[3] == 0 and #event.data.empty == 0",
	"event.data == event.data and event.data.tags[2] == event.data.tags[2]",
	"event.data ~= event.data.tags and type(event.data) == \"table\" and type(event) == "
	"\"table\"",
	"tostring(event) == \"event\" and tostring(event.data) == \"part of an event\"",
	"tostring({}) == \"table\" and tostring(null) == \"null\"",
	"tostring(1) == \"1\" and tostring(1.0) == \"1.0\" and tostring(true) == \"true\"",
	"json.encode(event.data.tags) == '[\"x\",{\"y\":1.5},[]]'",
	"json.encode({ b = 1, a = { 1, 2.0, null, \"x\" } }) == "
	"'{\"a\":[1,2.0,null,\"x\"],\"b\":1}'",
	"json.encode({}) == \"{}\" and json.encode(\"\") == '\"\"' and json.encode(null) == "
	"\"null\"",
	"json.decode('{\"a\":[1,2.5,null]}').a[2] == 2.5 and json.decode(\"[null]\")[1] == null",
	"select(\"#\", table.unpack({ 1, 2, 3 })) == 3 and select(-1, 1, 2) == 2",
	"table.concat({ 1, 2, 3 }, \",\") == \"1,2,3\" and table.concat(event.data.tags, \"\", "
	"1, 1) == \"x\"",
	"string.format(\"%5.1f|%-4s|%4s|%04d|%x|%g|%c|%%\", 1.25, \"a\", \"b\", 7, 255, 0.5, 65) "
	"== \"  1.2|a   |   b|0007|ff|0.5|A|%\"",
	"string.format(\"%.2s|%s|%s\", \"abc\", true, null) == \"ab|true|null\"",
	"(\"hello world\"):find(\"o w\") == 5 and (\"a.b\"):find(\".\", 1, true) == 2 and "
	"(\"abc\"):find(\"b()\") == 2",
	"(\"key = value\"):match(\"^(%w+)%s*=%s*(%w+)$\") == \"key\" and (\"x\"):match(\"y\") == "
	"nil",
	"(\"abc\"):gsub(\"%w\", \"%0%0\") == \"aabbcc\" and (\"hello\"):gsub(\"l\", { l = \"L\" "
	"}) == \"heLLo\"",
	"(\"abc\"):gsub(\"\", \"-\") == \"-a-b-c-\" and (\"THE (quick) "
	"fox\"):find(\"%((%a+)%)\") == 5",
	"(\"f(a(b)c)d\"):match(\"%b()\") == \"(a(b)c)\" and (\"THE end\"):gsub(\"%f[%a]%a+\", "
	"\"w\") == \"w w\"",
	"(\"2026-11-24\"):match(\"(%d+)-(%d+)-(%d+)\") == \"2026\" and "
	"(\"aXb\"):match(\"[^a-z]\") == \"X\"",
	"(\"[[x]]\"):match(\"%[(%[x%])%]\") == \"[x]\" and (\"a]b\"):match(\"[]]\") == \"]\" and "
	"(\"aa\"):match(\"(a)%1\") == \"a\"",
	"(\"abc\"):sub(2) == \"bc\" and (\"abc\"):sub(-2, -2) == \"b\" and (\"abc\"):sub(0) == "
	"\"abc\" and (\"abc\"):sub(5) == \"\"",
	"(\"aB\"):upper() == \"AB\" and (\"aB\"):lower() == \"ab\" and (\"abc\"):reverse() == "
	"\"cba\" and (\"ab\"):rep(3, \"-\") == \"ab-ab-ab\"",
	"(\"A\"):byte() == 65 and string.char(72, 105) == \"Hi\" and #\"abc\" == 3 and "
	"(\"abc\"):len() == 3",
	"tonumber(\"0x10\") == 16 and tonumber(\"ff\", 16) == 255 and tonumber(\"z\") == nil and "
	"tonumber(\"8\", 8) == nil and tonumber(\" 1.5 \") == 1.5",
	"math.floor(1.7) == 1 and math.ceil(1.2) == 2 and math.max(1, 3, 2) == 3 and math.min(2, "
	"1) == 1 and math.abs(-3) == 3",
	"math.tointeger(3.0) == 3 and math.tointeger(3.5) == nil and math.fmod(-5, 3) == -2 and "
	"math.sqrt(16) == 4.0",
	"time.parse(\"1970-01-01T00:00:01Z\") == 1000000 and time.parse(\"x\") == nil and "
	"time.format(1500000) == \"1970-01-01T00:00:01.500000Z\"",
	"time.diff(\"2026-11-24T10:00:30Z\", event.time) == 30.0",
	"pcall(error, \"x\") == false and select(2, pcall(error, { code = 7 })).code == 7 and "
	"pcall(function() return 1 end)",
	"next({}) == nil and next({ b = 1, a = 2 }) == \"a\" and next({ b = 1, a = 2 }, \"a\") "
	"== \"b\" and next({ 5 }) == 1",
};

static void test_truths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
		struct fixture f;
		char text[1024];
		snprintf(text, sizeof(text),
			 "rule \"r\" { on = { type = \"x\" }, when = function(event) return %s "
			 "end }",
			 truths[i]);
		fixture_load(&f, text);
		fixture_event(&f, ORDER);
		int r = dal_vm_when(f.vm, 0);
		if (r != 0) {
			struct dal_slice message = dal_vm_failure(f.vm).message;
			print_error("%s: %d %.*s\n", truths[i], r, (int)message.size, message.data);
			fail();
		}
		fixture_free(&f);
	}
}

/* What a fold makes of ORDER, as canonical JSON. */
static const struct {
	const char *body, *state;
} folds[] = {
	{"local t = {} for k, v in pairs(event.data) do t[#t + 1] = k end return t",
	 "[\"customer\",\"total\",\"country\",\"sku\",\"big\",\"none\",\"tags\",\"empty\"]"},
	{"local t = {} for i, v in ipairs(event.data.tags) do t[i] = type(v) end return t",
	 "[\"string\",\"table\",\"table\"]"},
	{"local t = {} for k in pairs({ b = 1, a = 1, 10, 20, [1.5] = 1, [-1] = 1, [true] = 1 }) "
	 "do t[#t + 1] = tostring(k) end return t",
	 "[\"-1\",\"1\",\"2\",\"1.5\",\"a\",\"b\",\"true\"]"},
	{"local t, k = {}, nil repeat k = next(constant, k) t[#t + 1] = k until not k return t",
	 "[\"a\",\"list\",\"z\"]"},
	{"local t = {} for k, v in pairs(constant) do t[k] = v end return t",
	 "{\"a\":1,\"list\":[3,1,2],\"z\":2}"},
	{"local t = {} for i, v in ipairs(constant.list) do t[i] = v end table.sort(t) return t",
	 "[1,2,3]"},
	{"local t = { table.unpack(constant.list) } t[#t + 1] = #constant.list return t",
	 "[3,1,2,3]"},
	{"local t = {} for i = 1, 9 do t[i] = { k = i % 3, i = i } end "
	 "table.sort(t, function(a, b) return a.k < b.k end) local o = {} for i, v in ipairs(t) "
	 "do o[i] = v.i end return o",
	 "[3,6,9,1,4,7,2,5,8]"},
	{"local t = { 1, 2, 3 } table.insert(t, 4) table.insert(t, 1, 0) table.remove(t, 2) "
	 "table.remove(t) return t",
	 "[0,2,3]"},
	{"return { a = 1, b = 1.0, c = -0.0, d = 1e300, e = 0.1 }",
	 "{\"a\":1,\"b\":1.0,\"c\":-0.0,\"d\":1e+300,\"e\":0.1}"},
	{"return { list = {}, nothing = null, text = \"\\n\\\"é\" }",
	 "{\"list\":{},\"nothing\":null,\"text\":\"\\n\\\"é\"}"},
	{"return event.data.big", "9007199254740993"},
	{"return \"text\"", "\"text\""},
	{"return false", "false"},
	{"return null", "null"},
	{"return event.data.tags[2]", "{\"y\":1.5}"},
	{"local t = {} for w in string.gmatch(\"one two  three\", \"%a+\") do t[#t + 1] = w end "
	 "return t",
	 "[\"one\",\"two\",\"three\"]"},
	{"local t = {} for k, v in string.gmatch(\"a=1, b=2\", \"(%w+)=(%w+)\") do t[k] = v end "
	 "return t",
	 "{\"a\":\"1\",\"b\":\"2\"}"},
	{"return helper(20) + twice(1)", "42"},
};

static void test_folds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		struct fixture f;
		char text[1024];
		snprintf(text, sizeof(text),
			 "local constant = { z = 2, a = 1, list = { 3, 1, 2 } }\n"
			 "local function twice(x) return x * 2 end\n"
			 "function helper(x) return twice(x) end\n"
			 "projection \"p\" { on = { type = \"x\" }, key = \"id\", fold = "
			 "function(state, event) %s end }",
			 folds[i].body);
		fixture_load(&f, text);
		fixture_event(&f, ORDER);
		f.seen = dal_vm_entry_new(f.vm, 0);
		int r = dal_vm_fold(f.vm, 0, f.seen);
		if (r != 0) {
			struct dal_slice message = dal_vm_failure(f.vm).message;
			print_error("%s: %d %.*s\n", folds[i].body, r, (int)message.size,
				    message.data);
			fail();
		}
		assert_entry(f.seen, folds[i].state);
		fixture_free(&f);
	}
}

static void test_entries(void **state)
{
	(void)state;
	struct fixture f;
	fixture_load(
		&f,
		"projection \"p\" { on = { type = \"x\" }, key = \"id\", init = { n = 0, list = "
		"{} },\n"
		"fold = function(state, event)\n"
		"  if event.data.total == 0 then return nil end\n"
		"  state.n = state.n + 1\n  state.list[#state.list + 1] = event.data.total\n"
		"  if event.data.total < 0 then error(\"negative\") end\n  return state\nend }");
	struct dal_vm_entry *entry = dal_vm_entry_new(f.vm, 0), *other = dal_vm_entry_new(f.vm, 0),
			    *read;
	fixture_event(&f, "{\"data\":{\"total\":5}}");
	assert_int_equal(dal_vm_fold(f.vm, 0, entry), 0);
	assert_int_equal(dal_vm_fold(f.vm, 0, entry), 0);
	assert_int_equal(dal_vm_fold(f.vm, 0, other), 0);
	assert_entry(entry, "{\"list\":[5,5],\"n\":2}");
	assert_entry(other, "{\"list\":[5],\"n\":1}"); /* init was copied */
	fixture_event(&f, "{\"data\":{\"total\":0}}");
	assert_int_equal(dal_vm_fold(f.vm, 0, entry), DAL_VM_NO);
	assert_false(dal_vm_entry_exists(entry));
	fixture_event(&f, "{\"data\":{\"total\":7}}");
	assert_int_equal(dal_vm_fold(f.vm, 0, entry), 0); /* begins again */
	assert_entry(entry, "{\"list\":[7],\"n\":1}");
	fixture_event(&f, "{\"data\":{\"total\":-1}}");
	assert_int_equal(dal_vm_fold(f.vm, 0, other), DAL_VM_ERROR);
	assert_failure(&f, "rules/t.lua:6: negative");
	assert_true(dal_vm_failure(f.vm).trace.size > 0);
	assert_int_equal(dal_vm_entry_decode(f.vm, 0, dal_slice_text("{\"list\":[1,2.0],\"n\":9}"),
					     &read),
			 0);
	assert_entry(read, "{\"list\":[1,2.0],\"n\":9}");
	fixture_event(&f, "{\"data\":{\"total\":7}}");
	assert_int_equal(dal_vm_fold(f.vm, 0, read), 0);
	assert_entry(read, "{\"list\":[1,2.0,7],\"n\":10}");
	dal_vm_entry_free(read);
	assert_true(dal_vm_entry_decode(f.vm, 0, dal_slice_text("{\"list\""), &read) < 0);
	dal_vm_entry_free(entry);
	dal_vm_entry_free(other);
	fixture_free(&f);
}

static void test_keys(void **state)
{
	(void)state;
	static const struct {
		const char *key, *keys; /* joined by ' ', NULL: an error */
	} cases[] = {
		{"\"data.customer\"", "c1"},
		{"\"data.total\"", "1200"},
		{"\"data.none\"", ""},
		{"\"data.missing.deep\"", ""},
		{"\"data.tags\"", NULL},
		{"\"subject\"", "o1"},
		{"function(e) return e.data.customer end", "c1"},
		{"function(e) return 5.0 end", "5"},
		{"function(e) return true end", "true"},
		{"function(e) return nil end", ""},
		{"function(e) return null end", ""},
		{"function(e) return { \"a\", 2, \"a\", null, \"b\" } end", "a 2 b"},
		{"function(e) return {} end", ""},
		{"function(e) return 1.5 end", NULL},
		{"function(e) return e.data.tags end", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		char text[512];
		const struct dal_slice *keys;
		size_t count = 0;
		struct dal_buffer joined = {0};
		snprintf(text, sizeof(text),
			 "projection \"p\" { on = { type = \"x\" }, key = %s, fold = function(s) "
			 "return s end }",
			 cases[i].key);
		fixture_load(&f, text);
		fixture_event(&f, ORDER);
		int r = dal_vm_keys(f.vm, 0, &keys, &count);
		if (cases[i].keys == NULL) {
			assert_int_equal(r, DAL_VM_ERROR);
			assert_failure(&f, "key");
		} else {
			assert_int_equal(r, cases[i].keys[0] ? 0 : DAL_VM_NO);
			for (size_t k = 0; k < count; k++) {
				dal_buffer_printf(&joined, "%s%.*s", k ? " " : "",
						  (int)keys[k].size, keys[k].data);
			}
			assert_string_equal(dal_buffer_cstr(&joined), cases[i].keys);
		}
		dal_buffer_deinit(&joined);
		fixture_free(&f);
	}
}

static void test_emits(void **state)
{
	(void)state;
	struct fixture f;
	const struct dal_vm_emitted *list;
	size_t count;
	fixture_load(
		&f,
		"rule \"list\" { on = { type = \"x\" }, emit = function(event)\n"
		"  return { { type = \"a\", topic = \"other\", source = \"/me\", partitionkey = "
		"\"k\", urgent = true, note = \"n\" },\n"
		"           { type = \"b\", data = event.data, subject = null } }\nend }\n"
		"rule \"none\" { on = { type = \"x\" }, emit = function() return nil end }\n"
		"rule \"empty\" { on = { type = \"x\" }, emit = function() return {} end }\n");
	fixture_event(&f, "{\"data\":{\"b\":[],\"a\":1}}");
	assert_int_equal(dal_vm_emit(f.vm, 1, &list, &count), DAL_VM_NO);
	assert_int_equal(dal_vm_emit(f.vm, 2, &list, &count), DAL_VM_NO);
	assert_int_equal(dal_vm_emit(f.vm, 0, &list, &count), 0);
	assert_int_equal(count, 2);
	assert_slice(list[0].topic, "other");
	assert_slice(list[0].source, "/me");
	assert_slice(list[0].partitionkey, "k");
	assert_int_equal(list[0].data.size, 0);
	assert_int_equal(list[0].extension_count, 2);
	assert_slice(list[0].extensions[0].name, "note");
	assert_slice(list[0].extensions[1].value, "true");
	assert_true(list[0].extensions[1].raw);
	assert_slice(list[1].data, "{\"a\":1,\"b\":[]}");
	assert_int_equal(list[1].extension_count, 0);
	fixture_free(&f);
}

static void test_view_outcomes(void **state)
{
	(void)state;
	struct fixture f;
	fixture_load(
		&f,
		"projection \"p\" { on = { type = \"x\" }, key = \"id\", init = { n = 1, deep = "
		"{ 1, 2 } }, fold = function(s) return s end }\n"
		"rule \"r\" { on = { type = \"x\" }, when = function(event)\n"
		"  local p = view(\"p\", event.data.total)\n  if not p then return false end\n"
		"  local keys = \"\"\n  for k in pairs(p) do keys = keys .. k end\n"
		"  return p.n == 1 and #p.deep == 2 and p.deep[2] == 2 and p.deep == p.deep and "
		"keys == \"deepn\" and json.encode(p) == '{\"deep\":[1,2],\"n\":1}'\nend }");
	fixture_event(&f, "{\"data\":{\"total\":5.0}}");
	assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_NO);
	assert_string_equal(f.asked, "0 5");
	f.seen = dal_vm_entry_new(f.vm, 0);
	assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_NO); /* there is none yet */
	assert_int_equal(dal_vm_fold(f.vm, 0, f.seen), 0);
	assert_int_equal(dal_vm_when(f.vm, 0), 0);
	f.view_result = DAL_VM_VIEW_PARKED;
	assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_ERROR);
	assert_failure(&f, "p is parked: it failed before");
	f.view_result = DAL_VM_VIEW_REFUSED;
	assert_int_equal(dal_vm_when(f.vm, 0), DAL_VM_ERROR);
	assert_failure(&f, "p can't be read here: it failed before");
	f.view_result = -5;
	assert_int_equal(dal_vm_when(f.vm, 0), -5);
	fixture_free(&f);
}

/* Makes the entry while the script waits: the engine's memory is not the script's. */
static int view_late(void *own, uint32_t projection, struct dal_slice key,
		     const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	struct fixture *f = own;
	struct dal_buffer json = {0};
	(void)key;
	(void)message;
	dal_buffer_text(&json, "{\"list\":[0");
	for (int i = 1; i < 900000; i++) {
		dal_buffer_printf(&json, ",%d", i % 10);
	}
	dal_buffer_text(&json, "]}");
	dal_vm_entry_free(f->seen);
	f->seen = NULL;
	int r = dal_vm_entry_decode(f->vm, projection, dal_buffer_slice(&json), &f->seen);
	dal_buffer_deinit(&json);
	*entry = f->seen;
	return r;
}

static void test_view_late(void **state)
{
	(void)state;
	struct fixture f;
	fixture_load(&f, "projection \"p\" { on = { type = \"x\" }, key = \"id\", "
			 "fold = function(s) return s end }\n"
			 "rule \"r\" { on = { type = \"x\" }, when = function(event)\n"
			 "  local p = view(\"p\", 1)\n"
			 "  local s = string.rep(\"x\", 1 << 20) .. \"y\"\n"
			 "  return #p.list == 900000 and p.list[12] == 1 and #s > 0\nend }");
	dal_vm_free(f.vm);
	struct dal_vm_options options = {.rules = f.rules, .view = view_late, .own = &f};
	assert_int_equal(dal_vm_new(&options, &f.vm), 0);
	fixture_event(&f, ORDER);
	assert_int_equal(dal_vm_when(f.vm, 0), 0);
	assert_int_equal(dal_vm_when(f.vm, 0), 0);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),          cmocka_unit_test(test_truths),
		cmocka_unit_test(test_folds),         cmocka_unit_test(test_entries),
		cmocka_unit_test(test_keys),          cmocka_unit_test(test_emits),
		cmocka_unit_test(test_view_outcomes), cmocka_unit_test(test_view_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
