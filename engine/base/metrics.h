/*
 * Metrics: each folder registers its own, the page prints all as Prometheus text (version 0.0.4).
 *
 * A metric lives as long as the process; registering the same name and labels again gives the same
 * one. Updating is a relaxed atomic add: any thread, no lock. Registering and printing lock.
 *
 *	static struct dal_metric *appended;
 *	appended = dal_metric_counter("dalamb_log_appended_events_total", "Events appended.", NULL);
 *	dal_metric_add(appended, 1);
 */
#ifndef DAL_BASE_METRICS_H
#define DAL_BASE_METRICS_H

#include <stdint.h>

#include "engine/base/slice.h"

struct dal_metric;

/* `labels` is Prometheus text without braces (`function="a"`), values already escaped, or NULL. */
struct dal_metric *dal_metric_counter(const char *name, const char *help, const char *labels);
struct dal_metric *dal_metric_gauge(const char *name, const char *help, const char *labels);
/* A histogram of seconds with fixed bounds from 100 us to 60 s. */
struct dal_metric *dal_metric_histogram(const char *name, const char *help, const char *labels);
void dal_metric_add(struct dal_metric *metric, int64_t value);
void dal_metric_set(struct dal_metric *metric, int64_t value);
int64_t dal_metric_get(const struct dal_metric *metric);
void dal_metric_observe_us(struct dal_metric *metric, int64_t duration_us);
/* Escapes a label's value. Appends. */
void dal_metric_escape(struct dal_slice value, struct dal_buffer *out);
/* The whole page, families sorted by name, one HELP and TYPE each. */
void dal_metrics_print(struct dal_buffer *out);

#endif
