#include "rules/wildcard.h"

bool dal_wildcard_matches(const struct dal_wildcard *wildcard, struct dal_slice value)
{
	struct dal_slice first = wildcard->pieces[0];
	struct dal_slice last = wildcard->pieces[wildcard->count - 1];

	if (wildcard->count == 1) {
		return dal_slice_equal(first, value);
	}
	if (value.size < first.size + last.size ||
	    memcmp(value.data, first.data, first.size) != 0) {
		return false;
	}
	const char *at = value.data + first.size;
	const char *end = value.data + value.size - last.size;
	if (memcmp(end, last.data, last.size) != 0) {
		return false;
	}
	for (uint32_t i = 1; i + 1 < wildcard->count; i++) {
		struct dal_slice piece = wildcard->pieces[i];
		at = memmem(at, (size_t)(end - at), piece.data, piece.size);
		if (!at) {
			return false;
		}
		at += piece.size;
	}
	return true;
}
