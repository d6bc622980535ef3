/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/memory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void copies_and_prints(void **state)
{
	char *copy = dal_strdup("text");
	char *printed = dal_asprintf("%s-%d", copy, 7);

	(void)state;
	assert_string_equal(copy, "text");
	assert_string_equal(printed, "text-7");
	assert_null(dal_strdup(NULL));
	free(copy);
	free(printed);
}

static void nothing_is_still_an_address(void **state)
{
	void *none = dal_malloc(0);
	void *zeroed = dal_calloc(0, 8);

	(void)state;
	assert_non_null(none);
	assert_non_null(zeroed);
	none = dal_realloc(none, 0);
	assert_non_null(none);
	free(none);
	free(zeroed);
}

static void grows_an_array(void **state)
{
	size_t count = 0, capacity = 0;
	int *numbers = NULL;

	(void)state;
	for (int i = 0; i < 100; i++) {
		DAL_GROW(numbers, count, capacity);
		numbers[count++] = i;
	}
	assert_true(capacity >= 100);
	assert_int_equal(numbers[99], 99);
	free(numbers);
}

struct outer {
	int before;
	int member;
};

static void finds_the_container(void **state)
{
	struct outer outer = {1, 2};

	(void)state;
	assert_ptr_equal(DAL_CONTAINER(&outer.member, struct outer, member), &outer);
}

/* Runs `action` in a child and gives the signal that ended it. */
static int signal_of(void (*action)(void))
{
	const struct rlimit no_core = {0, 0};
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		assert_non_null(freopen("/dev/null", "w", stderr));
		action();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void overflow(void)
{
	free(dal_calloc(SIZE_MAX / 2, 3));
}

static void overflow_again(void)
{
	free(dal_reallocarray(NULL, SIZE_MAX / 2, 3));
}

static void overflow_aborts(void **state)
{
	(void)state;
	assert_int_equal(signal_of(overflow), SIGABRT);
	assert_int_equal(signal_of(overflow_again), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_prints), cmocka_unit_test(nothing_is_still_an_address),
		cmocka_unit_test(grows_an_array),    cmocka_unit_test(finds_the_container),
		cmocka_unit_test(overflow_aborts),
	};

	return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
