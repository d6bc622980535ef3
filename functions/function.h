/* A declared function, as the files of this folder share it: checked, copied, digested. */
#ifndef DAL_FUNCTIONS_FUNCTION_H
#define DAL_FUNCTIONS_FUNCTION_H

#include "functions/functions.h"

struct dal_function *dal_function_copy(const struct dal_function *function);

/* image.c */
void dal_image_deinit(struct dal_image *image);
struct dal_image dal_image_copy(const struct dal_image *image);
/* Does it run on this machine? 0, or 1: `error` says what is wrong and what to do. */
int dal_image_check(const struct dal_image *image, struct dal_error *error);
/* What `error` of a lookup means to a person: the image isn't there, or the engine's own words. */
void dal_image_explain(const char *name, bool missing, struct dal_error *error);
/* From now on the function starts this image and no other, and its version says so. */
void dal_function_pin(struct dal_function *function, const struct dal_image *image);
/* The user of images that name none, or root, or a name. */
#define DAL_CONTAINER_USER 65534

/* NULL-terminated lists of owned texts. */
char **dal_list_copy(char *const *list);
void dal_list_free(char **list);

/*
 * Is the command's program there, and would the sandbox see it, with the interpreter of its first
 * line? program.c. 0, or 1: `error` says what is wrong and what to do.
 */
int dal_program_check(const struct dal_function *function, struct dal_error *error);

/*
 * version.c. Fills in `version` (a digest of the declaration and of the folder's content, if it has
 * one) and `secrets` (of their values; it never leaves the process). 0, or a negated errno: the
 * folder can't be read.
 */
int dal_function_digest(struct dal_function *function, const struct dal_declaration *declaration);

#endif
