#include "rules/regexp_category.h"

uint32_t dal_regexp_category(uint32_t character)
{
	size_t low = 0, high = dal_regexp_category_run_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (dal_regexp_category_runs[middle] >> 5 <= character) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return 1u << (dal_regexp_category_runs[low] & 31);
}

uint32_t dal_regexp_category_named(struct dal_slice name)
{
	uint32_t mask = 0;

	if (name.size < 1 || name.size > 2 || dal_slice_is(name, "Cs")) {
		return 0;
	}
	for (int i = 0; i < DAL_REGEXP_CATEGORIES; i++) {
		if (memcmp(dal_regexp_category_names[i], name.data, name.size) == 0) {
			mask |= 1u << i;
		}
	}
	return mask;
}
