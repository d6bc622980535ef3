/*
 * Errors: how functions say no.
 *
 * A function that can fail returns int: 0 is done; negative is fatal, a negated errno, and is
 * forwarded unchanged; positive is a named outcome of that header which the caller must handle.
 * Where a person wrote the input, a `struct dal_error` says what, where and what to do; where many
 * mistakes are reported at once (an app's files), they are gathered in `struct dal_errors`.
 * Thread: none; values belong to whoever holds them.
 *
 *	struct dal_error error;
 *	if (dal_thing_read(bytes, &thing, &error) != 0) {
 *		fprintf(stderr, "%s:%d: %s\n", error.file, error.line, error.text);
 *	}
 */
#ifndef DAL_BASE_ERROR_H
#define DAL_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct dal_error {
	char file[192];  /* "" if there is no file */
	int line;        /* from 1; 0 if unknown */
	int column;      /* from 1; 0 if unknown */
	char text[1024]; /* what is wrong, what was expected, what to do; no newline at the end */
};

/* Fills `error` (may be NULL); no file, line or column. Cuts long text with "...". */
void dal_error_set(struct dal_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void dal_error_at(struct dal_error *error, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * A list of errors, or of warnings. A zeroed struct is empty. Keeps at most DAL_LIMIT_ERRORS,
 * counts all.
 */
struct dal_errors {
	struct dal_error *items;
	size_t count, capacity;
	size_t dropped; /* past the limit */
};

void dal_errors_deinit(struct dal_errors *errors);
void dal_errors_add(struct dal_errors *errors, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void dal_errors_push(struct dal_errors *errors, const struct dal_error *error);
/* By file (in byte order), then line, then order of arrival. */
void dal_errors_sort(struct dal_errors *errors);

/* The nearest of `names` to a misspelt `word`; NULL if over a third would have to change. */
const char *dal_error_suggest(const char *word, const char *const *names, size_t count);

/* Bugs: a message with file and line on stderr, then abort. Stays on in release builds. */
#define DAL_ASSERT(condition)                                                                      \
	((condition) ? (void)0 : dal_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void dal_assert_failed(const char *condition, const char *file, int line);

#endif
