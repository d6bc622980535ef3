/* The engine's parts joined: started, stopped, refused half-way, broken. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/app/engine.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "state/store.h"

#define RULES                                                                                      \
	"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"              \
	" init = { n = 0 }, fold = function(s, e) s.n = s.n + 1 return s end }\n"

/* --- a fault; the linker puts it before the real one. Only the log's writes are synced --- */

static atomic_bool log_fails;

/* There with AddressSanitizer alone: a broken log leaves its store as it is, until the process
 * ends.
 */
void __attribute__((weak)) __lsan_disable(void);
void __attribute__((weak)) __lsan_enable(void);

int __real_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync);
int __wrap_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync);

int __wrap_dal_store_write(struct dal_store *store, struct dal_store_batch *batch, bool sync)
{
	return sync && atomic_load(&log_fails) ? -EIO : __real_dal_store_write(store, batch, sync);
}

/* --- an app in a folder, and an engine --- */

static struct dal_spawner *spawner;

struct app_run {
	struct dal_app *app;
	struct dal_engine *engine;
	struct dal_errors errors;
	atomic_int broken;
};

static int begin(void **state)
{
	struct dal_error error;

	(void)state;
	return dal_spawner_start(&spawner, &error);
}

static int end(void **state)
{
	(void)state;
	dal_spawner_stop(spawner);
	return 0;
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char *path = dal_asprintf("%s/%s", folder, name);

	assert_int_equal(dal_file_write(path, dal_slice_text(text), 0644), 0);
	free(path);
}

static int setup(void **own)
{
	const char *parent = getenv("TMPDIR");
	char *folder = dal_asprintf("%s/dal-engine-XXXXXX", parent ? parent : "/tmp"), *rules;

	*own = folder;
	if (!mkdtemp(folder)) {
		return -1;
	}
	rules = dal_asprintf("%s/rules", folder);
	assert_int_equal(dal_folder_make(rules, 0755), 0);
	free(rules);
	write_file(folder, "rules/test.lua", RULES);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int teardown(void **own)
{
	int r = nftw(*own, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*own);
	return r;
}

static void on_broken(void *own)
{
	struct app_run *run = own;

	atomic_fetch_add(&run->broken, 1);
}

static int engine_make(struct app_run *run, const char *folder, const char *listen)
{
	static char *const environment[] = {NULL};

	*run = (struct app_run){0};
	assert_int_equal(dal_app_load(&(struct dal_app_options){.folder = folder,
								.environment = environment,
								.listen = listen},
				      &run->app, &run->errors, NULL),
			 0);
	return dal_engine_new(
		&(struct dal_engine_options){
			.app = run->app, .spawner = spawner, .broken = on_broken, .own = run},
		&run->engine, &run->errors);
}

static void engine_begin(struct app_run *run, const char *folder)
{
	if (engine_make(run, folder, "127.0.0.1:0") != 0 ||
	    dal_engine_start(run->engine, &run->errors) != 0) {
		fail_msg("%s", run->errors.items[0].text);
	}
}

static void engine_end(struct app_run *run)
{
	dal_engine_stop(run->engine);
	dal_engine_free(run->engine);
	dal_app_free(run->app);
	dal_errors_deinit(&run->errors);
}

static int append(struct dal_engine *engine)
{
	struct dal_log_item item = {
		.topic = dal_slice_text("events"),
		.event = dal_slice_text("{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/t\","
					"\"type\":\"add\",\"data\":{\"key\":\"a\"}}")};

	return dal_log_append_wait(dal_engine_log(engine),
				   &(struct dal_log_append){.items = &item, .count = 1});
}

static unsigned on_log(struct dal_engine *engine, const char *what)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	unsigned count = 0;

	assert_int_equal(dal_log_reader_new(dal_engine_log(engine), 0, NULL, NULL, &reader), 0);
	while (dal_log_read(reader, 1000, 1 << 20, &batch) == 0) {
		for (size_t i = 0; i < batch.count; i++) {
			char *text = dal_slice_dup(batch.records[i].event);
			count += strstr(text, what) != NULL;
			free(text);
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return count;
}

/* --- tests --- */

static void a_load_is_said_once_a_digest(void **own)
{
	struct app_run run;

	engine_begin(&run, *own);
	assert_int_equal(on_log(run.engine, "dalamb.app.loaded"), 1);
	while (!dal_engine_ready(run.engine)) {
		(void)usleep(1000);
	}
	assert_int_equal(append(run.engine), 0);
	engine_end(&run);
	engine_begin(&run, *own);
	assert_int_equal(on_log(run.engine, "dalamb.app.loaded"), 1);
	engine_end(&run);
	write_file(
		*own, "rules/more.lua",
		"rule 'r' { on = { type = 'x' }, emit = function(e) return { type = 'y' } end }");
	engine_begin(&run, *own);
	assert_int_equal(on_log(run.engine, "dalamb.app.loaded"), 2);
	assert_false(dal_engine_broken(run.engine));
	engine_end(&run);
}

static void what_was_opened_is_closed(void **own)
{
	struct app_run run, second;

	engine_begin(&run, *own);
	assert_true(engine_make(&second, *own, "127.0.0.1:0") != 0); /* it is locked */
	assert_int_equal(second.errors.count, 1);
	assert_non_null(strstr(second.errors.items[0].text, "another engine"));
	dal_errors_deinit(&second.errors);
	dal_app_free(second.app);
	engine_end(&run);
	write_file(*own, "rules/test.lua",
		   "projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"
		   " init = { n = 1 }, fold = function(s, e) return s end }\n");
	assert_true(engine_make(&second, *own, "127.0.0.1:0") != 0); /* the worker refuses */
	assert_non_null(strstr(second.errors.items[0].text, "Raise `version`"));
	dal_errors_deinit(&second.errors);
	dal_app_free(second.app);
	write_file(*own, "rules/test.lua", RULES);
	engine_begin(&run, *own); /* nothing is locked any more */
	engine_end(&run);
}

static void a_broken_log_breaks_the_engine_once(void **own)
{
	struct app_run run;
	int64_t start;

	if (__lsan_disable) {
		__lsan_disable();
	}
	engine_begin(&run, *own);
	if (__lsan_enable) {
		__lsan_enable();
	}
	assert_int_equal(append(run.engine), 0);
	atomic_store(&log_fails, true);
	assert_int_equal(append(run.engine), -EIO);
	assert_int_equal(append(run.engine), -EIO);
	assert_true(dal_engine_broken(run.engine));
	assert_false(dal_engine_ready(run.engine));
	start = dal_clock_monotonic_us();
	dal_engine_stop(run.engine); /* the checkpoint can't be written */
	assert_in_range(dal_clock_monotonic_us() - start, 0, 5000000);
	assert_int_equal(run.broken, 1);
	atomic_store(&log_fails, false);
	engine_end(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(a_load_is_said_once_a_digest),
		CASE(what_was_opened_is_closed),
		CASE(a_broken_log_breaks_the_engine_once),
	};

	return cmocka_run_group_tests_name("engine", tests, begin, end);
}
