#include "engine/api/api_private.h"

#include <errno.h>
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

static bool is_sequence(const struct dal_position *next)
{
	return next->count == 1 && dal_slice_is(next->marks[0].topic, DAL_POSITION_ALL_TOPICS);
}

static void put_last(struct dal_json_writer *writer, uint64_t next)
{
	struct dal_buffer text = {0};

	dal_buffer_printf(&text, "%llu", (unsigned long long)(next > 0 ? next - 1 : 0));
	dal_json_put_slice(writer, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void put_marks(struct dal_json_writer *writer, const struct dal_position *next)
{
	struct dal_buffer name = {0};

	for (size_t i = 0; i < next->count; i++) {
		const struct dal_mark *mark = &next->marks[i];
		if (mark->next == 0) {
			continue;
		}
		dal_buffer_clear(&name);
		dal_buffer_slice_append(&name, mark->topic);
		dal_buffer_printf(&name, "/%d", mark->partition);
		dal_json_key_slice(writer, dal_buffer_slice(&name));
		put_last(writer, mark->next);
	}
	dal_buffer_deinit(&name);
}

void dal_api_put_at(struct dal_json_writer *writer, const struct dal_position *next)
{
	dal_api_put_stand(writer, &(struct dal_api_stand){(struct dal_position *)next, 1});
}

void dal_api_put_stand(struct dal_json_writer *writer, const struct dal_api_stand *stand)
{
	if (stand->count == 1 && is_sequence(&stand->lanes[0])) {
		put_last(writer, stand->lanes[0].marks[0].next);
		return;
	}
	dal_json_begin_object(writer);
	for (uint16_t i = 0; i < stand->count; i++) {
		put_marks(writer, &stand->lanes[i]);
	}
	dal_json_end_object(writer);
}

void dal_api_fail(struct dal_http_request *request, const char *what, int error)
{
	if (error == -EHOSTUNREACH) {
		dal_http_problem(request, 503, "%s can't be read: " DAL_API_AWAY, what);
		return;
	}
	if (error == -EBUSY) {
		dal_http_problem(request, 503,
				 "%s can't be read: as many read it as may at a time. Ask again "
				 "later, or end a tail; what is folded, GET /v1/projections has",
				 what);
		return;
	}
	dal_logger_write(DAL_LOGGER_ERROR, "api", "%s can't be read: %s", what, strerror(-error));
	dal_http_problem(request, 500,
			 "%s can't be read (%s): see the engine's log, and the state of its disk",
			 what, strerror(-error));
}
