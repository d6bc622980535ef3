#include "engine/event/json_index.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#include <simdjson.h>

using first_stage = simdjson::internal::dom_parser_implementation;

struct dal_json_index {
	std::unique_ptr<first_stage> stage;
	size_t capacity = 0;
};

/* The index takes four bytes for one of text: what a giant left behind is given back. */
static constexpr size_t smallest_bytes = 16 * 1024;
static constexpr size_t giant_bytes = 4 * 1024 * 1024;

[[noreturn]] static void out_of_memory(size_t size)
{
	std::fprintf(stderr, "out of memory: no index for %zu bytes of JSON\n", size);
	std::abort();
}

static void set_capacity(dal_json_index &index, size_t size)
{
	size_t capacity = size < smallest_bytes ? smallest_bytes : size + size / 4;
	const auto *best = simdjson::get_active_implementation().operator->();
	auto failed = index.stage
			      ? index.stage->set_capacity(capacity)
			      : best->create_dom_parser_implementation(capacity, 1, index.stage);
	if (failed) {
		out_of_memory(size);
	}
	index.capacity = capacity;
}

struct dal_json_index *dal_json_index_new(void)
{
	auto *index = new (std::nothrow) dal_json_index;
	if (!index) {
		out_of_memory(0);
	}
	return index;
}

void dal_json_index_free(struct dal_json_index *index)
{
	delete index;
}

bool dal_json_index_run(struct dal_json_index *index, const char *text, size_t size,
			const uint32_t **places, size_t *count)
{
	if (size > index->capacity || !index->stage ||
	    (index->capacity > giant_bytes && size < giant_bytes / 2)) {
		set_capacity(*index, size);
	}
	first_stage &stage = *index->stage;
	auto failed = stage.stage1(reinterpret_cast<const uint8_t *>(text), size,
				   simdjson::stage1_mode::regular);
	if (failed && failed != simdjson::EMPTY) {
		return false;
	}
	*count = failed == simdjson::EMPTY ? 0 : stage.n_structural_indexes;
	stage.structural_indexes[*count] = static_cast<uint32_t>(size);
	*places = stage.structural_indexes.get();
	return true;
}

/* Out of range is all that from_chars says: is a number other than zero too large or too small? */
static bool too_large(const char *text, size_t size)
{
	/* Digits before the point, from the first that is not zero; below 0: zeros behind it. */
	long digits = 0;
	bool point = false, started = false;
	size_t i = 0;
	for (; i < size && text[i] != 'e' && text[i] != 'E'; i++) {
		if (text[i] == '.') {
			point = true;
		} else if (text[i] != '-') {
			started = started || text[i] != '0';
			digits += started ? !point : -static_cast<long>(point);
		}
	}
	long exponent = 0;
	bool negative = i + 1 < size && text[i + 1] == '-';
	for (; i < size; i++) {
		if (text[i] >= '0' && text[i] <= '9' && exponent < 1000000000) {
			exponent = exponent * 10 + (text[i] - '0');
		}
	}
	return digits + (negative ? -exponent : exponent) > 0;
}

double dal_json_text_to_double(const char *text, size_t size)
{
	double value = 0;
	auto result = std::from_chars(text, text + size, value);
	if (result.ec == std::errc::result_out_of_range) {
		value = too_large(text, size) ? HUGE_VAL : 0.0;
		return *text == '-' ? -value : value;
	}
	return value;
}

size_t dal_json_double_to_text(double value, char out[DAL_JSON_DOUBLE_BYTES])
{
	auto result = std::to_chars(out, out + DAL_JSON_DOUBLE_BYTES, value,
				    std::chars_format::scientific);
	return static_cast<size_t>(result.ptr - out);
}
