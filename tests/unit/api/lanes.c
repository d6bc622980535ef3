#include "tests/unit/api/lanes.h"

#include <stdlib.h>

#include "engine/base/memory.h"

enum { GAP = 5 };

static struct dal_log *the_log;
static unsigned sent;

int __wrap_dal_log_open(const struct dal_log_options *options, struct dal_log **log,
			struct dal_error *error);

int __wrap_dal_log_open(const struct dal_log_options *options, struct dal_log **log,
			struct dal_error *error)
{
	static const char *const topics[] = {"clicks", NULL};

	(void)error;
	lanes_log_open(&(struct lanes_log_options){.lanes = LANES,
						   .topics = topics,
						   .gap = GAP,
						   .lazy = true,
						   .on_advance = options->on_advance,
						   .own = options->own},
		       log);
	the_log = *log;
	return 0;
}

struct dal_log *lanes_log(void)
{
	return the_log;
}

char *lanes_post(const char *topic, const char *type, const char *subject, int data)
{
	char *target = dal_asprintf("/v1/events?topic=%s", topic);
	char *body = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/test\","
				  "\"type\":\"%s\",\"subject\":\"%s\",\"data\":%d}",
				  sent++, type, subject, data);

	harness_post_as(target, "application/cloudevents+json", body, 200);
	free(target);
	free(body);
	return dal_slice_dup(
		dal_json_string(harness_json(), harness_member(DAL_JSON_ROOT, "position")));
}

void lanes_post_keys(unsigned count, struct dal_buffer *positions)
{
	for (unsigned i = 0; i < count; i++) {
		char *key = dal_asprintf("k%02u", i), *at = lanes_post("events", "seen", key, 1);
		if (positions) {
			dal_buffer_printf(positions, "%s\n", at);
		}
		free(key);
		free(at);
	}
}

uint16_t lanes_of(const char *position)
{
	struct dal_place place;

	assert_true(dal_place_parse(dal_slice_text(position), NULL, &place));
	return (uint16_t)place.partition;
}
