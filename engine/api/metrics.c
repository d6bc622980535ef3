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

/* --- lanes: without labels on the embedded log, which has one --- */

struct lanes {
	struct dal_api *api;
	struct dal_worker_status *list;
	uint16_t count;
	bool labelled;
};

static void lanes_value(struct dal_buffer *page, const struct lanes *lanes, const char *name,
			uint16_t lane, double value, int decimals)
{
	if (lanes->labelled) {
		dal_buffer_printf(page, "%s{lane=\"%u\"} %.*f\n", name, lane, decimals, value);
	} else {
		dal_buffer_printf(page, "%s %.*f\n", name, decimals, value);
	}
}

static double lag_events(const struct lanes *lanes, uint16_t lane)
{
	return (double)dal_api_lag_events(&lanes->list[lane]);
}

static double lag_seconds(const struct lanes *lanes, uint16_t lane)
{
	return (double)dal_api_lag_us(lanes->api, &lanes->list[lane]) / 1e6;
}

static double paused(const struct lanes *lanes, uint16_t lane)
{
	return lanes->list[lane].paused;
}

static double halted(const struct lanes *lanes, uint16_t lane)
{
	return lanes->list[lane].halted;
}

static double building(const struct lanes *lanes, uint16_t lane)
{
	return lanes->list[lane].building;
}

static double undelivered(const struct lanes *lanes, uint16_t lane)
{
	return (double)lanes->list[lane].undelivered;
}

static double dead(const struct lanes *lanes, uint16_t lane)
{
	return (double)lanes->list[lane].dead;
}

static double refused(const struct lanes *lanes, uint16_t lane)
{
	return (double)lanes->list[lane].refused;
}

static double repeats(const struct lanes *lanes, uint16_t lane)
{
	return (double)lanes->list[lane].repeats;
}

struct lane_metric {
	const char *name, *type, *help;
	double (*value)(const struct lanes *lanes, uint16_t lane);
	int decimals;
};

static const struct lane_metric lane_metrics[] = {
	{"dalamb_lane_lag_events", "gauge", "Events on the log that are not folded in yet.",
	 lag_events, 0},
	{"dalamb_lane_lag_seconds", "gauge", "For how long the oldest of them waits.", lag_seconds,
	 6},
	{"dalamb_lane_paused", "gauge", "1 while reading waits for functions (limits.rows).",
	 paused, 0},
	{"dalamb_lane_halted", "gauge", "1 if a rule or projection halted the lane.", halted, 0},
	{"dalamb_lane_building", "gauge", "1 while projections are built for the first time.",
	 building, 0},
	{"dalamb_outbox_undelivered_rows", "gauge", "Rows that wait for their delivery.",
	 undelivered, 0},
	{"dalamb_outbox_dead_rows", "gauge", "Dead letters.", dead, 0},
};

/* Of what others wrote to the brokers. */
static const struct lane_metric record_metrics[] = {
	{"dalamb_lane_refused_records_total", "counter",
	 "Records that are no event (dalamb.record.refused).", refused, 0},
	{"dalamb_lane_repeated_records_total", "counter",
	 "Records that were appended twice, and count once.", repeats, 0},
};

static void print_lanes(struct dal_buffer *page, const struct lanes *lanes,
			const struct lane_metric *metrics, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		family(page, metrics[i].name, metrics[i].type, metrics[i].help);
		for (uint16_t lane = 0; lane < lanes->count; lane++) {
			lanes_value(page, lanes, metrics[i].name, lane,
				    metrics[i].value(lanes, lane), metrics[i].decimals);
		}
	}
}

/* --- partitions --- */

static double next_offset(uint64_t next, uint64_t end)
{
	(void)end;
	return (double)next;
}

static double end_offset(uint64_t next, uint64_t end)
{
	(void)next;
	return (double)end;
}

static double behind(uint64_t next, uint64_t end)
{
	return (double)(end > next ? end - next : 0);
}

static const struct {
	const char *name, *help;
	double (*value)(uint64_t next, uint64_t end);
} partition_metrics[] = {
	{"dalamb_partition_next_offset", "The first offset that is not folded in yet.",
	 next_offset},
	{"dalamb_partition_end_offset", "The offset that the next record will have.", end_offset},
	{"dalamb_partition_lag_events", "Offsets that are not folded in yet.", behind},
};

static void print_partitions(struct dal_buffer *page, const struct lanes *lanes)
{
	for (size_t i = 0; i < sizeof(partition_metrics) / sizeof(partition_metrics[0]); i++) {
		family(page, partition_metrics[i].name, "gauge", partition_metrics[i].help);
		for (uint16_t lane = 0; lane < lanes->count; lane++) {
			const struct dal_position *end = &lanes->list[lane].end;
			for (size_t k = 0; k < end->count; k++) {
				const struct dal_mark *mark = &end->marks[k];
				uint64_t next = dal_position_next(&lanes->list[lane].next,
								  mark->topic, mark->partition);
				dal_buffer_printf(page,
						  "%s{topic=\"%.*s\",partition=\"%d\"} %.0f\n",
						  partition_metrics[i].name, (int)mark->topic.size,
						  mark->topic.data, mark->partition,
						  partition_metrics[i].value(next, mark->next));
			}
		}
	}
}

/* --- the log --- */

static void print_log(struct dal_buffer *page, const struct lanes *lanes)
{
	struct dal_log *log = dal_engine_log(lanes->api->engine);
	struct dal_log_status status;

	if (!lanes->labelled) {
		gauge(page, "dalamb_lane_next_offset",
		      "The first offset that is not folded in yet.",
		      dal_position_next(&lanes->list[0].next, dal_slice_text(DAL_TOPIC_EVENTS), 0));
		gauge(page, "dalamb_log_bytes", "Size of the log on disk.", dal_log_bytes(log));
		return;
	}
	print_lanes(page, lanes, record_metrics,
		    sizeof(record_metrics) / sizeof(record_metrics[0]));
	print_partitions(page, lanes);
	dal_log_status(log, &status);
	gauge(page, "dalamb_log_away", "1 while no broker of the log answers.", status.away);
	gauge(page, "dalamb_log_paused", "1 while nothing is read: others have partitions of it.",
	      status.paused);
}

static void print_engine(struct dal_buffer *page, struct dal_api *api)
{
	struct lanes lanes = {.api = api, .labelled = !dal_api_one_sequence(api)};

	lanes.list = dal_api_lanes_take(api, &lanes.count);
	print_lanes(page, &lanes, lane_metrics, sizeof(lane_metrics) / sizeof(lane_metrics[0]));
	print_log(page, &lanes);
	dal_api_lanes_free(lanes.list, lanes.count);
	gauge(page, "dalamb_ready", "What /readyz says.", dal_api_ready(api));
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
	print_engine(&page, api);
	print_functions(&page, api);
	print_process(&page, api);
	dal_http_reply_take(request, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &page);
}

static const struct dal_http_route routes[] = {
	{"GET", "/metrics", DAL_HTTP_QUERY, 0, get_metrics, NULL},
};

const struct dal_api_routes dal_api_metrics = DAL_API_ROUTES(routes);
