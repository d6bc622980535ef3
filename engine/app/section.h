/*
 * A section of the settings (`log`, `http`, `limits`): the table as it was written, over it the
 * environment, under it the defaults. For settings.c and log_settings.c. Main thread.
 */
#ifndef DAL_APP_SECTION_H
#define DAL_APP_SECTION_H

#include "engine/base/field.h"
#include "rules/rules.h"

struct dal_section {
	struct dal_declaration over; /* what the environment says; its place is the table's */
	const struct dal_declaration *written; /* NULL: nowhere, or with mistakes */
	bool invalid;                          /* with mistakes, all reported */
};

void dal_section_init(struct dal_section *section, const struct dal_rules *rules,
		      const struct dal_declarable *what, char *const *environment,
		      struct dal_errors *errors);
void dal_section_deinit(struct dal_section *section);
/* The environment's word, else the file's, else the default. */
const struct dal_value *dal_section_get(const struct dal_section *section, const char *field);
/* A mistake in a field, where it was written: there, at `line` (0: at the field's own, or
 * where the table begins). The text goes on behind "log.topics". */
void dal_section_report(const struct dal_section *section, const char *field, int line,
			struct dal_errors *errors, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
