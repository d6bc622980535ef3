/*
 * Containers: from nothing to a program that has its first byte out, by the driver and by hand.
 *
 *	bench_cold_start HOST IMAGE [ROUNDS]      (./dev bench cold_start brings up what it takes)
 *
 * IMAGE is of tests/unit/functions/probe.c. In each round, one after the other: `podman run` as a
 * person types it, until the program's first byte comes; and an invocation with no instance, until
 * the program has asked for work (its first byte, too) and was given it. Between them there is
 * time for the engine to clean up.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/base/metrics.h"
#include "functions/functions.h"

#define REST_US 1000000

static const char *const phases[] = {"network", "create", "attach", "find", "start"};

/* --- by hand --- */

static int64_t run_by_hand(const char *image)
{
	int ends[2];
	char byte;
	DAL_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
	int64_t begun_us = dal_clock_monotonic_us();
	pid_t pid = fork();
	if (pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		(void)execlp("podman", "podman", "run", "--rm", "--network=none", "--env",
			     "PROBE_INIT=print", image, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	if (read(ends[0], &byte, 1) != 1) {
		(void)fprintf(stderr, "podman run %s wrote nothing\n", image);
		exit(1);
	}
	int64_t took_us = dal_clock_monotonic_us() - begun_us;
	(void)waitpid(pid, NULL, 0);
	(void)close(ends[0]);
	return took_us;
}

/* --- by the driver --- */

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool done;
	struct dal_error error;
};

static void done(struct dal_invocation *invocation)
{
	struct waiting *waiting = invocation->own;
	(void)pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	dal_error_set(&waiting->error, "%.*s", (int)invocation->error_message.size,
		      invocation->error_message.data);
	(void)pthread_cond_signal(&waiting->ended);
	(void)pthread_mutex_unlock(&waiting->lock);
}

/* The program ends after it, so that the next one is cold again. */
static int64_t run_by_driver(struct dal_functions *functions, int64_t *init_us)
{
	struct waiting waiting = {.lock = PTHREAD_MUTEX_INITIALIZER,
				  .ended = PTHREAD_COND_INITIALIZER};
	char request[DAL_UUID_TEXT_BYTES];
	struct dal_invocation invocation = {.function = dal_slice_text("probe"),
					    .request = request,
					    .payload = dal_slice_text("{\"do\":\"exit\"}"),
					    .done = done,
					    .own = &waiting};
	dal_uuid_random(request);
	int64_t begun_us = dal_clock_now_us();
	dal_functions_invoke(functions, &invocation);
	(void)pthread_mutex_lock(&waiting.lock);
	while (!waiting.done) {
		(void)pthread_cond_wait(&waiting.ended, &waiting.lock);
	}
	(void)pthread_mutex_unlock(&waiting.lock);
	if (invocation.started_us == 0 || !invocation.cold) {
		(void)fprintf(stderr, "it did not start: %s\n", waiting.error.text);
		exit(1);
	}
	*init_us = invocation.init_us;
	return invocation.started_us - begun_us;
}

static void configure(struct dal_functions *functions, const char *host, const char *image)
{
	char name[] = "probe";
	char *nothing[] = {NULL};
	struct dal_errors errors = {0};
	struct dal_error error;
	struct dal_function function = {
		.name = name,
		.version = "bench",
		.file = name,
		.driver = DAL_DRIVER_CONTAINER,
		.image = {.name = dal_strdup(image)},
		.command = nothing,
		.environment = nothing,
		.final = nothing,
		.sandbox = true,
		.timeout_us = 10000000,
		.idle_us = 60000000,
		.memory_bytes = 256000000,
		.tmp_bytes = 64000000,
		.max = 1,
		.per_instance = 1,
		.attempts = 1,
	};
	struct dal_function *list[] = {&function};
	dal_functions_pin(list, 1, host, &errors);
	(void)dal_functions_configure(functions, (const struct dal_function *const *)list, 1);
	if (errors.count > 0 || dal_functions_obstacle(functions, dal_slice_text(name), &error)) {
		(void)fprintf(stderr, "%s\n", errors.count > 0 ? errors.items[0].text : error.text);
		exit(1);
	}
}

/* --- figures --- */

static int by_number(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return left < right ? -1 : left > right;
}

static double median_ms(int64_t *times_us, size_t count)
{
	qsort(times_us, count, sizeof(*times_us), by_number);
	return (double)times_us[count / 2] / 1000;
}

static void show(const char *what, int64_t *times_us, size_t count)
{
	double median = median_ms(times_us, count);
	printf("%-14s p50 %6.1f ms   p90 %6.1f ms   best %6.1f ms\n", what, median,
	       (double)times_us[count * 9 / 10] / 1000, (double)times_us[0] / 1000);
}

/* The mean of a phase, from the page of metrics. */
static double phase_ms(const char *page, const char *phase, size_t count)
{
	char *wanted = dal_asprintf("dalamb_container_start_seconds_sum{phase=\"%s\"} ", phase);
	const char *found = strstr(page, wanted);
	double seconds = found ? strtod(found + strlen(wanted), NULL) : 0;
	free(wanted);
	return seconds * 1000 / (double)count;
}

static void show_phases(size_t count, double init_ms)
{
	struct dal_buffer page = {0};
	double sum = 0;
	dal_metrics_print(&page);
	printf("phases, mean: ");
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		double ms = phase_ms(dal_buffer_cstr(&page), phases[i], count);
		printf("%s %.1f, ", phases[i], ms);
		sum += ms;
	}
	printf("together %.1f ms; the first /next after %.1f ms\n", sum, init_ms);
	dal_buffer_deinit(&page);
}

int main(int count, char **arguments)
{
	if (count < 3) {
		(void)fprintf(stderr, "usage: bench_cold_start HOST IMAGE [ROUNDS]\n");
		return 2;
	}
	size_t rounds = count > 3 ? strtoul(arguments[3], NULL, 10) : 20;
	int64_t *hand_us = dal_calloc(rounds, sizeof(*hand_us));
	int64_t *driver_us = dal_calloc(rounds, sizeof(*driver_us)), init_us, inits_us = 0;
	struct dal_spawner *spawner;
	struct dal_functions *functions;
	struct dal_error error;
	DAL_ASSERT(dal_spawner_start(&spawner, &error) == 0);
	DAL_ASSERT(
		dal_functions_new(&(struct dal_functions_options){.spawner = spawner,
								  .containers_host = arguments[1],
								  .grace_us = 1000000},
				  &functions, &error) == 0);
	configure(functions, arguments[1], arguments[2]);
	(void)run_by_hand(arguments[2]); /* caches */
	for (size_t i = 0; i < rounds; i++) {
		(void)usleep(REST_US);
		hand_us[i] = run_by_hand(arguments[2]);
		(void)usleep(REST_US);
		driver_us[i] = run_by_driver(functions, &init_us);
		inits_us += init_us;
	}
	dal_functions_free(functions);
	dal_spawner_stop(spawner);
	show("podman run", hand_us, rounds);
	show("driver", driver_us, rounds);
	show_phases(rounds, (double)inits_us / (double)rounds / 1000);
	printf("ratio of medians: %.2f\n",
	       median_ms(driver_us, rounds) / median_ms(hand_us, rounds));
	return 0;
}
