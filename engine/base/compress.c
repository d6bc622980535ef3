#include "engine/base/compress.h"

#include <errno.h>
#include <zstd.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

struct dal_compressor {
	ZSTD_CCtx *packer;
	ZSTD_DCtx *unpacker;
	int level;
};

struct dal_compressor *dal_compressor_new(int level)
{
	struct dal_compressor *compressor = dal_malloc(sizeof(*compressor));

	compressor->packer = ZSTD_createCCtx();
	compressor->unpacker = ZSTD_createDCtx();
	compressor->level = level;
	DAL_ASSERT(compressor->packer && compressor->unpacker);
	return compressor;
}

void dal_compressor_free(struct dal_compressor *compressor)
{
	if (compressor) {
		ZSTD_freeCCtx(compressor->packer);
		ZSTD_freeDCtx(compressor->unpacker);
		free(compressor);
	}
}

void dal_compress(struct dal_compressor *compressor, struct dal_slice data, struct dal_buffer *out)
{
	size_t bound = ZSTD_compressBound(data.size);
	char *place = dal_buffer_reserve(out, bound);
	size_t size = ZSTD_compressCCtx(compressor->packer, place, bound, data.data, data.size,
					compressor->level);

	DAL_ASSERT(!ZSTD_isError(size)); /* the bound suffices */
	out->size += size;
}

int dal_decompress(struct dal_compressor *compressor, struct dal_slice frame, size_t max_size,
		   struct dal_buffer *out)
{
	/* The errors of this function are its two largest values. */
	unsigned long long size = ZSTD_getFrameContentSize(frame.data, frame.size);
	char *place;

	if (size >= ZSTD_CONTENTSIZE_ERROR || size > max_size ||
	    ZSTD_findFrameCompressedSize(frame.data, frame.size) != frame.size) {
		return -EBADMSG;
	}
	place = dal_buffer_reserve(out, (size_t)size);
	if (ZSTD_decompressDCtx(compressor->unpacker, place, (size_t)size, frame.data,
				frame.size) != size) {
		return -EBADMSG;
	}
	out->size += (size_t)size;
	return 0;
}
