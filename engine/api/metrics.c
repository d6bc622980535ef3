/*
 * GET /metrics: what every folder counts (engine/base/metrics.h), then what only the whole engine
 * knows, read at the moment it is asked. Prometheus text 0.0.4.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/api/api_private.h"
#include "engine/api/figures.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"

static void family(struct dal_buffer *page, const char *name, const char *type, const char *help)
{
	dal_buffer_printf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct dal_buffer *page, const char *name, const char *help, uint64_t value)
{
	family(page, name, "gauge", help);
	dal_buffer_printf(page, "%s %" PRIu64 "\n", name, value);
}

static void gauge_seconds(struct dal_buffer *page, const char *name, const char *help,
			  int64_t value_us)
{
	family(page, name, "gauge", help);
	dal_buffer_printf(page, "%s %.6f\n", name, (double)value_us / 1e6);
}

static void print_lane(struct dal_buffer *page, struct dal_api *api)
{
	struct dal_worker_status status;

	dal_api_worker_status(api, &status);
	gauge(page, "dalamb_lane_next_offset", "The first offset that is not folded in yet.",
	      status.next);
	gauge(page, "dalamb_lane_lag_events", "Events on the log that are not folded in yet.",
	      dal_api_lag_events(&status));
	gauge_seconds(page, "dalamb_lane_lag_seconds", "For how long the oldest of them waits.",
		      dal_api_lag_us(api, &status));
	gauge(page, "dalamb_lane_paused", "1 while reading waits for functions (limits.rows).",
	      status.paused);
	gauge(page, "dalamb_lane_halted", "1 if a rule or projection halted the lane.",
	      status.halted);
	gauge(page, "dalamb_lane_building", "1 while projections are built for the first time.",
	      status.building);
	gauge(page, "dalamb_outbox_undelivered_rows", "Rows that wait for their delivery.",
	      status.undelivered);
	gauge(page, "dalamb_outbox_dead_rows", "Dead letters.", status.dead);
	gauge(page, "dalamb_log_bytes", "Size of the log on disk.",
	      dal_log_bytes(dal_engine_log(api->engine)));
	gauge(page, "dalamb_ready", "What /readyz says.", dal_engine_ready(api->engine));
}

/* --- functions --- */

static uint64_t waiting(const struct dal_figures *f)
{
	return f->waiting;
}

static uint64_t running(const struct dal_figures *f)
{
	return f->running;
}

static uint64_t retrying(const struct dal_figures *f)
{
	return f->retrying;
}

static uint64_t obstructed(const struct dal_figures *f)
{
	return f->obstacle[0] != '\0';
}

static const struct {
	const char *name, *help;
	uint64_t (*value)(const struct dal_figures *figures);
} function_gauges[] = {
	{"dalamb_function_waiting_rows", "Calls in the window that wait for an instance.", waiting},
	{"dalamb_function_running_rows", "Calls that run.", running},
	{"dalamb_function_retrying_rows", "Calls that wait for their next try.", retrying},
	{"dalamb_function_obstructed", "1 if it can't be called on this machine.", obstructed},
};

static void print_functions(struct dal_buffer *page, struct dal_api *api)
{
	struct dal_figures *list;
	size_t count = dal_figures_get(api, &list);

	for (size_t g = 0; g < sizeof(function_gauges) / sizeof(function_gauges[0]); g++) {
		family(page, function_gauges[g].name, "gauge", function_gauges[g].help);
		for (size_t i = 0; i < count; i++) {
			dal_buffer_printf(page, "%s{function=\"", function_gauges[g].name);
			dal_metric_escape(dal_slice_text(list[i].name), page);
			dal_buffer_printf(page, "\"} %" PRIu64 "\n",
					  function_gauges[g].value(&list[i]));
		}
	}
	free(list);
}

/* --- the process, with the names that Prometheus' own clients use --- */

/* The numbers behind the command's name in /proc/self/stat (proc_pid_stat(5)), field 3 first. */
static bool stat_read(uint64_t *fields, size_t count)
{
	struct dal_buffer text = {0};
	struct dal_slice rest, field;
	bool ok = dal_file_read("/proc/self/stat", 8192, &text) == 0;

	rest = dal_buffer_slice(&text);
	for (size_t i = rest.size; ok && i > 0; i--) { /* the name may hold anything */
		if (rest.data[i - 1] == ')') {
			rest = dal_slice(rest.data + i + 1, rest.size - i - 1);
			break;
		}
	}
	for (size_t i = 0; ok && i < count; i++) {
		ok = dal_slice_cut(rest, ' ', &field, &rest);
		fields[i] = 0;
		dal_slice_to_u64(field, &fields[i]); /* the state is a letter */
	}
	dal_buffer_deinit(&text);
	return ok;
}

static uint64_t open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (!folder) {
		return 0;
	}
	while (readdir(folder)) {
		count++;
	}
	closedir(folder);
	return count > 3 ? count - 3 : 0; /* "." and "..", and this one */
}

static void print_process(struct dal_buffer *page, struct dal_api *api)
{
	enum { USER = 11, SYSTEM = 12, THREADS = 17, VIRTUAL = 20, RESIDENT = 21, FIELDS = 22 };
	uint64_t fields[FIELDS];

	gauge_seconds(page, "process_start_time_seconds",
		      "When the engine was started, since the epoch.",
		      dal_engine_started_us(api->engine));
	gauge(page, "process_open_fds", "Open file descriptors.", open_files());
	if (!stat_read(fields, FIELDS)) {
		return;
	}
	family(page, "process_cpu_seconds_total", "counter", "CPU time, user and system.");
	dal_buffer_printf(page, "process_cpu_seconds_total %.2f\n",
			  (double)(fields[USER] + fields[SYSTEM]) / (double)sysconf(_SC_CLK_TCK));
	gauge(page, "process_threads", "Threads.", fields[THREADS]);
	gauge(page, "process_virtual_memory_bytes", "Virtual memory.", fields[VIRTUAL]);
	gauge(page, "process_resident_memory_bytes", "Resident memory.",
	      fields[RESIDENT] * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void get_metrics(struct dal_http_request *request, void *data)
{
	struct dal_api *api = data;
	struct dal_buffer page = {0};

	dal_metrics_print(&page);
	print_lane(&page, api);
	print_functions(&page, api);
	print_process(&page, api);
	dal_http_reply_take(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &page);
}

static const struct dal_http_route routes[] = {
	{"GET", "/metrics", DAL_HTTP_QUERY, 0, get_metrics, NULL},
};

const struct dal_api_routes dal_api_metrics = DAL_API_ROUTES(routes);
