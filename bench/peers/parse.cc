#include "bench/peers/parse.h"

#include <simdjson.h>

bool peer_parse(const char *text, size_t size)
{
	static simdjson::dom::parser parser;
	simdjson::dom::element root;

	return parser.parse(text, size).get(root) == simdjson::SUCCESS;
}
