#include "functions/frames.h"

static bool take_head(struct dal_frames *frames, struct dal_slice *from)
{
	struct dal_slice part, length = dal_slice(frames->head + 4, 4);
	size_t missing = sizeof(frames->head) - frames->head_size;
	(void)dal_slice_take(from, from->size < missing ? from->size : missing, &part);
	if (part.size > 0) {
		memcpy(frames->head + frames->head_size, part.data, part.size);
	}
	frames->head_size += part.size;
	return frames->head_size == sizeof(frames->head) &&
	       dal_slice_take_u32be(&length, &frames->left);
}

bool dal_frames_next(struct dal_frames *frames, struct dal_slice *from, struct dal_slice *piece)
{
	while (frames->left == 0) {
		if (!take_head(frames, from)) {
			return false;
		}
		frames->head_size = 0;
	}
	(void)dal_slice_take(from, from->size < frames->left ? from->size : frames->left, piece);
	frames->left -= (uint32_t)piece->size;
	return piece->size > 0;
}
