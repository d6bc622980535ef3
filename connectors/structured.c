/* Structured mode: the body is the event, and its bytes are kept (JSON event format, 1.0.2). */
#include "connectors/ingress_private.h"

/* A body of application/json may be a mistake of another kind: then say what makes it an event. */
static void explain_json(const struct dal_post *post, const struct dal_json *json,
			 struct dal_fault *fault)
{
	if (post->mode == DAL_POST_JSON && fault->status == 400 && !fault->placed &&
	    dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("specversion")) == DAL_JSON_NONE) {
		dal_error_set(&fault->error,
			      "application/json without specversion is no event: put the "
			      "attributes beside \"data\" (specversion, id, source, type), or send "
			      "them as ce- headers");
	}
}

void dal_post_structured(struct dal_post *post)
{
	struct dal_ingress *ingress = post->ingress;
	struct dal_json *json = dal_ingress_parser(ingress);
	struct dal_slice text = dal_post_text(post);
	struct dal_fault fault;
	struct dal_event event;
	bool good = dal_ingress_check(ingress, json, text, DAL_JSON_PADDED, &event, &fault);

	if (good) {
		dal_post_keep_one(post, text, &event);
	} else {
		explain_json(post, json, &fault);
	}
	dal_ingress_parser_done(ingress, json);
	if (good) {
		dal_post_append(post, text);
	} else {
		dal_post_refuse(post, &fault, (size_t)(text.data - post->gathered.body.data), -1);
	}
}
