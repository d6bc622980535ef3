#include "engine/event/position.h"

#include "engine/base/memory.h"

void dal_position_deinit(struct dal_position *position)
{
	for (size_t i = 0; i < position->count; i++) {
		free((char *)position->marks[i].topic.data);
	}
	free(position->marks);
	*position = (struct dal_position){0};
}

void dal_position_copy(struct dal_position *to, const struct dal_position *from)
{
	struct dal_position copy = {0};

	for (size_t i = 0; i < from->count; i++) {
		const struct dal_mark *mark = &from->marks[i];
		dal_position_set(&copy, mark->topic, mark->partition, mark->next);
	}
	dal_position_deinit(to);
	*to = copy;
}

static bool of_all_topics(const struct dal_mark *mark)
{
	return mark->topic.size == 1 && mark->topic.data[0] == DAL_POSITION_ALL_TOPICS[0];
}

struct dal_mark *dal_position_find(const struct dal_position *position, struct dal_slice topic,
				   int32_t partition)
{
	for (size_t i = 0; i < position->count; i++) {
		struct dal_mark *mark = &position->marks[i];
		if (of_all_topics(mark) ||
		    (mark->partition == partition && dal_slice_equal(mark->topic, topic))) {
			return mark;
		}
	}
	return NULL;
}

void dal_position_set(struct dal_position *position, struct dal_slice topic, int32_t partition,
		      uint64_t next)
{
	struct dal_mark *mark = dal_position_find(position, topic, partition);

	if (mark) {
		mark->next = next;
		return;
	}
	DAL_GROW(position->marks, position->count, position->capacity);
	position->marks[position->count++] = (struct dal_mark){
		.topic = dal_slice(dal_slice_dup(topic), topic.size),
		.partition = partition,
		.next = next,
	};
}

uint64_t dal_position_next(const struct dal_position *position, struct dal_slice topic,
			   int32_t partition)
{
	const struct dal_mark *mark = dal_position_find(position, topic, partition);

	return mark ? mark->next : 0;
}

void dal_position_pass(struct dal_position *position, const struct dal_place *place)
{
	dal_position_set(position, place->topic, place->partition, place->offset + 1);
}

bool dal_position_has(const struct dal_position *position, const struct dal_place *place)
{
	return dal_position_next(position, place->topic, place->partition) > place->offset;
}

bool dal_position_reached(const struct dal_position *position, const struct dal_position *other)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct dal_mark *mark = &other->marks[i];
		if (dal_position_next(position, mark->topic, mark->partition) < mark->next) {
			return false;
		}
	}
	return true;
}

void dal_position_advance(struct dal_position *position, const struct dal_position *other)
{
	for (size_t i = 0; i < other->count; i++) {
		const struct dal_mark *mark = &other->marks[i];
		if (dal_position_next(position, mark->topic, mark->partition) < mark->next) {
			dal_position_set(position, mark->topic, mark->partition, mark->next);
		}
	}
}

uint64_t dal_position_distance(const struct dal_position *position, const struct dal_position *end)
{
	uint64_t distance = 0;

	for (size_t i = 0; i < end->count; i++) {
		const struct dal_mark *mark = &end->marks[i];
		uint64_t next = dal_position_next(position, mark->topic, mark->partition);
		distance += mark->next > next ? mark->next - next : 0;
	}
	return distance;
}

bool dal_position_equal(const struct dal_position *a, const struct dal_position *b)
{
	return dal_position_reached(a, b) && dal_position_reached(b, a);
}
