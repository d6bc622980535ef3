#include "bench/peers/parse.h"

#include <simdjson.h>

static bool parse(const char *text, size_t size, bool copy)
{
	static simdjson::dom::parser parser;
	simdjson::dom::element root;

	return parser.parse(text, size, copy).get(root) == simdjson::SUCCESS;
}

bool peer_parse(const char *text, size_t size)
{
	return parse(text, size, true);
}

bool peer_parse_padded(const char *text, size_t size)
{
	return parse(text, size, false);
}
