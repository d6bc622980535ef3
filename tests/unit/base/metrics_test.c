/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/metrics.h"

#include <pthread.h>
#include <stdio.h>

static struct dal_buffer page;

static const char *print(void)
{
	dal_buffer_clear(&page);
	dal_metrics_print(&page);
	return dal_buffer_cstr(&page);
}

static void assert_printed(const char *text)
{
	if (!strstr(print(), text)) {
		fail_msg("\"%s\" is not in:\n%s", text, page.data);
	}
}

static void counts(void **state)
{
	struct dal_metric *counter = dal_metric_counter("test_events_total", "Events.", NULL);

	(void)state;
	dal_metric_add(counter, 3);
	dal_metric_add(counter, 4);
	assert_int_equal(dal_metric_get(counter), 7);
	assert_ptr_equal(dal_metric_counter("test_events_total", "Events.", NULL), counter);
	assert_printed("# HELP test_events_total Events.\n# TYPE test_events_total counter\n"
		       "test_events_total 7\n");
}

static void gauges(void **state)
{
	struct dal_metric *gauge = dal_metric_gauge("test_rows", "Rows.\nTwo \\ lines.", NULL);

	(void)state;
	dal_metric_set(gauge, 10);
	dal_metric_add(gauge, -12);
	assert_printed("# HELP test_rows Rows.\\nTwo \\\\ lines.\n# TYPE test_rows gauge\n"
		       "test_rows -2\n");
}

static void one_family_many_labels(void **state)
{
	struct dal_metric *a = dal_metric_counter("test_calls_total", "Calls.", "function=\"a\"");
	struct dal_metric *b = dal_metric_counter("test_calls_total", "Calls.", "function=\"b\"");
	const char *text;

	(void)state;
	assert_ptr_not_equal(a, b);
	dal_metric_add(a, 1);
	dal_metric_add(b, 2);
	assert_printed("# TYPE test_calls_total counter\ntest_calls_total{function=\"a\"} 1\n"
		       "test_calls_total{function=\"b\"} 2\n");
	text = strstr(print(), "# HELP test_calls_total");
	assert_null(strstr(text + 1, "# HELP test_calls_total"));
}

static void families_are_sorted(void **state)
{
	const char *first, *second, *third;

	(void)state;
	dal_metric_counter("test_sort_b", "B.", NULL);
	dal_metric_counter("test_sort_a", "A.", NULL);
	dal_metric_counter("test_sort_c", "C.", NULL);
	first = strstr(print(), "# HELP test_sort_a");
	second = strstr(page.data, "# HELP test_sort_b");
	third = strstr(page.data, "# HELP test_sort_c");
	assert_true(first && first < second && second < third);
}

static void observes(void **state)
{
	struct dal_metric *histogram = dal_metric_histogram("test_wait_seconds", "Waits.",
							    "function=\"a\"");

	(void)state;
	dal_metric_observe_us(histogram, 0);
	dal_metric_observe_us(histogram, 100); /* a bound belongs to its bucket */
	dal_metric_observe_us(histogram, 101);
	dal_metric_observe_us(histogram, 1500000);
	dal_metric_observe_us(histogram, 61000000);
	assert_int_equal(dal_metric_get(histogram), 5);
	assert_printed("# TYPE test_wait_seconds histogram\n"
		       "test_wait_seconds_bucket{function=\"a\",le=\"0.0001\"} 2\n"
		       "test_wait_seconds_bucket{function=\"a\",le=\"0.00025\"} 3\n");
	assert_printed("test_wait_seconds_bucket{function=\"a\",le=\"1\"} 3\n"
		       "test_wait_seconds_bucket{function=\"a\",le=\"2.5\"} 4\n");
	assert_printed("test_wait_seconds_bucket{function=\"a\",le=\"60\"} 4\n"
		       "test_wait_seconds_bucket{function=\"a\",le=\"+Inf\"} 5\n"
		       "test_wait_seconds_sum{function=\"a\"} 62.500201\n"
		       "test_wait_seconds_count{function=\"a\"} 5\n");
	dal_metric_observe_us(dal_metric_histogram("test_plain_seconds", "Plain.", NULL), 1);
	assert_printed("test_plain_seconds_bucket{le=\"0.0001\"} 1\n");
	assert_printed("test_plain_seconds_sum 0.000001\ntest_plain_seconds_count 1\n");
}

static void escapes_labels(void **state)
{
	struct dal_buffer out = {0};

	(void)state;
	dal_metric_escape(dal_slice_text("a\"b\\c\nd"), &out);
	assert_string_equal(dal_buffer_cstr(&out), "a\\\"b\\\\c\\nd");
	dal_buffer_deinit(&out);
}

static void *work(void *argument)
{
	(void)argument;
	for (int i = 0; i < 10000; i++) {
		char labels[32];

		snprintf(labels, sizeof(labels), "n=\"%d\"", i % 10);
		dal_metric_add(dal_metric_counter("test_threads_total", "Threads.", labels), 1);
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	}
	print();
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	assert_int_equal(
		dal_metric_get(dal_metric_counter("test_threads_total", "Threads.", "n=\"3\"")),
		4000);
}

static int tear_down(void **state)
{
	(void)state;
	dal_buffer_deinit(&page);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(gauges),
		cmocka_unit_test(one_family_many_labels),
		cmocka_unit_test(families_are_sorted),
		cmocka_unit_test(observes),
		cmocka_unit_test(escapes_labels),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests_name("base/metrics", tests, NULL, tear_down);
}
