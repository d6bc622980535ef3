/*
 * What a replay tells: a line of NDJSON for each match, call, emit and error from a moment on,
 * entries of projections, and a summary by rule. Main thread.
 *
 *	{"position":"events/0/17","time":"...","rule":"large-order","match":true}
 *	{"position":...,"time":...,"rule":"large-order","call":"fraud-check","payload":{...}}
 *	{"position":...,"time":...,"rule":"flag","emit":{"type":...,"data":...}}
 *	{"position":...,"time":...,"projection":"totals","key":"c1","part":"fold","error":"..."}
 *	{"projection":"totals","key":"c1","value":{...},"position":"events/0/17"}
 */
#ifndef DAL_CLI_REPORT_H
#define DAL_CLI_REPORT_H

#include <stdio.h>

#include "engine/app/app.h"
#include "engine/cli/moment.h"

struct dal_report_counts {
	uint64_t matched, passed, calls, emits, errors, folds;
};

struct dal_report {
	FILE *out;
	const struct dal_rules *rules;
	struct dal_moment from;
	bool halted; /* a declaration with on_error = "halt" failed: nothing is told behind it */
	uint64_t events, told;            /* folded; from the moment on */
	struct dal_report_counts *counts; /* rules, then projections */
	struct dal_buffer line;
};

/* An ear for the lane; `own` is the report. */
extern const struct dal_evaluator_sink dal_report_sink;

void dal_report_init(struct dal_report *report, FILE *out, const struct dal_rules *rules,
		     const struct dal_moment *from);
void dal_report_deinit(struct dal_report *report);
/* All entries of all projections. */
int dal_report_projections(struct dal_report *report, struct dal_state *state);
void dal_report_summary(const struct dal_report *report, FILE *to, int64_t duration_us, bool json);

#endif
