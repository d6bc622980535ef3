#include "engine/log/meta.h"

#include <errno.h>
#include <string.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"

#define TOPIC_PREFIX "Mtopic/"
#define ORIGIN_PREFIX "Morigin/"

enum { ID_BYTES = 16, SEEDS_BYTES = 16 };

void dal_meta_deinit(struct dal_meta *meta)
{
	for (size_t i = 0; i < meta->topics_count; i++) {
		free((char *)meta->topics[i].name.data);
	}
	free(meta->topics);
	free((char *)meta->id.data);
	*meta = (struct dal_meta){0};
}

int dal_meta_topic(const struct dal_meta *meta, struct dal_slice name)
{
	for (size_t i = 0; i < meta->topics_count; i++) {
		if (name.size > 0 && dal_slice_equal(meta->topics[i].name, name)) {
			return (int)i;
		}
	}
	return -1;
}

static struct dal_meta_topic *topic_set(struct dal_meta *meta, size_t number, struct dal_slice name)
{
	if (number >= meta->topics_count) {
		meta->topics = dal_reallocarray(meta->topics, number + 1, sizeof(meta->topics[0]));
		memset(&meta->topics[meta->topics_count], 0,
		       (number + 1 - meta->topics_count) * sizeof(meta->topics[0]));
		meta->topics_count = number + 1;
	}
	struct dal_meta_topic *topic = &meta->topics[number];
	free((char *)topic->name.data);
	topic->name = dal_slice(dal_slice_dup(name), name.size);
	return topic;
}

/* --- reading --- */

static int damaged(const char *path, const char *what, struct dal_error *error)
{
	dal_error_set(error, "%s: the log's %s is damaged: restore the folder from a copy", path,
		      what);
	return -EBADMSG;
}

/* One record into `meta`. Names that this version doesn't know are passed over. */
static int record_read(struct dal_meta *meta, struct dal_slice key, struct dal_slice value,
		       const char *path, struct dal_error *error)
{
	if (dal_slice_is(key, "Mid")) {
		if (value.size != (size_t)2 * ID_BYTES) {
			return damaged(path, "id", error);
		}
		free((char *)meta->id.data);
		meta->id = dal_slice(dal_slice_dup(value), value.size);
	} else if (dal_slice_is(key, "Mseeds")) {
		if (!dal_slice_take_u64be(&value, &meta->seeds[0]) ||
		    !dal_slice_take_u64be(&value, &meta->seeds[1])) {
			return damaged(path, "seeds", error);
		}
	} else if (dal_slice_starts(key, TOPIC_PREFIX)) {
		uint16_t number = 0;
		dal_slice_take(&key, strlen(TOPIC_PREFIX), &(struct dal_slice){0});
		if (!dal_slice_take_u16be(&value, &number) || number >= DAL_META_TOPICS_MAX) {
			return damaged(path, "list of topics", error);
		}
		topic_set(meta, number, key);
	} else if (dal_slice_starts(key, ORIGIN_PREFIX)) {
		if (!dal_slice_take_u64be(&value, &meta->origin)) {
			return damaged(path, "origin", error);
		}
	}
	return 0;
}

static int records_read(struct dal_meta *meta, struct dal_store *store, const char *path,
			struct dal_error *error)
{
	struct dal_store_iterator *iterator = dal_store_iterator_new(
		store, NULL, dal_slice_text("M"), dal_slice_text("N"));
	struct dal_slice key;
	struct dal_slice value;
	int r = 0;
	while (r == 0 && (r = dal_store_iterator_next(iterator, &key, &value)) == 0) {
		r = record_read(meta, key, value, path, error);
	}
	dal_store_iterator_free(iterator);
	if (r == DAL_STORE_ABSENT) {
		r = meta->id.size ? 0 : damaged(path, "id", error);
	} else if (r != -EBADMSG) {
		dal_error_set(error, "%s: can't read the log: %s", path, strerror(-r));
	}
	return r;
}

/* 0: the version is ours; DAL_STORE_ABSENT: a new, empty store. */
static int format_check(struct dal_store *store, const char *path, struct dal_error *error)
{
	struct dal_buffer value = {0};
	uint32_t format = 0;
	int r = dal_store_get(store, NULL, dal_slice_text("Mformat"), &value);
	struct dal_slice rest = dal_buffer_slice(&value);
	if (r == 0 && !(dal_slice_take_u32be(&rest, &format) && format == DAL_META_FORMAT)) {
		dal_error_set(error,
			      "%s: this log has format %u, this program knows %d: use the version "
			      "of dalamb that wrote it, or a newer one",
			      path, format, DAL_META_FORMAT);
		r = -EPROTONOSUPPORT;
	} else if (r < 0) {
		dal_error_set(error, "%s: can't read the log: %s", path, strerror(-r));
	}
	dal_buffer_deinit(&value);
	if (r != DAL_STORE_ABSENT) {
		return r;
	}
	struct dal_slice key;
	struct dal_store_iterator *any = dal_store_iterator_new(store, NULL, dal_slice_text(""),
								dal_slice_text(""));
	if (dal_store_iterator_next(any, &key, &rest) != DAL_STORE_ABSENT) {
		dal_error_set(error, "%s: this store is not a log of dalamb: name another folder",
			      path);
		r = -EBADMSG;
	}
	dal_store_iterator_free(any);
	return r;
}

/* --- making --- */

static void new_log_put(struct dal_meta *meta, struct dal_store_batch *batch)
{
	struct dal_buffer out = {0};
	uint8_t id[ID_BYTES];
	dal_buffer_u32be(&out, DAL_META_FORMAT);
	dal_store_batch_put(batch, dal_slice_text("Mformat"), dal_buffer_slice(&out));
	dal_buffer_clear(&out);
	dal_random(meta->seeds, sizeof(meta->seeds));
	dal_buffer_u64be(&out, meta->seeds[0]);
	dal_buffer_u64be(&out, meta->seeds[1]);
	dal_store_batch_put(batch, dal_slice_text("Mseeds"), dal_buffer_slice(&out));
	dal_buffer_clear(&out);
	dal_random(id, sizeof(id));
	dal_hex_encode(dal_slice(id, sizeof(id)), &out);
	dal_store_batch_put(batch, dal_slice_text("Mid"), dal_buffer_slice(&out));
	meta->id = dal_slice(dal_slice_dup(dal_buffer_slice(&out)), out.size);
	dal_buffer_deinit(&out);
}

/* Gives the topic a number if it has none. */
static int topic_declare(struct dal_meta *meta, const char *name, struct dal_store_batch *batch,
			 const char *path, struct dal_error *error)
{
	int number = dal_meta_topic(meta, dal_slice_text(name));
	if (number < 0) {
		if (meta->topics_count == DAL_META_TOPICS_MAX) {
			dal_error_set(error, "%s: topic %s is one too many: a log has at most %d",
				      path, name, DAL_META_TOPICS_MAX);
			return -E2BIG;
		}
		struct dal_buffer key = {0};
		struct dal_buffer value = {0};
		number = (int)meta->topics_count;
		topic_set(meta, (size_t)number, dal_slice_text(name));
		dal_buffer_printf(&key, TOPIC_PREFIX "%s", name);
		dal_buffer_u16be(&value, (uint16_t)number);
		dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
		dal_buffer_deinit(&key);
		dal_buffer_deinit(&value);
	}
	meta->topics[number].declared = true;
	return 0;
}

static int topics_declare(struct dal_meta *meta, const struct dal_log_options *options,
			  struct dal_store_batch *batch, const char *path, struct dal_error *error)
{
	int r = topic_declare(meta, DAL_TOPIC_EVENTS, batch, path, error);
	if (r == 0) {
		r = topic_declare(meta, DAL_TOPIC_SYSTEM, batch, path, error);
	}
	for (size_t i = 0; r == 0 && i < options->topic_count; i++) {
		r = topic_declare(meta, options->topics[i].name, batch, path, error);
	}
	return r;
}

static int changes_write(struct dal_store *store, struct dal_store_batch *batch, const char *path,
			 struct dal_error *error)
{
	int r = dal_store_batch_count(batch) ? dal_store_write(store, batch, true) : 0;
	if (r < 0) {
		dal_error_set(error, "%s: can't write the log: %s", path, strerror(-r));
	}
	return r;
}

static int declare(struct dal_meta *meta, struct dal_store *store, bool is_new,
		   const struct dal_log_options *options, const char *path, struct dal_error *error)
{
	struct dal_store_batch *batch = dal_store_batch_new();
	if (is_new) {
		new_log_put(meta, batch);
	}
	int r = topics_declare(meta, options, batch, path, error);
	if (r == 0) {
		r = changes_write(store, batch, path, error);
	}
	dal_store_batch_free(batch);
	return r;
}

int dal_meta_open(struct dal_meta *meta, struct dal_store *store, const char *path,
		  const struct dal_log_options *options, struct dal_error *error)
{
	*meta = (struct dal_meta){0};
	int r = format_check(store, path, error);
	if (r < 0) {
		return r;
	}
	bool is_new = r == DAL_STORE_ABSENT;
	if (is_new && options->read_only) {
		dal_error_set(error, "%s: there is no log in this folder yet", path);
		return -ENOENT;
	}
	if (!is_new && (r = records_read(meta, store, path, error)) < 0) {
		return r;
	}
	for (size_t i = 0; options->read_only && i < meta->topics_count; i++) {
		meta->topics[i].declared = meta->topics[i].name.size > 0;
	}
	return options->read_only ? 0 : declare(meta, store, is_new, options, path, error);
}

void dal_meta_put_origin(struct dal_store_batch *batch, uint16_t lane, uint64_t origin)
{
	struct dal_buffer key = {0};
	struct dal_buffer value = {0};
	dal_buffer_text(&key, ORIGIN_PREFIX);
	dal_buffer_u16be(&key, lane);
	dal_buffer_u64be(&value, origin);
	dal_store_batch_put(batch, dal_buffer_slice(&key), dal_buffer_slice(&value));
	dal_buffer_deinit(&key);
	dal_buffer_deinit(&value);
}
