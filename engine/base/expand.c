#include "engine/base/expand.h"

#include <errno.h>
#define ZLIB_CONST /* its input is not written to */
#include <zlib.h>
#include <zstd.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"

/* The largest window, and the mark for "gzip alone, no zlib". */
enum { GZIP_WINDOW = 15 + 16 };

struct dal_expander {
	enum dal_expand_format format;
	z_stream gzip;
	ZSTD_DCtx *zstd;
	bool inside; /* a member or frame has begun and not ended */
	bool whole;  /* at least one has ended */
	const char *reason;
};

struct dal_expander *dal_expander_new(enum dal_expand_format format)
{
	struct dal_expander *expander = dal_calloc(1, sizeof(*expander));

	expander->format = format;
	if (format == DAL_EXPAND_GZIP) {
		DAL_ASSERT(inflateInit2(&expander->gzip, GZIP_WINDOW) == Z_OK);
	} else {
		expander->zstd = ZSTD_createDCtx();
		DAL_ASSERT(expander->zstd);
	}
	return expander;
}

void dal_expander_free(struct dal_expander *expander)
{
	if (expander) {
		if (expander->format == DAL_EXPAND_GZIP) {
			inflateEnd(&expander->gzip);
		}
		ZSTD_freeDCtx(expander->zstd);
		free(expander);
	}
}

static int refuse(struct dal_expander *expander, const char *reason)
{
	expander->reason = reason;
	return -EBADMSG;
}

static unsigned at_once(size_t size)
{
	return size < UINT32_MAX ? (unsigned)size : UINT32_MAX;
}

/* Between members zeros may stand: tapes and block devices are padded with them. */
static void skip_zeros(struct dal_slice *from)
{
	while (from->size > 0 && from->data[0] == '\0') {
		*from = dal_slice(from->data + 1, from->size - 1);
	}
}

static int gzip_run(struct dal_expander *expander, struct dal_slice *from, char *out,
		    size_t capacity, size_t *size)
{
	z_stream *gzip = &expander->gzip;
	size_t taken;
	int r;

	if (!expander->inside) {
		if (expander->whole) {
			skip_zeros(from);
		}
		if (from->size == 0) {
			return 0;
		}
		inflateReset(gzip);
		expander->inside = true;
	}
	gzip->next_in = (const Bytef *)from->data;
	gzip->avail_in = at_once(from->size);
	gzip->next_out = (Bytef *)out;
	gzip->avail_out = at_once(capacity);
	r = inflate(gzip, Z_NO_FLUSH);
	taken = (size_t)((const char *)gzip->next_in - from->data);
	*from = dal_slice(from->data + taken, from->size - taken);
	*size = (size_t)((char *)gzip->next_out - out);
	if (r == Z_STREAM_END) {
		expander->inside = false;
		expander->whole = true;
	} else if (r != Z_OK && r != Z_BUF_ERROR) {
		return refuse(expander, gzip->msg ? gzip->msg : "not gzip");
	}
	return 0;
}

static int zstd_run(struct dal_expander *expander, struct dal_slice *from, char *out,
		    size_t capacity, size_t *size)
{
	ZSTD_inBuffer in = {from->data, from->size, 0};
	ZSTD_outBuffer to = {out, capacity, 0};
	size_t left;

	if (!expander->inside && from->size == 0) {
		return 0;
	}
	left = ZSTD_decompressStream(expander->zstd, &to, &in);
	*size = to.pos;
	if (ZSTD_isError(left)) {
		return refuse(expander, ZSTD_getErrorName(left));
	}
	*from = dal_slice(from->data + in.pos, from->size - in.pos);
	expander->inside = left > 0;
	expander->whole |= left == 0;
	return 0;
}

int dal_expander_run(struct dal_expander *expander, struct dal_slice *from, char *out,
		     size_t capacity, size_t *size)
{
	*size = 0;
	return expander->format == DAL_EXPAND_GZIP ? gzip_run(expander, from, out, capacity, size)
						   : zstd_run(expander, from, out, capacity, size);
}

bool dal_expander_whole(const struct dal_expander *expander)
{
	return expander->whole && !expander->inside;
}

const char *dal_expander_reason(const struct dal_expander *expander)
{
	return expander->reason;
}
