/*
 * Watches: the entries of a key or a range as they are, then each change, as SSE.
 *
 *	event: reset	drop what you hold: a snapshot begins (also after a reconnect)
 *	event: entry	an entry, new or changed; data as a query gives it
 *	event: gone	{"key", "at"}: it is there no more
 *	event: live	{"at"}: the snapshot is whole; from here on, changes
 *	event: error	{"detail"}: the range has outgrown a watch; it ends
 *
 * Changes are coalesced: who is slow, or watches a range, gets the newest entry, not each one
 * between. A range is looked at four times a second at the most.
 */
#ifndef DAL_API_WATCH_H
#define DAL_API_WATCH_H

#include "engine/api/api_private.h"
#include "state/view.h"

/* Does the request ask for one: `watch`, without a value or with `true`, or by Accept? */
bool dal_watch_asked(struct dal_http_request *request);
/* Of one key, or of a range (its slices are copied). Answers the request. It ends when another
 * version of the projection, which is `app`'s, is reloaded. */
void dal_watch_start(struct dal_api *api, struct dal_http_request *request, struct dal_app *app,
		     const struct dal_projection *projection, const struct dal_slice *key,
		     const struct dal_view_range *range);

#endif
