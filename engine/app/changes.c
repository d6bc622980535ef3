#include "engine/app/changes.h"

#include "connectors/connectors.h"
#include "engine/app/settings.h"

static const struct dal_declarable *const fixed[] = {
	&dal_log_declarable,        &dal_http_declarable,   &dal_limits_declarable,
	&dal_containers_declarable, &dal_github_declarable, NULL,
};

static bool texts_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool values_same(const struct dal_value *a, const struct dal_value *b)
{
	bool same = a->set == b->set && (!a->set || a->kind == b->kind) && a->number == b->number &&
		    a->real == b->real && a->boolean == b->boolean &&
		    texts_same(a->text, b->text) && texts_same(a->key, b->key) &&
		    a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		same = values_same(&a->items[i], &b->items[i]);
	}
	return same;
}

/* As it was written; what nobody wrote has the defaults, into `empty`. */
static const struct dal_declaration *find(const struct dal_app *app,
					  const struct dal_declarable *what,
					  struct dal_declaration *empty)
{
	struct dal_errors errors = {0};

	for (size_t i = 0; i < dal_rules_declaration_count(app->rules); i++) {
		const struct dal_declaration *d = dal_rules_declaration(app->rules, i);
		if (d->what == what) {
			return d;
		}
	}
	dal_declaration_init(empty, what, "", "dalamb.lua", 0);
	dal_declaration_complete(empty, &errors);
	dal_errors_deinit(&errors);
	return empty;
}

static void section_check(const struct dal_app *runs, const struct dal_app *loaded,
			  const struct dal_declarable *what, struct dal_errors *errors)
{
	struct dal_declaration none[2] = {0};
	const struct dal_declaration *before = find(runs, what, &none[0]);
	const struct dal_declaration *now = find(loaded, what, &none[1]);

	for (size_t i = 0; i < now->count; i++) {
		int line = now->values[i].line ? now->values[i].line : now->line;
		if (!values_same(&before->values[i], &now->values[i])) {
			dal_errors_add(
				errors, now->file, line,
				"%s.%s has changed, which is read at the start only: "
				"restart the engine for it, or take it back and reload again",
				what->name, what->fields[i].name);
		}
	}
	dal_declaration_deinit(&none[0]);
	dal_declaration_deinit(&none[1]);
}

int dal_changes_check(const struct dal_app *runs, const struct dal_app *loaded,
		      struct dal_errors *errors)
{
	if (strcmp(runs->name, loaded->name) != 0) {
		dal_errors_add(errors, "dalamb.lua", 0,
			       "the app's name has changed from \"%s\" to \"%s\": topics and "
			       "events carry it, so this needs a restart",
			       runs->name, loaded->name);
	}
	for (size_t i = 0; fixed[i]; i++) {
		section_check(runs, loaded, fixed[i], errors);
	}
	return errors->count > 0 ? DAL_APP_INVALID : 0;
}
