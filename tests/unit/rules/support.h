/* Loads rule files from text and runs events through them; shared by the tests of rules. */
#ifndef DAL_TESTS_RULES_SUPPORT_H
#define DAL_TESTS_RULES_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "rules/rules.h"
#include "rules/vm.h"

/* A rule set, a machine, and an event on its tape. */
struct fixture {
	struct dal_rules *rules;
	struct dal_vm *vm;
	struct dal_json *json;
	struct dal_event event;
	struct dal_errors errors, warnings;
	/* What view() gives: one entry, of any projection; counts the questions. */
	struct dal_vm_entry *seen;
	char asked[256];
	int view_result;
};

static inline int fixture_view(void *own, uint32_t projection, struct dal_slice key,
			       const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	struct fixture *f = own;
	snprintf(f->asked, sizeof(f->asked), "%u %.*s", projection, (int)key.size, key.data);
	*entry = f->seen;
	if (f->view_result > 0) {
		dal_buffer_text(message, "it failed before");
	}
	return f->view_result;
}

static inline int fixture_try(struct fixture *f, const struct dal_rules_source *sources,
			      size_t count, const struct dal_declarable *const *declarables,
			      const char *call)
{
	*f = (struct fixture){0};
	struct dal_rules_options options = {sources, count, declarables, call, false};
	return dal_rules_load(&options, &f->rules, &f->errors, &f->warnings);
}

static inline void fixture_machine(struct fixture *f, bool unlimited_time)
{
	struct dal_vm_options options = {.rules = f->rules,
					 .view = fixture_view,
					 .own = f,
					 .unlimited_time = unlimited_time};
	assert_int_equal(dal_vm_new(&options, &f->vm), 0);
}

/* Loads one rule file that must be right, and makes a machine. */
static inline void fixture_load(struct fixture *f, const char *text)
{
	struct dal_rules_source source = {"rules/t.lua", dal_slice_text(text), DAL_RULES_RULES};
	int r = fixture_try(f, &source, 1, NULL, NULL);
	for (size_t i = 0; i < f->errors.count; i++) {
		print_error("%s:%d: %s\n", f->errors.items[i].file, f->errors.items[i].line,
			    f->errors.items[i].text);
	}
	assert_int_equal(r, 0);
	fixture_machine(f, false);
}

static inline void fixture_event(struct fixture *f, const char *json)
{
	struct dal_json_error error;
	if (f->json == NULL) {
		f->json = dal_json_new();
	}
	assert_int_equal(dal_json_parse(f->json, dal_slice_text(json), 0, &error), 0);
	dal_event_view(&f->event, f->json);
	f->event.place = (struct dal_place){dal_slice_text("events"), 0, 17};
	if (f->vm != NULL) {
		dal_vm_event(f->vm, &f->event);
	}
}

static inline void fixture_free(struct fixture *f)
{
	dal_vm_entry_free(f->seen);
	dal_vm_free(f->vm);
	dal_rules_unref(f->rules);
	dal_json_free(f->json);
	dal_errors_deinit(&f->errors);
	dal_errors_deinit(&f->warnings);
}

static inline void assert_slice(struct dal_slice slice, const char *text)
{
	char *copy = dal_slice_dup(slice);
	assert_string_equal(copy, text);
	free(copy);
}

/* The failure's message holds `part`. */
static inline void assert_failure(const struct fixture *f, const char *part)
{
	char *message = dal_slice_dup(dal_vm_failure(f->vm).message);
	if (strstr(message, part) == NULL) {
		print_error("'%s' lacks '%s'\n", message, part);
		fail();
	}
	free(message);
}

static inline void assert_entry(const struct dal_vm_entry *entry, const char *json)
{
	struct dal_buffer out = {0};
	dal_vm_entry_encode(entry, &out);
	assert_slice(dal_buffer_slice(&out), json);
	dal_buffer_deinit(&out);
}

#endif
