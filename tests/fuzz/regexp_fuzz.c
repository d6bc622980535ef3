/*
 * Regular expressions, a line each, and behind an empty line values, a line each: the set says what
 * each says alone, before and after every other one was taken out.
 */
#include "engine/base/error.h"
#include "rules/regexp.h"

enum { EXPRESSIONS = 16 };

struct expressions {
	struct dal_arena arenas[EXPRESSIONS];
	const struct dal_regexp *regexps[EXPRESSIONS];
	uint32_t count;
	uint32_t found; /* a bit for each that was reported */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *own, uint32_t id)
{
	struct expressions *all = own;
	DAL_ASSERT(!(all->found >> id & 1));
	all->found |= 1u << id;
}

static void check(struct expressions *all, uint32_t in, const struct dal_regexps *set,
		  struct dal_regexp_scratch *scratch, struct dal_slice values)
{
	struct dal_slice value;
	while (dal_slice_cut(values, '\n', &value, &values)) {
		all->found = 0;
		dal_regexps_find(set, scratch, value, note, all);
		for (uint32_t i = 0; i < all->count; i++) {
			bool is = (in >> i & 1) && dal_regexp_matches(all->regexps[i], value);
			DAL_ASSERT(is == (all->found >> i & 1));
		}
	}
}

static void check_mistake(struct dal_slice line, const char *message, size_t position)
{
	DAL_ASSERT(message[0] != '\0');
	DAL_ASSERT(position <= line.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dal_slice line, rest = dal_slice(data, size);
	struct expressions all = {0};
	struct dal_regexps *set = NULL;
	struct dal_regexp_scratch *scratch = dal_regexp_scratch_new();

	while (dal_slice_cut(rest, '\n', &line, &rest) && line.size > 0 &&
	       all.count < EXPRESSIONS) {
		size_t position = 0;
		const char *message = dal_regexp_parse(&all.arenas[all.count], line,
						       &all.regexps[all.count], &position);
		if (message) {
			check_mistake(line, message, position);
			dal_arena_deinit(&all.arenas[all.count]);
			all.arenas[all.count] = (struct dal_arena){0};
		} else {
			dal_regexps_add(&set, all.regexps[all.count], all.count);
			all.count++;
		}
	}
	if (set) {
		check(&all, 0xFFFF, set, scratch, rest);
		for (uint32_t i = 0; i < all.count; i += 2) {
			dal_regexps_remove(set, i);
		}
		check(&all, 0xAAAA, set, scratch, rest);
	}
	dal_regexps_free(set);
	dal_regexp_scratch_free(scratch);
	for (uint32_t i = 0; i < all.count; i++) {
		dal_arena_deinit(&all.arenas[i]);
	}
	return 0;
}
