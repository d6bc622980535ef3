#include "tests/unit/dispatch/rig.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/log/disk.h"
#include "state/store.h"

#define PATIENCE_US 20000000ll

static const char program[] =
	"import http.client, json, os, time\n"
	"c = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
	"base = '/2018-06-01/runtime/invocation/'\n"
	"while True:\n"
	"    c.request('GET', base + 'next')\n"
	"    a = c.getresponse()\n"
	"    body = a.read()\n"
	"    if a.status != 200:\n"
	"        break\n"
	"    request = a.getheader('Lambda-Runtime-Aws-Request-Id')\n"
	"    event = json.loads(body)\n"
	"    with open(os.environ['TRACE'], 'a') as trace:\n"
	"        trace.write(request + ' ' + event.get('name', '-') + '\\n')\n"
	"    with open(os.environ['TRACE']) as trace:\n"
	"        tries = trace.read().count(request)\n"
	"    time.sleep(event.get('sleep', 0))\n"
	"    if tries <= event.get('fails', 0):\n"
	"        answer = {'errorType': event.get('error', 'Odd'), 'errorMessage': 'no'}\n"
	"        c.request('POST', base + request + '/error', json.dumps(answer))\n"
	"    else:\n"
	"        c.request('POST', base + request + '/response', json.dumps(tries))\n"
	"    c.getresponse().read()\n";

/* --- faults; the linker puts these before the real ones --- */

static atomic_bool full, broken;

int __real_dal_disk_free_bytes(const char *path, uint64_t *bytes);
int __wrap_dal_disk_free_bytes(const char *path, uint64_t *bytes);
int __real_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync);
int __wrap_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync);

int __wrap_dal_disk_free_bytes(const char *path, uint64_t *bytes)
{
	if (atomic_load(&full)) {
		*bytes = 0;
		return 0;
	}
	return __real_dal_disk_free_bytes(path, bytes);
}

int __wrap_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync)
{
	/* only the log's writes are synced */
	return sync && atomic_load(&broken) ? -EIO : __real_dal_store_write(store, batch, sync);
}

void rig_full(bool yes)
{
	atomic_store(&full, yes);
	(void)usleep(DAL_DISK_ASK_US + 50000); /* what was known of the disk is old */
}

int __real_dal_log_append(struct dal_log *log, struct dal_log_append *append);
int __wrap_dal_log_append(struct dal_log *log, struct dal_log_append *append);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *refuses;
static bool holds;
static struct dal_log_append *held[16];
static size_t held_count;

static bool is_refused(struct dal_log_append *append)
{
	bool any = false;

	for (size_t i = 0; refuses && i < append->count; i++) {
		char *text = dal_slice_dup(append->items[i].event);
		append->items[i].refused = strstr(text, refuses) ? "as the test wants it" : NULL;
		any = any || append->items[i].refused;
		free(text);
	}
	return any;
}

int __wrap_dal_log_append(struct dal_log *log, struct dal_log_append *append)
{
	bool refused, kept = false;

	pthread_mutex_lock(&lock);
	refused = is_refused(append);
	if (holds && append->origin > 0 && held_count < 16) {
		held[held_count++] = append;
		kept = true;
	}
	pthread_mutex_unlock(&lock);
	return kept ? 0 : refused ? DAL_LOG_TOO_LARGE : __real_dal_log_append(log, append);
}

void rig_refuse(const char *what)
{
	pthread_mutex_lock(&lock);
	refuses = what;
	pthread_mutex_unlock(&lock);
}

void rig_hold(bool yes)
{
	pthread_mutex_lock(&lock);
	holds = yes;
	held_count = yes ? 0 : held_count;
	pthread_mutex_unlock(&lock);
}

size_t rig_held(void)
{
	size_t count;

	pthread_mutex_lock(&lock);
	count = held_count;
	pthread_mutex_unlock(&lock);
	return count;
}

void rig_end(size_t n, int result)
{
	struct dal_log_append *append;

	pthread_mutex_lock(&lock);
	append = held[n];
	pthread_mutex_unlock(&lock);
	append->done(append, result);
}

/* There with AddressSanitizer alone. */
void __attribute__((weak)) __lsan_disable(void);
void __attribute__((weak)) __lsan_enable(void);

void rig_leaks(bool on_purpose)
{
	if (on_purpose && __lsan_disable) {
		__lsan_disable();
	} else if (!on_purpose && __lsan_enable) {
		__lsan_enable();
	}
}

void rig_break(bool yes)
{
	atomic_store(&broken, yes);
}

/* --- what joins the parts, as in the engine --- */

static void on_delivered(void *own, struct dal_slice row)
{
	struct rig *rig = own;

	dal_worker_post(rig->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_DELIVERED, .row = row});
}

static void on_retry(void *own, struct dal_slice row, uint32_t attempts, int64_t due_us,
		     struct dal_slice tries)
{
	struct rig *rig = own;

	dal_worker_post(rig->worker, &(struct dal_worker_note){.kind = DAL_NOTE_RETRY,
							       .row = row,
							       .attempts = attempts,
							       .due_us = due_us,
							       .tries = tries});
}

static void on_appended(void *own, uint64_t sequence)
{
	struct rig *rig = own;

	dal_worker_post(rig->worker,
			&(struct dal_worker_note){.kind = DAL_NOTE_APPENDED, .sequence = sequence});
}

static void on_committed(void *own, bool rows)
{
	struct rig *rig = own;

	if (rows) {
		dal_dispatch_wake(rig->dispatch);
	}
}

static void on_caught_up(void *own)
{
	struct rig *rig = own;

	if (dal_dispatch_start(rig->dispatch) != 0) {
		abort();
	}
}

static void on_broken(void *own, int error)
{
	struct rig *rig = own;

	atomic_store(&rig->broken, error);
}

/* --- life --- */

void rig_setup(struct rig *rig, void **state, const char *rules, const struct field *fields)
{
	char text[1024] = "", *environment;
	struct field all[16] = {{"command", "/usr/bin/python3,-u,program.py"}, TRUSTED};
	struct dal_path *order;
	struct dal_error error;
	size_t count = 2;
	void *fixture;

	*rig = (struct rig){.app = app_fresh(state), .rules = rules};
	assert_int_equal(fixture_setup(&fixture), 0);
	rig->f = fixture;
	rig->trace = dal_asprintf("%s/trace", rig->f->folder);
	environment = dal_asprintf("TRACE=%s", rig->trace);
	all[count++] = (struct field){"env", environment};
	for (; fields->name; fields++) {
		all[count++] = *fields;
	}
	app_write(rig->app, "check", "program.py", program, 0644);
	rig->function = app_declare(rig->app, "check", all, text);
	if (!rig->function) {
		fail_msg("%s", text);
	}
	free(environment);
	assert_int_equal(dal_path_parse(dal_slice_text("data.key"), &order, &error), 0);
	rig->f->target.order = order;
	rig->f->target.input = DAL_TARGET_DATA;
}

void rig_start(struct rig *rig, bool declared)
{
	const struct dal_function *list[] = {rig->function};

	app_renew(rig->app, 0, 0, 200000);
	assert_int_equal(dal_functions_configure(rig->app->functions, list, declared), 0);
	fixture_load(rig->f, rig->rules);
	rig->dispatch = dal_dispatch_new(&(struct dal_dispatch_options){
		.state = rig->f->state,
		.log = rig->f->log,
		.app = "test",
		.functions = rig->app->functions,
		.list = list,
		.count = declared,
		.delivered = on_delivered,
		.retry = on_retry,
		.appended = on_appended,
		.broken = on_broken,
		.own = rig,
	});
	assert_int_equal(
		dal_worker_new(&(struct dal_worker_options){.lane = fixture_lane_options(rig->f),
							    .committed = on_committed,
							    .caught_up = on_caught_up,
							    .broken = on_broken,
							    .own = rig},
			       &rig->worker, &rig->f->errors),
		0);
	assert_int_equal(dal_worker_start(rig->worker), 0);
}

void rig_stop(struct rig *rig)
{
	if (!rig->worker) {
		return;
	}
	dal_dispatch_drain(rig->dispatch);
	dal_functions_stop(rig->app->functions);
	dal_dispatch_stop(rig->dispatch);
	dal_worker_stop(rig->worker);
	dal_dispatch_free(rig->dispatch);
	dal_worker_free(rig->worker);
	rig->worker = NULL;
	fixture_close(rig->f);
}

void rig_teardown(struct rig *rig)
{
	void *fixture = rig->f;
	struct dal_path *order = (struct dal_path *)rig->f->target.order;

	rig_stop(rig);
	assert_int_equal(fixture_teardown(&fixture), 0);
	dal_path_free(order);
	dal_function_free(rig->function);
	free(rig->trace);
}

/* --- events --- */

uint64_t rig_append(struct rig *rig, const char *type, const char *data)
{
	uint64_t offset = fixture_append(rig->f, type, data);

	if (rig->worker) {
		dal_worker_wake(rig->worker);
	}
	return offset;
}

uint64_t rig_call(struct rig *rig, const char *data)
{
	return rig_append(rig, "call", data);
}

struct search {
	const char *what;
	size_t count, wanted;
	char *text;
};

static void search_log(struct rig *rig, struct search *search)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;

	assert_int_equal(dal_log_reader_new(rig->f->log, 0, NULL, NULL, &reader), 0);
	while (dal_log_read(reader, 1000, 1 << 20, &batch) == 0) {
		for (size_t i = 0; i < batch.count; i++) {
			char *text = dal_slice_dup(batch.records[i].event);
			if (strstr(text, search->what) && search->count++ == search->wanted) {
				search->text = text;
			} else {
				free(text);
			}
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
}

size_t rig_count(struct rig *rig, const char *what)
{
	struct search search = {.what = what, .wanted = SIZE_MAX};

	search_log(rig, &search);
	return search.count;
}

char *rig_event(struct rig *rig, const char *what, size_t n)
{
	struct search search = {.what = what, .wanted = n};

	search_log(rig, &search);
	assert_non_null(search.text);
	return search.text;
}

void rig_wait(struct rig *rig, const char *what, size_t count)
{
	int64_t until = dal_clock_monotonic_us() + PATIENCE_US;

	while (rig_count(rig, what) < count) {
		if (dal_clock_monotonic_us() > until) {
			fail_msg("%zu events with %s, not %zu", rig_count(rig, what), what, count);
		}
		dal_worker_wake(rig->worker);
		(void)usleep(5000);
	}
}

static bool unsettled(struct rig *rig, uint64_t *events, uint64_t *rows)
{
	struct dal_worker_status status;

	dal_worker_status(rig->worker, &status);
	*events = dal_position_distance(&status.next, &status.end);
	*rows = status.undelivered;
	dal_worker_status_deinit(&status);
	return *events > 0 || *rows > 0;
}

void rig_settle(struct rig *rig)
{
	int64_t until = dal_clock_monotonic_us() + PATIENCE_US;
	uint64_t events, rows;

	while (unsettled(rig, &events, &rows)) {
		if (dal_clock_monotonic_us() > until) {
			fail_msg("%llu events not folded in, %llu rows undelivered",
				 (unsigned long long)events, (unsigned long long)rows);
		}
		dal_worker_wake(rig->worker);
		(void)usleep(5000);
	}
}

char *rig_trace(struct rig *rig)
{
	struct dal_buffer text = {0};
	char *copy;

	(void)dal_file_read(rig->trace, 1 << 20, &text); /* none yet: no tries */
	copy = dal_strdup(dal_buffer_cstr(&text));
	dal_buffer_deinit(&text);
	return copy;
}

size_t rig_tries(struct rig *rig, const char *name)
{
	char *trace = rig_trace(rig), *ending = dal_asprintf(" %s\n", name);
	size_t count = 0;

	for (char *at = trace; (at = strstr(at, ending)); at += strlen(ending)) {
		count++;
	}
	free(ending);
	free(trace);
	return count;
}
