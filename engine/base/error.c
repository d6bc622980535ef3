#include "engine/base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"

/* Longer words are no misspellings of our fields. */
#define SUGGEST_LENGTH_MAX 64

/* Cuts text that filled its array with "...", never inside an UTF-8 sequence. */
static void mark_cut(char *text, size_t capacity)
{
	size_t end = capacity - sizeof("...");

	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80) {
		end--;
	}
	memcpy(text + end, "...", sizeof("..."));
}

static void copy_text(char *out, size_t capacity, const char *text)
{
	size_t length = strlen(text);

	memcpy(out, text, length < capacity ? length + 1 : capacity);
	if (length >= capacity) {
		mark_cut(out, capacity);
	}
}

static void error_fill(struct dal_error *error, const char *file, int line, const char *format,
		       va_list args)
{
	/* Filled aside: an argument may be the text of this very error. */
	struct dal_error filled = {.line = line};
	int length = vsnprintf(filled.text, sizeof(filled.text), format, args);

	if (length < 0 || (size_t)length >= sizeof(filled.text)) {
		mark_cut(filled.text, sizeof(filled.text));
	}
	copy_text(filled.file, sizeof(filled.file), file ? file : "");
	*error = filled;
}

void dal_error_set(struct dal_error *error, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		error_fill(error, NULL, 0, format, args);
		va_end(args);
	}
}

void dal_error_at(struct dal_error *error, const char *file, int line, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		error_fill(error, file, line, format, args);
		va_end(args);
	}
}

void dal_errors_deinit(struct dal_errors *errors)
{
	free(errors->items);
	*errors = (struct dal_errors){0};
}

void dal_errors_push(struct dal_errors *errors, const struct dal_error *error)
{
	if (errors->count == DAL_LIMIT_ERRORS) {
		errors->dropped++;
		return;
	}
	DAL_GROW(errors->items, errors->count, errors->capacity);
	errors->items[errors->count++] = *error;
}

void dal_errors_add(struct dal_errors *errors, const char *file, int line, const char *format, ...)
{
	struct dal_error error;
	va_list args;

	va_start(args, format);
	error_fill(&error, file, line, format, args);
	va_end(args);
	dal_errors_push(errors, &error);
}

static bool comes_after(const struct dal_error *a, const struct dal_error *b)
{
	int order = strcmp(a->file, b->file);

	return order > 0 || (order == 0 && a->line > b->line);
}

/* By insertion: stable, and there are DAL_LIMIT_ERRORS at the most. */
void dal_errors_sort(struct dal_errors *errors)
{
	for (size_t i = 1; i < errors->count; i++) {
		struct dal_error moved = errors->items[i];
		size_t place = i;

		while (place > 0 && comes_after(&errors->items[place - 1], &moved)) {
			place--;
		}
		memmove(&errors->items[place + 1], &errors->items[place],
			(i - place) * sizeof(moved));
		errors->items[place] = moved;
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours, both at most SUGGEST_LENGTH_MAX. */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[3][SUGGEST_LENGTH_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_size; j++) {
		last[j] = j;
	}
	for (size_t i = 1; i <= a_size; i++) {
		size_t *reused = before;

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = least(last[j - 1] + (a[i - 1] != b[j - 1]),
				       least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
				row[j] = least(row[j], before[j - 2] + 1);
			}
		}
		before = last;
		last = row;
		row = reused;
	}
	return last[b_size];
}

const char *dal_error_suggest(const char *word, const char *const *names, size_t count)
{
	size_t word_size = strlen(word);
	size_t nearest = SUGGEST_LENGTH_MAX;
	const char *suggestion = NULL;

	if (word_size > SUGGEST_LENGTH_MAX) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]);
		size_t longer = size > word_size ? size : word_size;
		size_t distance;

		if (size > SUGGEST_LENGTH_MAX) {
			continue;
		}
		distance = edit_distance(word, word_size, names[i], size);
		if (distance * 3 <= longer && distance < nearest) {
			nearest = distance;
			suggestion = names[i];
		}
	}
	return suggestion;
}

_Noreturn void dal_assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "dalamb: %s:%d: a bug: \"%s\" does not hold\n", file, line, condition);
	abort();
}
