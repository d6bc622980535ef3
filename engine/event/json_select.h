/*
 * A tape of the named fields only: the rest of the text is skipped, not decoded.
 *
 * For text that was validated before (it comes from the log, or passed dal_json_parse): the scan
 * runs over it once, 64 bytes a step, steps into an object only if a name leads there, passes
 * everything else by its brackets and quotes, and stops when all that is named has been found. What
 * comes out is a tape as json.h describes it, of a document that has just those fields: whoever
 * reads tapes reads it too. Malformed text gives some tape or DAL_JSON_INVALID; memory stays safe
 * on any input.
 *
 * The names form a tree. A field's id is its place in it: the root has 0, ids are given in the
 * order in which fields were added. In a selected tape the node of each key bears the id of its
 * field: dal_json_field(). Arrays are passed through: the names below a field are looked for in
 * each object of an array (in arrays of arrays too), each on its own. A field that is a leaf keeps
 * its value's scalars, and the elements of its arrays. Of other fields scalars are left out, with
 * their keys; objects and arrays are kept, even if nothing in them is: as `{}` and `[]`. A root
 * that is no container is kept. Where the scan stopped early, the raw bytes of what was open end.
 *
 * A tree is changed by one thread while nobody reads it; else any thread reads it.
 *
 *	id = dal_json_names_add(names, DAL_JSON_NAMES_ROOT, dal_slice_text("data"), false);
 *	id = dal_json_names_add(names, id, dal_slice_text("total"), true);
 *	r = dal_json_select(json, text, names);
 */
#ifndef DAL_EVENT_JSON_SELECT_H
#define DAL_EVENT_JSON_SELECT_H

#include "engine/event/json.h"

struct dal_json_names;

#define DAL_JSON_NAMES_ROOT 0u

struct dal_json_names *dal_json_names_new(void);
void dal_json_names_free(struct dal_json_names *names); /* NULL is fine */
/*
 * The id of the field `name` (copied) in the field `parent`, which is added if it is new. A leaf's
 * own value is wanted; a field that was added before becomes one if `leaf`, and stays one.
 */
uint32_t dal_json_names_add(struct dal_json_names *names, uint32_t parent, struct dal_slice name,
			    bool leaf);
/* The id of a field, or DAL_JSON_NONE. */
uint32_t dal_json_names_find(const struct dal_json_names *names, uint32_t parent,
			     struct dal_slice name);
/* How many fields there are, the root among them. */
uint32_t dal_json_names_count(const struct dal_json_names *names);
/* How many fields are directly below one. */
uint32_t dal_json_names_children(const struct dal_json_names *names, uint32_t id);
bool dal_json_names_leaf(const struct dal_json_names *names, uint32_t id);

/*
 * 0 or DAL_JSON_INVALID. `text` has DAL_JSON_PADDING readable bytes behind it and outlives the use
 * of the tape. A name that stands twice in one object: the first one counts.
 */
int dal_json_select(struct dal_json *json, struct dal_slice text,
		    const struct dal_json_names *names);

/* Of a KEY's node in a selected tape: its field's id. */
static inline uint32_t dal_json_field(const struct dal_json *json, uint32_t key)
{
	return json->nodes[key].info >> 4;
}

#endif
