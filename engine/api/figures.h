/* What is known of each function, from dispatch (rows, of all lanes) and from the pool (instances).
 */
#ifndef DAL_API_FIGURES_H
#define DAL_API_FIGURES_H

#include "engine/api/api_private.h"

struct dal_figures {
	const char *name; /* the app's or dispatch's: lives as long as the engine */
	uint64_t waiting, running, retrying;
	bool more; /* rows beyond the window wait on disk */
	int64_t oldest_us;
	char obstacle[256];
	uint32_t instances, busy;
	uint64_t invocations, failures, cold_starts;
	char version[17];
};

/* One for each function, also of those that are gone but have rows. The caller frees the array. */
size_t dal_figures_get(struct dal_api *api, struct dal_figures **figures);

#endif
