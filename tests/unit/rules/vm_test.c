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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
