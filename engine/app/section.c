#include "engine/app/section.h"

#include <stdio.h>

void dal_section_init(struct dal_section *section, const struct dal_rules *rules,
		      const struct dal_declarable *what, char *const *environment,
		      struct dal_errors *errors)
{
	const struct dal_declaration *found = NULL;

	for (size_t i = 0; rules && i < dal_rules_declaration_count(rules); i++) {
		if (dal_rules_declaration(rules, i)->what == what) {
			found = dal_rules_declaration(rules, i);
		}
	}
	dal_declaration_init(&section->over, what, "", found ? found->file : "environment",
			     found ? found->line : 0);
	dal_declaration_environment(&section->over, environment, errors);
	dal_declaration_complete(&section->over, errors);
	section->invalid = found && found->invalid;
	section->written = section->invalid ? NULL : found;
}

void dal_section_deinit(struct dal_section *section)
{
	dal_declaration_deinit(&section->over);
}

const struct dal_value *dal_section_get(const struct dal_section *section, const char *field)
{
	const struct dal_value *value = dal_declaration_get(&section->over, field);

	if (value->written || !section->written) {
		return value;
	}
	return dal_declaration_get(section->written, field);
}

void dal_section_report(const struct dal_section *section, const char *field, int line,
			struct dal_errors *errors, const char *format, ...)
{
	bool over = dal_declaration_get(&section->over, field)->written;
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (over) {
		line = 0;
	} else if (line == 0) {
		line = dal_section_get(section, field)->line;
		line = line ? line : section->over.line;
	}
	dal_errors_add(errors, over ? "environment" : section->over.file, line, "%s.%s%s",
		       section->over.what->name, field, text);
}
