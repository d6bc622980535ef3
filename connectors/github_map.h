/*
 * GitHub's webhooks as CloudEvents: which type, source, subject and time an event gets.
 *
 * Source: cloudevents/spec, cloudevents/adapters/github.md. The type is com.github.<event>, then
 * what the mapping adds (most often the action); an event that the mapping doesn't know gets its
 * action. The source is the same for all events of a repository, its url, where the mapping names
 * a part of it for some; without a repository it is what the mapping names, else the organisation,
 * the installation's account or the sender. Private to this folder.
 */
#ifndef DAL_CONNECTORS_GITHUB_MAP_H
#define DAL_CONNECTORS_GITHUB_MAP_H

#include "engine/event/json.h"

struct dal_github_event {
	struct dal_buffer type, source, subject; /* without a subject it is empty */
	struct dal_slice time;                   /* of the payload, or empty: now */
};

/* `event` is zeroed; slices live as long as the tape. Deinit it whatever comes. */
void dal_github_map(struct dal_slice name, const struct dal_json *payload,
		    struct dal_github_event *event);
void dal_github_event_deinit(struct dal_github_event *event);

#endif
