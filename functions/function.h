/* A declared function, as the files of this folder share it: checked, copied, digested. */
#ifndef DAL_FUNCTIONS_FUNCTION_H
#define DAL_FUNCTIONS_FUNCTION_H

#include "functions/functions.h"

struct dal_function *dal_function_copy(const struct dal_function *function);

/*
 * Is the command's program there, and would the sandbox see it, with the interpreter of its first
 * line? program.c. 0, or 1: `error` says what is wrong and what to do.
 */
int dal_program_check(const struct dal_function *function, struct dal_error *error);

/*
 * version.c. Fills in `version` (a digest of the declaration and of the folder's content) and
 * `secrets` (of their values; it never leaves the process). 0, or a negated errno: the folder can't
 * be read.
 */
int dal_function_digest(struct dal_function *function, const struct dal_declaration *declaration);

#endif
