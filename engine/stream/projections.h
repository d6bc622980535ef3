/*
 * What the state knows of the projections in a lane, and what becomes of them as rules come and go:
 * new, raised, changed, gone. For the files of the lane; nobody else includes it.
 *
 * A version that no declaration has any more is dropped when the lane is opened. When rules are
 * changed under a running lane its entries stay for a while, for who still reads them: it is
 * retired (not built, up to where the lane stood), and dropped later. So a version that comes back
 * meanwhile, also after a crash, goes on from there and misses nothing.
 */
#ifndef DAL_STREAM_PROJECTIONS_H
#define DAL_STREAM_PROJECTIONS_H

#include "engine/stream/lane_private.h"

struct dal_known {
	char *name;
	uint32_t version;
	char *digest;
	bool built;
	struct dal_position next;
};

struct dal_survey {
	struct dal_known *list;
	size_t count, capacity;
};

/* 0 or negative; to be given back in both cases. */
int dal_survey_take(struct dal_state *state, uint16_t lane, struct dal_survey *survey);
void dal_survey_deinit(struct dal_survey *survey);
/* NULL: it is new. */
const struct dal_known *dal_survey_find(const struct dal_survey *survey, const char *name,
					uint32_t version);

/* All into the lane's batch, which the caller writes. */

void dal_lane_projection_put(struct dal_lane *lane, size_t index, bool built,
			     const struct dal_position *next);
/* Makes those known that are not, and begins anew what was changed; whoever calls has seen to it
 * that this is allowed. How many were begun anew. */
size_t dal_lane_projections_begin(struct dal_lane *lane, const struct dal_survey *survey);
/* Versions that no declaration has any more. */
void dal_lane_projections_retire(struct dal_lane *lane, const struct dal_survey *survey);

#endif
