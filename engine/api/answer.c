#include "engine/api/api_private.h"

#include <string.h>

#include "engine/base/logger.h"

void dal_api_reply(struct dal_http_request *request, struct dal_buffer *body)
{
	dal_buffer_byte(body, '\n');
	dal_http_reply_take(request, 200, "application/json", NULL, body);
}

void dal_api_put_place(struct dal_json_writer *writer, const struct dal_place *place)
{
	struct dal_buffer text = {0};

	dal_place_format(place, &text);
	dal_json_put_slice(writer, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

void dal_api_put_at(struct dal_json_writer *writer, uint64_t next)
{
	struct dal_buffer text = {0};

	dal_buffer_printf(&text, "%llu", (unsigned long long)(next > 0 ? next - 1 : 0));
	dal_json_put_slice(writer, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

void dal_api_fail(struct dal_http_request *request, const char *what, int error)
{
	dal_logger_write(DAL_LOGGER_ERROR, "api", "%s can't be read: %s", what, strerror(-error));
	dal_http_problem(request, 500,
			 "%s can't be read (%s): see the engine's log, and the state of its disk",
			 what, strerror(-error));
}
