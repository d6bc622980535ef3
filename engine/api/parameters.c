#include "engine/api/api_private.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"

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

static bool refuse(struct dal_http_request *request, const char *name, struct dal_slice value,
		   const char *why)
{
	dal_http_problem(request, 400, "parameter \"%s\" is \"%.*s\": %s", name, (int)value.size,
			 value.data, why);
	return false;
}

bool dal_api_limit(struct dal_http_request *request, size_t fallback, size_t *limit)
{
	struct dal_slice value;
	uint64_t number = fallback;

	if (dal_http_query(request, "limit", &value) &&
	    (!dal_slice_to_u64(value, &number) || number == 0)) {
		return refuse(request, "limit", value, "expected a number from 1 to 1000");
	}
	*limit = number > DAL_LIMIT_LIST_MAX ? DAL_LIMIT_LIST_MAX : (size_t)number;
	return true;
}

bool dal_api_place_read(const struct dal_log *log, struct dal_slice text, struct dal_place *place,
			struct dal_error *error)
{
	bool embedded = dal_log_kind(log) == DAL_LOG_EMBEDDED;
	uint32_t partitions;

	if (!dal_place_parse(text, embedded ? DAL_TOPIC_EVENTS : NULL, place)) {
		dal_error_set(error, "expected a position like events/0/17%s",
			      embedded ? ", or an offset"
				       : ": this log has offsets in each partition");
		return false;
	}
	partitions = embedded ? 1 : dal_log_partitions(log, place->topic);
	if (partitions == 0) {
		dal_error_set(error, "the app reads no topic \"%.*s\"", (int)place->topic.size,
			      place->topic.data);
		return false;
	}
	if (place->partition < 0 || (uint32_t)place->partition >= partitions) {
		dal_error_set(error, "%s has partition%s 0%s%u",
			      embedded ? "this log" : "the topic", partitions == 1 ? "" : "s",
			      partitions == 1 ? " only, not " : " to ",
			      partitions == 1 ? (unsigned)place->partition : partitions - 1);
		return false;
	}
	return true;
}

bool dal_api_position(struct dal_http_request *request, const struct dal_log *log, const char *name,
		      bool *given, struct dal_place *place)
{
	struct dal_slice value;
	struct dal_error error;

	*given = dal_http_query(request, name, &value);
	return !*given || dal_api_place_read(log, value, place, &error) ||
	       refuse(request, name, value, error.text);
}

/* "-20", "-1h" and RFC 3339. */
static bool parse_moment(struct dal_slice value, struct dal_api_moment *moment)
{
	struct dal_slice back;
	int64_t back_us;

	if (!dal_slice_starts(value, "-")) {
		moment->kind = DAL_API_TIME;
		return dal_clock_parse(value, &moment->time_us);
	}
	back = dal_slice(value.data + 1, value.size - 1);
	if (dal_slice_to_u64(back, &moment->last)) {
		moment->kind = DAL_API_LAST;
		return true;
	}
	moment->kind = DAL_API_TIME;
	if (!dal_clock_parse_duration(back, &back_us)) {
		return false;
	}
	moment->time_us = dal_clock_now_us() - back_us;
	return true;
}

bool dal_api_moment(struct dal_http_request *request, const struct dal_log *log, const char *name,
		    struct dal_api_moment *moment)
{
	struct dal_slice value;
	struct dal_place place;
	struct dal_error error;

	*moment = (struct dal_api_moment){0};
	if (!dal_http_query(request, name, &value)) {
		return true;
	}
	if (parse_moment(value, moment)) {
		return true;
	}
	moment->kind = DAL_API_PLACE;
	if (dal_api_place_read(log, value, &moment->place, &error)) {
		return true;
	}
	if (dal_place_parse(value, NULL, &place)) {
		return refuse(request, name, value, error.text);
	}
	return refuse(request, name, value,
		      "expected a position like events/0/17, a time like 2026-11-24T10:00:00Z, or "
		      "a time back from now like -1h");
}

bool dal_api_duration(struct dal_http_request *request, const char *name, int64_t fallback_us,
		      int64_t max_us, int64_t *duration_us)
{
	struct dal_slice value;

	*duration_us = fallback_us;
	if (dal_http_query(request, name, &value) &&
	    !dal_clock_parse_duration(value, duration_us)) {
		return refuse(request, name, value, "expected a duration like 250ms, 10s or 1m");
	}
	*duration_us = *duration_us > max_us ? max_us : *duration_us;
	return true;
}

bool dal_api_cursor_wrong(struct dal_http_request *request)
{
	dal_http_problem(request, 400,
			 "this cursor is not one of this list (or is of another log): give the one "
			 "that the last answer had, unchanged, or none to begin at the start");
	return false;
}
