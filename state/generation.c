#include "state/generation.h"

void dal_generation_format(const struct dal_generation *generation, struct dal_buffer *out)
{
	dal_buffer_printf(out, "%llu-%.*s", (unsigned long long)generation->number,
			  (int)generation->digest.size, generation->digest.data);
}

struct dal_generation dal_generation_parse(struct dal_slice text)
{
	struct dal_generation generation = {.digest = text};
	uint64_t number = 0;
	size_t i = 0;

	for (; i < text.size && i < 19 && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (i > 0 && i < text.size && text.data[i] == '-') {
		generation.number = number;
		generation.digest = dal_slice(text.data + i + 1, text.size - i - 1);
	}
	return generation;
}
