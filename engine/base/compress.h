/*
 * Compression of blocks with zstd; the only user of it. A compressor belongs to one thread.
 * Format: a zstd frame (RFC 8878) with its content size.
 */
#ifndef DAL_BASE_COMPRESS_H
#define DAL_BASE_COMPRESS_H

#include "engine/base/slice.h"

struct dal_compressor;

struct dal_compressor *dal_compressor_new(int level);
void dal_compressor_free(struct dal_compressor *compressor); /* NULL is fine */
/* Appends the frame to `out`. */
void dal_compress(struct dal_compressor *compressor, struct dal_slice data, struct dal_buffer *out);
/* Appends the content; `max_size` bytes at the most. -EBADMSG if it is no frame or too large. */
int dal_decompress(struct dal_compressor *compressor, struct dal_slice frame, size_t max_size,
		   struct dal_buffer *out);

#endif
