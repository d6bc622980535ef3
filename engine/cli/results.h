/*
 * The verdicts on an app's tests, in the order they are declared, and what is made of them: text,
 * JSON, JUnit's XML. Main thread.
 */
#ifndef DAL_CLI_RESULTS_H
#define DAL_CLI_RESULTS_H

#include "engine/cli/verdict.h"

struct dal_results {
	const struct dal_app *app;
	struct dal_verdict *verdicts;
	size_t count, capacity;
	size_t failed;
	struct dal_coverage *coverage; /* owned; NULL: not asked for */
	int64_t duration_us;           /* of all tests, loading not counted */
};

struct dal_results_options {
	const char *only; /* those whose name or file has this text, or is so with "*"; or NULL */
	const char *file; /* those of this file; or NULL */
	bool cover;
};

/* Runs them. 0, or negative: no machine can be made. */
int dal_results_run(struct dal_results *results, const struct dal_app *app,
		    const struct dal_results_options *options);
void dal_results_deinit(struct dal_results *results);

void dal_results_print(const struct dal_results *results);
void dal_results_print_json(const struct dal_results *results);

/*
 * JUnit's XML, as Jenkins and GitLab read it: a testsuite a file, a testcase a test, with file and
 * line. Of an app that does not load (`results` NULL) each error is a testcase in error.
 */
void dal_junit_print(const struct dal_results *results, const struct dal_errors *errors,
		     struct dal_buffer *xml);

#endif
