/*
 * dalamb.app.loaded (events.md): a generation of the app begins at a place of a lane.
 */
#ifndef DAL_APP_LOADED_H
#define DAL_APP_LOADED_H

#include "engine/app/app.h"
#include "engine/log/log.h"

struct dal_loaded_place {
	uint16_t lane;
	const struct dal_position *from;
};

/* Appends one for each place, all or none, and waits. Outcomes of dal_log_append. */
int dal_loaded_append(struct dal_log *log, const struct dal_app *app,
		      const struct dal_loaded_place *places, size_t count);

#endif
