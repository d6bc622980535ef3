/*
 * Tokens: a file of `NAME SCOPES SHA256` lines. Only digests are kept; compares take constant time.
 */
#ifndef DAL_APP_TOKENS_H
#define DAL_APP_TOKENS_H

#include "engine/base/error.h"
#include "engine/base/slice.h"

struct dal_tokens;

/* 0; -ENOENT: there is no file; other errors with `error` naming the line. */
int dal_tokens_read(const char *path, struct dal_tokens **tokens, struct dal_error *error);
void dal_tokens_free(struct dal_tokens *tokens);
/* The scopes (dal_http_scope bits) of a bearer token; 0: it is none of them. Any thread. */
int dal_tokens_scopes(const struct dal_tokens *tokens, struct dal_slice token);
/* "ingest,query" to bits; 0 if a word is unknown. */
int dal_tokens_parse_scopes(struct dal_slice text);
/* Makes a token, appends its line to the file (made 0600 if absent, an old line of that name is
 * replaced), gives its text. */
int dal_tokens_make(const char *path, const char *name, const char *scopes,
		    struct dal_buffer *token, struct dal_error *error);

#endif
