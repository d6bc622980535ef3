/* What a program would parse with that has no parser of its own: simdjson's DOM. One thread. */
#ifndef DAL_BENCH_PEERS_PARSE_H
#define DAL_BENCH_PEERS_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is it JSON? */
bool peer_parse(const char *text, size_t size);

/* The same of text with 64 readable bytes behind it, which saves a copy. */
bool peer_parse_padded(const char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
