/*
 * The container driver on a real engine, whose address is DALAMB_TEST_CONTAINERS; the image
 * localhost/dalamb-probe is of probe.c. Skipped where there is none: tests/e2e/test_containers.py
 * brings one up and runs this, too.
 */
#include "tests/unit/functions/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/container_api.h"
#include "functions/data_id.h"
#include "functions/limits.h"

#define PROBE ((struct field){"image", "localhost/dalamb-probe"})
#define SMALL ((struct field){"memory", "32MB"})
#define FOREIGN "0123456789abcdef0123456789abcdef"

static struct dal_container_api *api;

static void configure(struct app *app, const char *name, const struct field *fields)
{
	char text[1024] = "";
	struct dal_errors errors = {0};
	struct dal_function *function = app_declare(app, name, fields, text);
	if (!function) {
		fail_msg("%s", text);
	}
	dal_functions_pin(&function, 1, app->containers, &errors);
	if (errors.count > 0) {
		fail_msg("%s", errors.items[0].text);
	}
	dal_errors_deinit(&errors);
	app_configure(app, function);
}

static size_t count_containers(struct app *app, const char *data_id)
{
	char own[DAL_DATA_ID_BYTES], **ids;
	struct dal_error error;
	size_t count = 0;
	if (!data_id) {
		assert_int_equal(dal_data_id(app->folder, own), 0);
	}
	if (dal_container_api_list(api, data_id ? data_id : own, &ids, &error) != 0) {
		fail_msg("%s", error.text);
	}
	while (ids[count]) {
		count++;
	}
	dal_list_free(ids);
	return count;
}

/* The files of /run/dalamb/<id> that hold namespaces. */
static size_t count_namespaces(struct app *app)
{
	char id[DAL_DATA_ID_BYTES];
	struct dirent *entry;
	size_t count = 0;
	assert_int_equal(dal_data_id(app->folder, id), 0);
	char *path = dal_asprintf("/run/dalamb/%s", id);
	DIR *folder = opendir(path);
	while (folder && (entry = readdir(folder)) != NULL) {
		count += entry->d_name[0] != '.';
	}
	if (folder) {
		(void)closedir(folder);
	}
	free(path);
	return count;
}

static size_t count_mounts(struct app *app)
{
	char line[4096], id[DAL_DATA_ID_BYTES];
	size_t count = 0;
	FILE *mounts = fopen("/proc/self/mountinfo", "r");
	assert_non_null(mounts);
	assert_int_equal(dal_data_id(app->folder, id), 0);
	while (fgets(line, sizeof(line), mounts)) {
		count += strstr(line, id) != NULL;
	}
	(void)fclose(mounts);
	return count;
}

/* What was left when the pool had gone. */
static void assert_clean(struct app *app)
{
	assert_int_equal(count_containers(app, NULL), 0);
	assert_int_equal(count_namespaces(app), 0);
	assert_int_equal(count_mounts(app), 0);
}

static void echoes(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	call_returns(app, "probe", "{\"do\":\"echo\"}", "{\"do\":\"echo\"}");
	assert_int_equal(count_containers(app, NULL), 1);
	assert_int_equal(count_namespaces(app), 1);
	assert_int_equal(count_mounts(app), 1);
	app_fresh(state);
	assert_clean(app);
}

/* --- walls --- */

static long figure(const char *walls, const char *name)
{
	char wanted[64];
	(void)snprintf(wanted, sizeof(wanted), "\"%s\":", name);
	const char *found = strstr(walls, wanted);
	if (!found) {
		fail_msg("no %s in %s", name, walls);
	}
	return strtol(found + strlen(wanted), NULL, 10);
}

static void assert_figures(const char *walls, const char *const *names, long figure_wanted)
{
	for (; *names; names++) {
		if (figure(walls, *names) != figure_wanted) {
			fail_msg("%s is %ld: %s", *names, figure(walls, *names), walls);
		}
	}
}

/* What was tried must have met an error, whichever. */
static void assert_shut(const char *walls, const char *const *names)
{
	for (; *names; names++) {
		if (figure(walls, *names) == 0) {
			fail_msg("%s is a hole: %s", *names, walls);
		}
	}
}

static void shuts_each_wall(void **state)
{
	static const char *const nothing[] = {"cap_effective", "cap_permitted",  "cap_bounding",
					      "cap_ambient",   "writable_count", NULL};
	static const char *const shut[] = {"become_root",     "user_namespace",
					   "mount_namespace", "mount",
					   "remount",         "device",
					   "chroot",          "host_name",
					   "raw_socket",      "core_pattern",
					   "sysrq",           "kernel_memory",
					   "cgroup",          "outside",
					   "host_loopback",   "podman_socket",
					   "docker_socket",   "vsock",
					   "kernel_crypto",   "netlink_audit",
					   "socketcall",      NULL};
	static const char *const one[] = {"no_new_privileges", "processes", "interfaces", NULL};
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"tmp", "1MiB"}));
	struct call *call = call_expect(app, "probe", "{\"do\":\"walls\"}", DAL_INVOKE_SUCCEEDED);
	assert_figures(call->result, nothing, 0);
	assert_figures(call->result, one, 1);
	assert_shut(call->result, shut);
	assert_int_equal(figure(call->result, "uid"), 65534);
	assert_int_equal(figure(call->result, "gid"), 65534);
	assert_int_equal(figure(call->result, "seccomp"), 2); /* a filter */
	assert_int_equal(figure(call->result, "tmp_bytes"), 1 << 20);
	assert_int_equal(figure(call->result, "own_api"), 0);
	call_free(call);
}

/* Whose socket it is says who speaks: another instance's invocation can't be answered. */
static void speaks_for_itself_alone(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"max", "2"}));
	struct call *victim = call_start(app, "probe", "{\"do\":\"hang\"}");
	app_wait_busy(app, "probe", 1);
	char *payload = dal_asprintf("{\"do\":\"steal\",\"id\":\"%s\"}", victim->request);
	call_returns(app, "probe", payload, "400");
	assert_false(call_ended(victim));
	free(payload);
	app_renew(app, 0, 0, 0);
	call_free(victim);
}

/* --- ends --- */

static void expect_end(struct app *app, const char *what, enum dal_invoke_outcome outcome,
		       const char *type, const char *message)
{
	char *payload = dal_asprintf("{\"do\":\"%s\"}", what);
	struct call *call = call_expect(app, "probe", payload, outcome);
	assert_string_equal(call->type, type);
	assert_contains(call->message, message);
	call_free(call);
	free(payload);
}

static void tells_ends_apart(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, SMALL, {"timeout", "1s"}));
	expect_end(app, "fail", DAL_INVOKE_FAILED, "Probe", "as told");
	expect_end(app, "exit", DAL_INVOKE_CRASHED, "Runtime.ExitError",
		   "the program ended with status 3 before it answered; its last line: no more");
	/* The first process of a pid namespace is spared abort's own signal, but not what follows.
	 */
	expect_end(app, "abort", DAL_INVOKE_CRASHED, "Runtime.ExitError",
		   "the program was killed by SIGSEGV before it answered");
	expect_end(app, "eat", DAL_INVOKE_CRASHED, "dalamb.OutOfMemory",
		   "it used more than its `memory` of 32000000 bytes");
	expect_end(app, "hang", DAL_INVOKE_TIMEOUT, "Sandbox.Timedout", "no answer within 1000 ms");
	call_returns(app, "probe", "{\"do\":\"echo\"}", "{\"do\":\"echo\"}");
}

static void tells_failed_inits_apart(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"env", "PROBE_INIT=exit"}));
	expect_end(app, "echo", DAL_INVOKE_INIT, "Runtime.ExitError",
		   "ended with status 3 before it asked for work; its last line: no more");
	configure(app, "probe", FIELDS(PROBE, SMALL, {"env", "PROBE_INIT=eat"}));
	app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, SMALL, {"env", "PROBE_INIT=eat"}));
	expect_end(app, "echo", DAL_INVOKE_INIT, "dalamb.OutOfMemory", "more than its `memory`");
	app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"command", "/nothing"}));
	expect_end(app, "echo", DAL_INVOKE_INIT, "Runtime.ExitError", "/nothing");
	app_fresh(state);
	assert_clean(app);
}

static void wait_for_line(struct app *app, const char *text)
{
	for (bool found = false; !found;) {
		char *lines = app_lines(app);
		found = strstr(lines, text) != NULL;
		free(lines);
		(void)usleep(10000);
	}
}

/* One that hangs in its init, so that a signal is all that it hears. */
static int64_t time_to_stop_ms(void **state, const char *term)
{
	struct app *app = app_fresh(state);
	char *variable = dal_asprintf("PROBE_TERM=%s", term);
	configure(app, "probe", FIELDS(PROBE, {"env", variable}, {"env", "PROBE_INIT=hang"}));
	free(variable);
	struct call *call = call_start(app, "probe", "{}");
	wait_for_line(app, "hangs");
	int64_t begun_us = dal_clock_monotonic_us();
	app_fresh(state);
	int64_t took_us = dal_clock_monotonic_us() - begun_us;
	assert_int_equal(call->outcome, DAL_INVOKE_CANCELLED);
	call_free(call);
	assert_clean(app);
	return took_us / 1000;
}

static void stops_what_ignores_it(void **state)
{
	/* It has no handler for SIGTERM, which therefore could not reach it: killed at once. */
	assert_true(time_to_stop_ms(state, "") < DAL_LIMIT_STOP_MS);
	assert_in_range(time_to_stop_ms(state, "ignore"), DAL_LIMIT_STOP_MS, 2 * DAL_LIMIT_STOP_MS);
}

static void passes_lines_on(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	struct call *call = call_expect(app, "probe", "{\"do\":\"print\"}", DAL_INVOKE_SUCCEEDED);
	app_fresh(state); /* the last line has no end before the program has */
	call_free(call);
	configure(app, "probe", FIELDS(PROBE));
	call = call_start(app, "probe", "{\"do\":\"exit\"}");
	call_wait(call);
	char *lines = app_lines(app);
	assert_contains(lines, call->request);
	assert_contains(lines, "no more");
	free(lines);
	call_free(call);
}

static void goes_on_without_outputs(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	call_returns(app, "probe", "{\"do\":\"mute\"}", "{\"do\":\"mute\"}");
	(void)usleep(500000); /* the stream is opened again, and closed */
	struct call *call = call_expect(app, "probe", "{}", DAL_INVOKE_SUCCEEDED);
	assert_false(call->invocation.cold);
	call_free(call);
	call_free(call_expect(app, "probe", "{\"do\":\"exit\"}", DAL_INVOKE_CRASHED));
}

static void measures(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	struct call *call = call_expect(app, "probe", "{}", DAL_INVOKE_SUCCEEDED);
	assert_true(call->invocation.cold);
	assert_true(call->invocation.init_us > 0);
	assert_in_range(call->invocation.cpu_us, 0, 1000000);
	assert_in_range(call->invocation.memory_mb, 1, 100);
	call_free(call);
}

/* --- what is left behind --- */

static void leaves_nothing(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"max", "2"}));
	call_returns(app, "probe", "{}", "{}");
	app_fresh(state);
	int descriptors = count_descriptors();
	configure(app, "probe", FIELDS(PROBE, {"max", "2"}));
	for (int i = 0; i < 1000; i++) {
		bool crash = i % 100 == 99;
		call_free(call_expect(app, "probe", crash ? "{\"do\":\"exit\"}" : "{}",
				      crash ? DAL_INVOKE_CRASHED : DAL_INVOKE_SUCCEEDED));
	}
	assert_in_range(count_containers(app, NULL), 0, 2); /* the last may be on its way out */
	app_fresh(state);
	assert_clean(app);
	assert_int_equal(count_descriptors(), descriptors);
}

/* Ten are asked to come up, and to go at once: whichever step they are at. */
static void stops_what_comes_up(void **state)
{
	struct app *app = *state;
	for (useconds_t wait_us = 0; wait_us < 200000; wait_us += 50000) {
		app_renew(app, 0, 0, 0);
		configure(app, "probe", FIELDS(PROBE, {"min", "3"}));
		(void)usleep(wait_us);
		app_renew(app, 0, 0, 0);
		assert_clean(app);
	}
}

/* Their inits are counted from where each begins, not from where it was asked for. */
static void comes_up_many_at_once(void **state)
{
	struct app *app = app_fresh(state);
	struct call *calls[16];
	configure(app, "probe", FIELDS(PROBE, SMALL, {"max", "16"}, {"timeout", "3s"}));
	for (size_t i = 0; i < 16; i++) {
		calls[i] = call_start(app, "probe", "{\"do\":\"hang\"}");
	}
	for (size_t i = 0; i < 16; i++) {
		call_wait(calls[i]);
		assert_int_equal(calls[i]->outcome, DAL_INVOKE_TIMEOUT);
		assert_true(calls[i]->invocation.cold);
		call_free(calls[i]);
	}
	app_fresh(state);
	assert_clean(app);
}

static void make_container(struct app *app, const char *data_id, char id[65])
{
	struct dal_error error;
	struct dal_image image;
	assert_int_equal(dal_container_api_image(api, "localhost/dalamb-probe", &image, &error), 0);
	char *spec = dal_asprintf("{\"Image\":\"%s\",\"Labels\":{\"%s\":\"%s\"}}", image.id,
				  DAL_CONTAINER_LABEL, data_id);
	char *name = dal_asprintf("dalamb-test-%s", data_id);
	(void)app;
	if (dal_container_api_create(api, name, dal_slice_text(spec), id, &error) != 0) {
		fail_msg("%s", error.text);
	}
	free(name);
	free(spec);
	dal_image_deinit(&image);
}

static void removes_its_own_orphans(void **state)
{
	struct app *app = app_fresh(state);
	char own[DAL_DATA_ID_BYTES], id[65];
	struct dal_error error;
	assert_int_equal(dal_data_id(app->folder, own), 0);
	make_container(app, FOREIGN, id);
	char foreign[65];
	memcpy(foreign, id, sizeof(foreign));
	make_container(app, own, id);
	app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	call_returns(app, "probe", "{}", "{}");
	assert_int_equal(count_containers(app, NULL), 1); /* the instance */
	assert_int_equal(count_containers(app, FOREIGN), 1);
	assert_int_equal(dal_container_api_remove(api, foreign, &error), 0);
	assert_int_equal(dal_container_api_remove(api, foreign, &error), 0); /* again: no error */
}

/* --- images --- */

static void names_what_lacks(void **state)
{
	struct app *app = app_fresh(state);
	struct dal_errors errors = {0};
	char text[1024];
	struct dal_function *function = app_declare(app, "f", FIELDS({"image", "localhost/none:1"}),
						    text);
	dal_functions_pin(&function, 1, app->containers, &errors);
	assert_int_equal(errors.count, 1);
	assert_contains(
		errors.items[0].text,
		"there is no image localhost/none:1 on this machine, and dalamb pulls none: "
		"`podman pull localhost/none:1`");
	dal_errors_deinit(&errors);
	/* The pool looks for it now and then, and says the same until it is there. */
	struct dal_error why;
	app_configure(app, function);
	assert_true(dal_functions_obstacle(app->functions, dal_slice_text("f"), &why));
	assert_contains(why.text, "there is no image localhost/none:1");
	assert_contains(app_status(app, "f").obstacle, "there is no image localhost/none:1");
}

static void finds_later_what_was_not_pinned(void **state)
{
	struct app *app = app_fresh(state);
	struct dal_error why;
	char text[1024], declared[17];
	struct dal_function *function = app_declare(app, "f", FIELDS(PROBE), text);
	memcpy(declared, function->version, sizeof(declared));
	app_configure(app, function);
	assert_false(dal_functions_obstacle(app->functions, dal_slice_text("f"), &why));
	call_returns(app, "f", "{}", "{}");
	assert_string_not_equal(app_status(app, "f").version, declared);
	/* Declared again, and pinned at load: the same version. */
	char *version = dal_strdup(app_status(app, "f").version);
	configure(app, "f", FIELDS(PROBE));
	assert_string_equal(app_status(app, "f").version, version);
	assert_int_equal(app_status(app, "f").instances, 1);
	free(version);
}

static int set_up(void **state)
{
	struct dal_error error;
	const char *host = getenv("DALAMB_TEST_CONTAINERS");
	int result = app_set_up(state);
	((struct app *)*state)->containers = host;
	assert_int_equal(dal_container_api_new(host, 30000, &api, &error), 0);
	return result;
}

static int tear_down(void **state)
{
	dal_container_api_free(api);
	return app_tear_down(state);
}

static void is_skipped(void **state)
{
	(void)state;
	print_message("DALAMB_TEST_CONTAINERS names no container engine\n");
	skip();
}

int main(void)
{
	const struct CMUnitTest none[] = {cmocka_unit_test(is_skipped)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(shuts_each_wall),
		cmocka_unit_test(speaks_for_itself_alone),
		cmocka_unit_test(tells_ends_apart),
		cmocka_unit_test(tells_failed_inits_apart),
		cmocka_unit_test(stops_what_ignores_it),
		cmocka_unit_test(passes_lines_on),
		cmocka_unit_test(goes_on_without_outputs),
		cmocka_unit_test(measures),
		cmocka_unit_test(leaves_nothing),
		cmocka_unit_test(stops_what_comes_up),
		cmocka_unit_test(comes_up_many_at_once),
		cmocka_unit_test(removes_its_own_orphans),
		cmocka_unit_test(names_what_lacks),
		cmocka_unit_test(finds_later_what_was_not_pinned),
	};
	if (!getenv("DALAMB_TEST_CONTAINERS")) {
		return cmocka_run_group_tests(none, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
