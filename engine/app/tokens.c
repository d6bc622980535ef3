#include "engine/app/tokens.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/field.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/http/http.h"

#define HEX_BYTES (2 * DAL_DIGEST_BYTES)
#define TOKEN_BYTES 24 /* of chance: 32 characters of base64 */

struct token {
	int scopes;
	char hex[HEX_BYTES];
};

struct dal_tokens {
	struct token *list;
	size_t count, capacity;
};

int dal_tokens_parse_scopes(struct dal_slice text)
{
	static const char *const words[] = {"ingest", "query", "invoke", "admin"};
	static const int bits[] = {DAL_HTTP_INGEST, DAL_HTTP_QUERY, DAL_HTTP_INVOKE,
				   DAL_HTTP_ADMIN};
	struct dal_slice word;
	int scopes = 0;

	while (text.size > 0) {
		size_t i = 0;
		if (!dal_slice_cut(text, ',', &word, &text)) {
			word = text;
			text.size = 0;
		}
		while (i < 4 && !dal_slice_is(word, words[i])) {
			i++;
		}
		if (i == 4) {
			return 0;
		}
		scopes |= bits[i];
	}
	return scopes;
}

/* NAME SCOPES SHA256, with single spaces. */
static bool line_read(struct dal_slice line, struct dal_slice *name, struct token *token)
{
	struct dal_slice scopes, hex;

	if (!dal_slice_cut(line, ' ', name, &line) || !dal_slice_cut(line, ' ', &scopes, &hex) ||
	    hex.size != HEX_BYTES) {
		return false;
	}
	memcpy(token->hex, hex.data, HEX_BYTES);
	token->scopes = dal_tokens_parse_scopes(scopes);
	return token->scopes != 0;
}

static bool next_line(struct dal_slice *text, struct dal_slice *line)
{
	if (text->size == 0) {
		return false;
	}
	if (!dal_slice_cut(*text, '\n', line, text)) {
		*line = *text;
		text->size = 0;
	}
	return true;
}

int dal_tokens_read(const char *path, struct dal_tokens **out, struct dal_error *error)
{
	struct dal_tokens *tokens;
	struct dal_buffer text = {0};
	struct dal_slice rest, line, name;
	int number = 0, r = dal_file_read(path, DAL_MIB, &text);

	if (r < 0) {
		dal_error_at(error, path, 0, "the tokens can't be read: %s", strerror(-r));
		return r;
	}
	tokens = dal_calloc(1, sizeof(*tokens));
	rest = dal_buffer_slice(&text);
	while (r == 0 && next_line(&rest, &line)) {
		struct token token;
		number++;
		if (line.size == 0 || line.data[0] == '#') {
			continue;
		}
		if (!line_read(line, &name, &token)) {
			dal_error_at(error, path, number,
				     "this line is not NAME SCOPES SHA256: make tokens with "
				     "`dalamb token NAME --scope ...`");
			r = -EINVAL;
			break;
		}
		DAL_GROW(tokens->list, tokens->count, tokens->capacity);
		tokens->list[tokens->count++] = token;
	}
	dal_buffer_deinit(&text);
	if (r < 0) {
		dal_tokens_free(tokens);
		return r;
	}
	*out = tokens;
	return 0;
}

void dal_tokens_free(struct dal_tokens *tokens)
{
	if (tokens) {
		free(tokens->list);
		free(tokens);
	}
}

static void token_hex(struct dal_slice token, struct dal_buffer *hex)
{
	struct dal_digest digest = dal_digest_of(token);

	dal_hex_encode(dal_slice(digest.bytes, sizeof(digest.bytes)), hex);
}

int dal_tokens_scopes(const struct dal_tokens *tokens, struct dal_slice token)
{
	struct dal_buffer hex = {0};
	int scopes = 0;

	token_hex(token, &hex);
	for (size_t i = 0; i < tokens->count; i++) { /* all of them, whichever it is */
		bool equal = dal_digest_equal(dal_buffer_slice(&hex),
					      dal_slice(tokens->list[i].hex, HEX_BYTES));
		scopes |= equal ? tokens->list[i].scopes : 0;
	}
	dal_buffer_deinit(&hex);
	return scopes;
}

/* The file's lines but those of this name. */
static int others(const char *path, const char *own, struct dal_buffer *out)
{
	struct dal_buffer text = {0};
	struct dal_slice rest, line, name, tail;
	int r = dal_file_read(path, DAL_MIB, &text);

	if (r == -ENOENT) {
		return 0;
	}
	rest = dal_buffer_slice(&text);
	while (r == 0 && next_line(&rest, &line)) {
		if (dal_slice_cut(line, ' ', &name, &tail) && dal_slice_is(name, own)) {
			continue;
		}
		dal_buffer_slice_append(out, line);
		dal_buffer_byte(out, '\n');
	}
	dal_buffer_deinit(&text);
	return r;
}

int dal_tokens_make(const char *path, const char *name, const char *scopes,
		    struct dal_buffer *token, struct dal_error *error)
{
	struct dal_buffer lines = {0}, hex = {0};
	uint8_t chance[TOKEN_BYTES];
	int r;

	if (!dal_name_valid(dal_slice_text(name)) ||
	    dal_tokens_parse_scopes(dal_slice_text(scopes)) == 0) {
		dal_error_set(error,
			      "a token needs a name (a-z, 0-9, '.', '_', '-') and scopes out of "
			      "ingest, query, invoke, admin: dalamb token shop --scope "
			      "ingest,query");
		return -EINVAL;
	}
	dal_random(chance, sizeof(chance));
	dal_buffer_text(token, "dal_");
	dal_base64url_encode(dal_slice(chance, sizeof(chance)), token);
	token_hex(dal_buffer_slice(token), &hex);
	r = others(path, name, &lines);
	dal_buffer_printf(&lines, "%s %s %.*s\n", name, scopes, (int)hex.size, hex.data);
	if (r == 0) {
		r = dal_file_write(path, dal_buffer_slice(&lines), 0600);
	}
	if (r < 0) {
		dal_error_at(error, path, 0, "the tokens can't be written: %s", strerror(-r));
	}
	dal_buffer_deinit(&lines);
	dal_buffer_deinit(&hex);
	return r;
}
