/* Would a function's program start? Found out at load, where a person can put it right. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/function.h"

#define SANDBOX_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *const shown[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/libx32", "/lib64", NULL,
};

static bool below(const char *path, const char *folder)
{
	size_t size = strlen(folder);
	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool below_any(const char *path, char *const *folders)
{
	for (; folders && *folders; folders++) {
		char *real = realpath(*folders, NULL);
		bool found = below(path, *folders) || (real && below(path, real));
		free(real);
		if (found) {
			return true;
		}
	}
	return false;
}

/* Does the sandbox show this path, which has no links in it any more? */
static bool is_shown(const struct dal_function *function, const char *path)
{
	for (const char *const *folder = shown; *folder; folder++) {
		if (below(path, *folder)) {
			return true;
		}
	}
	return below(path, function->folder) || below_any(path, function->paths);
}

static const char *search_path(const struct dal_function *function)
{
	for (char **variable = function->environment; variable && *variable; variable++) {
		if (strncmp(*variable, "PATH=", 5) == 0) {
			return *variable + 5;
		}
	}
	const char *path = function->sandbox ? NULL : getenv("PATH");
	return path ? path : SANDBOX_PATH;
}

static bool is_program(const char *path)
{
	struct stat stat_of;
	return stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode) &&
	       (stat_of.st_mode & 0111) != 0;
}

/* The file that exec would take along `folders` ("a:b:c"); NULL if there is none. */
static char *search(const char *name, const char *folders)
{
	struct dal_slice rest = dal_slice_text(folders), folder;
	for (bool more = true; more;) {
		more = dal_slice_cut(rest, ':', &folder, &rest);
		folder = more ? folder : rest;
		char *path = dal_asprintf("%.*s/%s", (int)folder.size, folder.data, name);
		if (folder.size > 0 && is_program(path)) {
			return path;
		}
		free(path);
	}
	return NULL;
}

static char *find(const struct dal_function *function, const char *name)
{
	if (name[0] == '/') {
		return dal_strdup(name);
	}
	if (strchr(name, '/')) {
		return dal_asprintf("%s/%s", function->folder, name);
	}
	return search(name, search_path(function));
}

/* Not where the sandbox looks: perhaps where the operator's shell looks (pyenv, nvm, cargo). */
static int say_not_found(const struct dal_function *function, const char *name,
			 struct dal_error *error)
{
	const char *path = getenv("PATH");
	char *elsewhere = function->sandbox && path ? search(name, path) : NULL;
	if (elsewhere) {
		dal_error_set(
			error,
			"the program `%s` is %s here, which the sandbox doesn't show: install it "
			"below /usr, or add its folder to `paths` and give its whole path",
			name, elsewhere);
	} else {
		dal_error_set(error,
			      "there is no program `%s` in %s: install it, or give its whole path",
			      name, search_path(function));
	}
	free(elsewhere);
	return 1;
}

static int check_file(const struct dal_function *function, const char *path,
		      struct dal_error *error)
{
	struct stat stat_of;
	char *real = realpath(path, NULL);
	int result = 1;
	if (!real || stat(real, &stat_of) != 0) {
		dal_error_set(error, "the program %s: %s", path, strerror(errno));
	} else if (!S_ISREG(stat_of.st_mode)) {
		dal_error_set(error, "the program %s is no file", path);
	} else if ((stat_of.st_mode & 0111) == 0) {
		dal_error_set(error, "the program %s is not executable: chmod +x %s", path, path);
	} else if (function->sandbox && !is_shown(function, real)) {
		dal_error_set(
			error,
			"the program %s%s%s lies where the sandbox doesn't look: use one below "
			"/usr or in the function's folder, or add its folder to `paths`",
			path, strcmp(path, real) == 0 ? "" : ", which is ",
			strcmp(path, real) == 0 ? "" : real);
	} else if (function->sandbox && geteuid() == 0 && (stat_of.st_mode & 0001) == 0) {
		dal_error_set(
			error,
			"the program %s is closed to others, and sandboxed programs run as nobody: "
			"chmod go+rx %s",
			path, path);
	} else {
		result = 0;
	}
	free(real);
	return result;
}

static int check_named(const struct dal_function *function, const char *name,
		       struct dal_error *error)
{
	char *path = find(function, name);
	int result = path ? check_file(function, path, error)
			  : say_not_found(function, name, error);
	free(path);
	return result;
}

/* The words of "#! /usr/bin/env python3": `second` is NULL if there is one only. */
static bool read_interpreter(const char *path, char line[256], char **first, char **second)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = file < 0 ? -1 : read(file, line, 255);
	char *save;
	if (file >= 0) {
		(void)close(file);
	}
	line[size < 0 ? 0 : size] = '\0';
	if (size < 3 || line[0] != '#' || line[1] != '!') {
		return false;
	}
	line[strcspn(line, "\r\n")] = '\0';
	*first = strtok_r(line + 2, " \t", &save);
	*second = *first ? strtok_r(NULL, " \t", &save) : NULL;
	return *first != NULL;
}

static int check_interpreter(const struct dal_function *function, const char *path,
			     struct dal_error *error)
{
	char line[256], *first, *second;
	struct dal_error inner;
	if (!read_interpreter(path, line, &first, &second)) {
		return 0;
	}
	int result = check_named(function, first, &inner);
	const char *name = strrchr(first, '/');
	if (result == 0 && second && name && strcmp(name, "/env") == 0 && second[0] != '-') {
		result = check_named(function, second, &inner);
	}
	if (result != 0) {
		dal_error_set(error, "the first line of %s: %s", path, inner.text);
	}
	return result;
}

int dal_program_check(const struct dal_function *function, struct dal_error *error)
{
	int result = check_named(function, function->command[0], error);
	if (result == 0) {
		char *path = find(function, function->command[0]);
		result = check_interpreter(function, path, error);
		free(path);
	}
	return result;
}
