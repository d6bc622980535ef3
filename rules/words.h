/*
 * The words that rules has itself, as field tables: what may stand in `rule`, `projection` and
 * `test`. The loader refuses what they lack, and annotations are made from them; how a value is
 * checked is declare_rule.c's and declare_test.c's. Private to rules.
 */
#ifndef DAL_RULES_WORDS_H
#define DAL_RULES_WORDS_H

#include "engine/base/field.h"

extern const struct dal_declarable dal_rule_declarable, dal_projection_declarable,
	dal_test_declarable;

#endif
