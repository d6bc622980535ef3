#include "engine/api/figures.h"

#include <stdio.h>

#include "engine/base/memory.h"

struct gathered {
	struct dal_figures *list;
	size_t count, capacity;
};

static void on_rows(const struct dal_dispatch_status *status, void *own)
{
	struct gathered *gathered = own;
	struct dal_figures figures = {
		.name = status->function,
		.waiting = status->waiting,
		.running = status->running,
		.retrying = status->retrying,
		.more = status->more,
		.oldest_us = status->oldest_us,
	};

	snprintf(figures.obstacle, sizeof(figures.obstacle), "%s", status->obstacle);
	DAL_GROW(gathered->list, gathered->count, gathered->capacity);
	gathered->list[gathered->count++] = figures;
}

static void on_instances(const struct dal_function_status *status, void *own)
{
	struct gathered *gathered = own;

	for (size_t i = 0; i < gathered->count; i++) {
		struct dal_figures *figures = &gathered->list[i];
		if (strcmp(figures->name, status->name) == 0) {
			figures->instances = status->instances;
			figures->busy = status->busy;
			figures->invocations = status->invocations;
			figures->failures = status->failures;
			figures->cold_starts = status->cold_starts;
			snprintf(figures->version, sizeof(figures->version), "%s", status->version);
		}
	}
}

size_t dal_figures_get(struct dal_api *api, struct dal_figures **figures)
{
	struct gathered gathered = {0};

	dal_dispatch_status(dal_engine_dispatch(api->engine), on_rows, &gathered);
	dal_functions_status(dal_engine_functions(api->engine), on_instances, &gathered);
	*figures = gathered.list;
	return gathered.count;
}
