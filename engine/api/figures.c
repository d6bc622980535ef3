#include "engine/api/figures.h"

#include <stdio.h>

#include "engine/base/memory.h"

struct gathered {
	struct dal_figures *list;
	size_t count, capacity;
};

/* The one of this function; a new one if a lane has told of none yet. */
static struct dal_figures *figures_of(struct gathered *gathered, const char *name)
{
	for (size_t i = 0; i < gathered->count; i++) {
		if (strcmp(gathered->list[i].name, name) == 0) {
			return &gathered->list[i];
		}
	}
	DAL_GROW(gathered->list, gathered->count, gathered->capacity);
	gathered->list[gathered->count] = (struct dal_figures){.name = name};
	return &gathered->list[gathered->count++];
}

static void on_rows(const struct dal_dispatch_status *status, void *own)
{
	struct dal_figures *figures = figures_of(own, status->function);

	figures->waiting += status->waiting;
	figures->running += status->running;
	figures->retrying += status->retrying;
	figures->more = figures->more || status->more;
	if (status->oldest_us > 0 &&
	    (figures->oldest_us == 0 || status->oldest_us < figures->oldest_us)) {
		figures->oldest_us = status->oldest_us;
	}
	if (figures->obstacle[0] == '\0') {
		snprintf(figures->obstacle, sizeof(figures->obstacle), "%s", status->obstacle);
	}
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
			if (figures->obstacle[0] == '\0') {
				snprintf(figures->obstacle, sizeof(figures->obstacle), "%s",
					 status->obstacle);
			}
			snprintf(figures->version, sizeof(figures->version), "%s", status->version);
		}
	}
}

size_t dal_figures_get(struct dal_api *api, struct dal_figures **figures)
{
	struct gathered gathered = {0};

	for (uint16_t i = 0; i < dal_engine_lanes(api->engine); i++) {
		dal_dispatch_status(dal_engine_dispatch(api->engine, i), on_rows, &gathered);
	}
	dal_functions_status(dal_engine_functions(api->engine), on_instances, &gathered);
	*figures = gathered.list;
	return gathered.count;
}
