#include "engine/cli/stream.h"

int dal_splitter_feed(struct dal_splitter *splitter, struct dal_slice piece,
		      int (*each)(void *own, struct dal_slice line), void *own)
{
	struct dal_slice line, rest;
	int r = 0;

	while (r == 0 && dal_slice_cut(piece, '\n', &line, &rest)) {
		if (splitter->rest.size > 0) {
			dal_buffer_slice_append(&splitter->rest, line);
			line = dal_buffer_slice(&splitter->rest);
		}
		if (line.size > 0 && line.data[line.size - 1] == '\r') {
			line.size--;
		}
		r = each(own, line);
		dal_buffer_clear(&splitter->rest);
		piece = rest;
	}
	dal_buffer_slice_append(&splitter->rest, piece);
	return r;
}

void dal_splitter_deinit(struct dal_splitter *splitter)
{
	dal_buffer_deinit(&splitter->rest);
}

static struct dal_slice field_value(struct dal_slice line, size_t name)
{
	line.data += name;
	line.size -= name;
	if (line.size > 0 && line.data[0] == ' ') {
		line.data++;
		line.size--;
	}
	return line;
}

static int on_line(void *own, struct dal_slice line)
{
	struct dal_sse *sse = own;
	int r = 0;

	if (line.size == 0) {
		if (sse->data.size > 0) {
			sse->data.size--; /* the newline of its last line */
			r = sse->each(sse->own, dal_buffer_slice(&sse->data));
			dal_buffer_clear(&sse->id);
			dal_buffer_slice_append(&sse->id, dal_buffer_slice(&sse->id_read));
		}
		dal_buffer_clear(&sse->data);
		dal_buffer_clear(&sse->event);
	} else if (dal_slice_starts(line, "data:")) {
		dal_buffer_slice_append(&sse->data, field_value(line, 5));
		dal_buffer_byte(&sse->data, '\n');
	} else if (dal_slice_starts(line, "event:")) {
		dal_buffer_clear(&sse->event);
		dal_buffer_slice_append(&sse->event, field_value(line, 6));
	} else if (dal_slice_starts(line, "id:")) {
		dal_buffer_clear(&sse->id_read);
		dal_buffer_slice_append(&sse->id_read, field_value(line, 3));
	}
	return r;
}

int dal_sse_feed(struct dal_sse *sse, struct dal_slice piece)
{
	return dal_splitter_feed(&sse->lines, piece, on_line, sse);
}

void dal_sse_restart(struct dal_sse *sse)
{
	dal_buffer_clear(&sse->lines.rest);
	dal_buffer_clear(&sse->data);
	dal_buffer_clear(&sse->event);
	dal_buffer_clear(&sse->id_read);
	dal_buffer_slice_append(&sse->id_read, dal_buffer_slice(&sse->id));
}

void dal_sse_deinit(struct dal_sse *sse)
{
	dal_splitter_deinit(&sse->lines);
	dal_buffer_deinit(&sse->data);
	dal_buffer_deinit(&sse->event);
	dal_buffer_deinit(&sse->id_read);
	dal_buffer_deinit(&sse->id);
}
