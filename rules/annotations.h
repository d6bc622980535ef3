/*
 * Annotations for the Lua language server (LuaLS, EmmyLua) of all that the files of an app may
 * use, so that an editor completes, documents and warns. The library's are written by hand, in
 * library.d.lua; those of what may be declared are made from the field tables. Any thread.
 */
#ifndef DAL_RULES_ANNOTATIONS_H
#define DAL_RULES_ANNOTATIONS_H

#include "engine/base/field.h"
#include "engine/base/slice.h"

/* Appends the whole file. `declarables`: the other folders', as dal_rules_options has them. */
void dal_annotations_write(const struct dal_declarable *const *declarables, struct dal_buffer *out);

#endif
