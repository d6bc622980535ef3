#include "rules/words.h"

static const char *const rule_errors[] = {"skip", "halt", NULL};
static const char *const projection_errors[] = {"skip", "park", "halt", NULL};

static const struct dal_field rule_fields[] = {
	{.name = "on",
	 .kind = DAL_FIELD_PATTERN,
	 .required = true,
	 .doc = "The pattern of its events."},
	{.name = "when",
	 .kind = DAL_FIELD_FUNCTION,
	 .doc = "A guard: the rule goes on only if it gives a true value."},
	{.name = "call", .kind = DAL_FIELD_STRINGS, .doc = "A function's name, or a list of them."},
	{.name = "emit",
	 .kind = DAL_FIELD_FUNCTION,
	 .doc = "Gives one event, a list of events, or nil."},
	{.name = "by",
	 .kind = DAL_FIELD_PATH,
	 .doc = "On Kafka with several partitions: the path of the key whose views it reads."},
	{.name = "on_error",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "skip",
	 .choices = rule_errors,
	 .doc = "skip: an error skips this rule for this event; halt: the lane stops."},
	{0},
};

const struct dal_declarable dal_rule_declarable = {
	.name = "rule",
	.named = true,
	.rights = DAL_DECLARE_OPERATOR | DAL_DECLARE_RULES,
	.fields = rule_fields,
	.doc = "What is done with events of a pattern.",
};

static const struct dal_field projection_fields[] = {
	{.name = "on",
	 .kind = DAL_FIELD_PATTERN,
	 .required = true,
	 .doc = "The pattern of its events."},
	{.name = "key",
	 .kind = DAL_FIELD_PATH,
	 .or_kind = DAL_FIELD_FUNCTION,
	 .required = true,
	 .doc = "A path, or a function that gives a key, a list of keys, or nil to skip."},
	{.name = "fold",
	 .kind = DAL_FIELD_FUNCTION,
	 .required = true,
	 .doc = "Gets the state and the event, gives the new state; nil deletes the entry."},
	{.name = "init",
	 .kind = DAL_FIELD_JSON,
	 .doc = "What the first fold of a key gets; nil unless said."},
	{.name = "version",
	 .kind = DAL_FIELD_INTEGER,
	 .fallback = "1",
	 .doc = "Raise it when the fold changes: the new one is built from history."},
	{.name = "on_error",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "park",
	 .choices = projection_errors,
	 .doc = "park: this key takes no more events, all others go on; skip; halt."},
	{0},
};

const struct dal_declarable dal_projection_declarable = {
	.name = "projection",
	.named = true,
	.rights = DAL_DECLARE_OPERATOR | DAL_DECLARE_RULES,
	.fields = projection_fields,
	.doc = "A fold over events, by key, that can be queried.",
};

static const struct dal_field test_fields[] = {
	{.name = "given",
	 .kind = DAL_FIELD_TABLE,
	 .doc = "Entries that are there beforehand: a list of view(projection, key, value)."},
	{.name = "events",
	 .kind = DAL_FIELD_TABLE,
	 .or_kind = DAL_FIELD_STRING,
	 .required = true,
	 .doc = "A list of events, or the name of a file of recorded events."},
	{.name = "expect",
	 .kind = DAL_FIELD_TABLE,
	 .required = true,
	 .doc = "What comes of them: a list of call, emit, view, match and their like."},
	{0},
};

const struct dal_declarable dal_test_declarable = {
	.name = "test",
	.named = true,
	.fields = test_fields,
	.doc = "A test of the rules, in a file of tests.",
};
