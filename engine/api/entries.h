/*
 * The entries of a projection in all lanes, as one. A key lives in one lane; which one is not asked
 * of the key, all are looked at. If two should have it, the first one's counts. Any thread.
 */
#ifndef DAL_API_ENTRIES_H
#define DAL_API_ENTRIES_H

#include "engine/api/api_private.h"
#include "state/view.h"

/* As dal_view_get; *lane gets where it lives. */
int dal_entries_get(struct dal_api *api, const struct dal_projection *projection,
		    struct dal_slice key, uint16_t *lane, struct dal_view_entry *entry,
		    struct dal_buffer *memory);
/* As dal_view_scan, in key order over all lanes. */
int dal_entries_scan(struct dal_api *api, const struct dal_projection *projection,
		     const struct dal_view_range *range,
		     bool (*each)(uint16_t lane, struct dal_slice key,
				  const struct dal_view_entry *entry, void *own),
		     void *own, bool *more);

#endif
