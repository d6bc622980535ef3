#include "engine/base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/error.h"
#include "engine/base/map.h"
#include "engine/base/memory.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const char *const kind_names[] = {"counter", "gauge", "histogram"};

static const struct {
	int64_t us;
	const char *text; /* in seconds, as the page prints it */
} bounds[] = {
	{100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"},
	{5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
	{250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},
	{10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};

#define BOUND_COUNT (sizeof(bounds) / sizeof(bounds[0]))

struct dal_metric {
	struct dal_metric *next; /* in its family, by age */
	const struct family *family;
	char *labels;              /* "" if it has none */
	_Atomic int64_t value;     /* of a histogram: the sum, microseconds */
	_Atomic int64_t buckets[]; /* of a histogram: BOUND_COUNT + 1, not cumulative */
};

struct family {
	struct family *next; /* by name */
	char *name;
	char *help;
	enum kind kind;
	struct dal_metric *first, **end;
};

/* Metrics live as long as the process. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct family *families;
static struct dal_map *known; /* "name{labels" to metric */

static bool name_valid(const char *name)
{
	for (const char *c = name; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || *c == '_';

		if (!letter && (c == name || *c < '0' || *c > '9')) {
			return false;
		}
	}
	return *name != '\0';
}

static struct family *family_get(const char *name, const char *help, enum kind kind)
{
	struct family **place = &families;
	struct family *family;

	while (*place && strcmp((*place)->name, name) < 0) {
		place = &(*place)->next;
	}
	if (*place && strcmp((*place)->name, name) == 0) {
		return *place;
	}
	family = dal_malloc(sizeof(*family));
	*family = (struct family){
		.next = *place,
		.name = dal_strdup(name),
		.help = dal_strdup(help),
		.kind = kind,
	};
	family->end = &family->first;
	*place = family;
	return family;
}

static struct dal_metric *metric_new(const char *name, const char *help, const char *labels,
				     enum kind kind)
{
	size_t buckets = kind == HISTOGRAM ? BOUND_COUNT + 1 : 0;
	struct dal_metric *metric = dal_calloc(1, sizeof(*metric) +
							  buckets * sizeof(metric->buckets[0]));
	struct family *family = family_get(name, help, kind);

	metric->family = family;
	metric->labels = dal_strdup(labels);
	*family->end = metric;
	family->end = &metric->next;
	return metric;
}

static struct dal_metric *metric_get(const char *name, const char *help, const char *labels,
				     enum kind kind)
{
	char *key = dal_asprintf("%s{%s", name, labels ? labels : "");
	struct dal_metric *metric;

	DAL_ASSERT(name_valid(name));
	pthread_mutex_lock(&mutex);
	if (!known) {
		known = dal_map_new();
	}
	metric = dal_map_get(known, dal_slice_text(key));
	if (!metric) {
		metric = metric_new(name, help, labels ? labels : "", kind);
		dal_map_set(known, dal_slice_text(key), metric);
	}
	DAL_ASSERT(metric->family->kind == kind);
	pthread_mutex_unlock(&mutex);
	free(key);
	return metric;
}

struct dal_metric *dal_metric_counter(const char *name, const char *help, const char *labels)
{
	return metric_get(name, help, labels, COUNTER);
}

struct dal_metric *dal_metric_gauge(const char *name, const char *help, const char *labels)
{
	return metric_get(name, help, labels, GAUGE);
}

struct dal_metric *dal_metric_histogram(const char *name, const char *help, const char *labels)
{
	return metric_get(name, help, labels, HISTOGRAM);
}

void dal_metric_add(struct dal_metric *metric, int64_t value)
{
	atomic_fetch_add_explicit(&metric->value, value, memory_order_relaxed);
}

void dal_metric_set(struct dal_metric *metric, int64_t value)
{
	atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

static int64_t bucket_get(const struct dal_metric *metric, size_t index)
{
	return atomic_load_explicit(&metric->buckets[index], memory_order_relaxed);
}

int64_t dal_metric_get(const struct dal_metric *metric)
{
	int64_t count = 0;

	if (metric->family->kind != HISTOGRAM) {
		return atomic_load_explicit(&metric->value, memory_order_relaxed);
	}
	for (size_t i = 0; i <= BOUND_COUNT; i++) {
		count += bucket_get(metric, i);
	}
	return count;
}

void dal_metric_observe_us(struct dal_metric *metric, int64_t duration_us)
{
	size_t bucket = 0;

	DAL_ASSERT(metric->family->kind == HISTOGRAM);
	while (bucket < BOUND_COUNT && duration_us > bounds[bucket].us) {
		bucket++;
	}
	atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
	dal_metric_add(metric, duration_us);
}

static void append_escaped(struct dal_buffer *out, struct dal_slice text, bool quotes)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];

		if (c == '\n') {
			dal_buffer_text(out, "\\n");
			continue;
		}
		if (c == '\\' || (quotes && c == '"')) {
			dal_buffer_byte(out, '\\');
		}
		dal_buffer_byte(out, c);
	}
}

void dal_metric_escape(struct dal_slice value, struct dal_buffer *out)
{
	append_escaped(out, value, true);
}

static void print_name(struct dal_buffer *out, const struct dal_metric *metric, const char *suffix)
{
	dal_buffer_printf(out, "%s%s", metric->family->name, suffix);
	if (metric->labels[0]) {
		dal_buffer_printf(out, "{%s}", metric->labels);
	}
}

static void print_bucket(struct dal_buffer *out, const struct dal_metric *metric, const char *bound,
			 int64_t count)
{
	dal_buffer_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", metric->family->name,
			  metric->labels, metric->labels[0] ? "," : "", bound, (long long)count);
}

/* The count is the sum of the buckets as they were printed, so that both always agree. */
static void print_histogram(struct dal_buffer *out, const struct dal_metric *metric)
{
	int64_t sum_us = atomic_load_explicit(&metric->value, memory_order_relaxed);
	int64_t count = 0;

	for (size_t i = 0; i < BOUND_COUNT; i++) {
		count += bucket_get(metric, i);
		print_bucket(out, metric, bounds[i].text, count);
	}
	count += bucket_get(metric, BOUND_COUNT);
	print_bucket(out, metric, "+Inf", count);
	print_name(out, metric, "_sum");
	dal_buffer_printf(out, " %.6f\n", (double)sum_us / 1e6);
	print_name(out, metric, "_count");
	dal_buffer_printf(out, " %lld\n", (long long)count);
}

static void print_family(struct dal_buffer *out, const struct family *family)
{
	dal_buffer_printf(out, "# HELP %s ", family->name);
	append_escaped(out, dal_slice_text(family->help), false);
	dal_buffer_printf(out, "\n# TYPE %s %s\n", family->name, kind_names[family->kind]);
	for (const struct dal_metric *metric = family->first; metric; metric = metric->next) {
		if (family->kind == HISTOGRAM) {
			print_histogram(out, metric);
		} else {
			print_name(out, metric, "");
			dal_buffer_printf(out, " %lld\n", (long long)dal_metric_get(metric));
		}
	}
}

void dal_metrics_print(struct dal_buffer *out)
{
	pthread_mutex_lock(&mutex);
	for (const struct family *family = families; family; family = family->next) {
		print_family(out, family);
	}
	pthread_mutex_unlock(&mutex);
}
