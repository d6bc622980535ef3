#include "engine/api/api_private.h"

static bool is_among(struct dal_slice name, const char *const *names)
{
	for (; *names; names++) {
		if (dal_slice_is(name, *names)) {
			return true;
		}
	}
	return false;
}

static void refuse_name(struct dal_http_request *request, struct dal_slice name,
			const char *const *names)
{
	struct dal_buffer known = {0};

	for (size_t i = 0; names[i]; i++) {
		dal_buffer_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	dal_http_problem(request, 400, "unknown parameter \"%.*s\": this path takes %s",
			 (int)name.size, name.data,
			 known.size > 0 ? dal_buffer_cstr(&known) : "none");
	dal_buffer_deinit(&known);
}

bool dal_api_known(struct dal_http_request *request, const char *const *names)
{
	struct dal_slice name, value;

	for (size_t i = 0; dal_http_query_at(request, i, &name, &value); i++) {
		if (!is_among(name, names)) {
			refuse_name(request, name, names);
			return false;
		}
	}
	return true;
}
