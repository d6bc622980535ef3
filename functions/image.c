/* Container images: what a name means on this machine now, and whether that can run here. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "engine/base/memory.h"
#include "functions/container_api.h"
#include "functions/function.h"
#include "functions/limits.h"

/* --- as a value --- */

char **dal_list_copy(char *const *list)
{
	size_t count = 0;
	while (list && list[count]) {
		count++;
	}
	char **copy = dal_calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = dal_strdup(list[i]);
	}
	return copy;
}

void dal_list_free(char **list)
{
	for (char **item = list; item && *item; item++) {
		free(*item);
	}
	free(list);
}

void dal_image_deinit(struct dal_image *image)
{
	free(image->name);
	free(image->id);
	free(image->architecture);
	free(image->system);
	free(image->user);
	dal_list_free(image->volumes);
	free(image->task_root);
	free(image->runtime_folder);
	*image = (struct dal_image){0};
}

struct dal_image dal_image_copy(const struct dal_image *image)
{
	return (struct dal_image){
		.name = dal_strdup(image->name),
		.id = dal_strdup(image->id),
		.architecture = dal_strdup(image->architecture),
		.system = dal_strdup(image->system),
		.user = dal_strdup(image->user),
		.volumes = image->volumes ? dal_list_copy(image->volumes) : NULL,
		.task_root = dal_strdup(image->task_root),
		.runtime_folder = dal_strdup(image->runtime_folder),
	};
}

/* --- can it run here? --- */

/* The kernel's names for machines, and what they run in the names that images have. */
static const struct {
	const char *machine, *architecture;
} machines[] = {
	{"x86_64", "amd64"},    {"x86_64", "386"},          {"i686", "386"},
	{"aarch64", "arm64"},   {"armv7l", "arm"},          {"armv6l", "arm"},
	{"ppc64le", "ppc64le"}, {"s390x", "s390x"},         {"riscv64", "riscv64"},
	{"mips64", "mips64le"}, {"loongarch64", "loong64"},
};

static bool runs(const char *machine, const char *architecture)
{
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (strcmp(machines[i].machine, machine) == 0 &&
		    strcmp(machines[i].architecture, architecture) == 0) {
			return true;
		}
	}
	return false;
}

int dal_image_check(const struct dal_image *image, struct dal_error *error)
{
	struct utsname here;
	DAL_ASSERT(uname(&here) == 0);
	if (strcmp(image->system, "linux") == 0 && runs(here.machine, image->architecture)) {
		return 0;
	}
	dal_error_set(error,
		      "the image %s is for %s/%s, and this machine is linux/%s: build or pull it "
		      "for this one (podman pull --arch, podman build --arch)",
		      image->name, image->system, image->architecture, here.machine);
	return 1;
}

void dal_image_explain(const char *name, bool missing, struct dal_error *error)
{
	struct dal_error said = *error;
	if (missing) {
		dal_error_set(error,
			      "there is no image %s on this machine, and dalamb pulls none: "
			      "`podman pull %s`, or build it (`podman build -t %s FOLDER`)",
			      name, name, name);
	} else {
		dal_error_set(error, "the image %s can't be looked up: %s", name, said.text);
	}
}

/* --- at load --- */

/* False when the engine is away: the others need not be tried. */
static bool pin_one(struct dal_container_api *api, struct dal_function *function,
		    struct dal_errors *errors)
{
	struct dal_image image = {0};
	struct dal_error error;
	int result = dal_container_api_image(api, function->image.name, &image, &error);
	if (result == DAL_CONTAINER_AWAY) {
		return false;
	}
	if (result != 0) {
		dal_image_explain(function->image.name, result == DAL_CONTAINER_MISSING, &error);
	} else {
		result = dal_image_check(&image, &error);
	}
	if (result != 0) {
		dal_errors_add(errors, function->file, function->line, "func \"%s\": %s",
			       function->name, error.text);
	} else {
		dal_function_pin(function, &image);
	}
	dal_image_deinit(&image);
	return true;
}

void dal_functions_pin(struct dal_function *const *functions, size_t count, const char *host,
		       struct dal_errors *errors)
{
	struct dal_container_api *api = NULL;
	bool there = true;
	for (size_t i = 0; i < count && there; i++) {
		if (functions[i]->driver != DAL_DRIVER_CONTAINER) {
			continue;
		}
		if (!api &&
		    dal_container_api_new(host, DAL_LIMIT_CONTAINER_LOOKUP_MS, &api, NULL) != 0) {
			return; /* the driver says why: `ready` */
		}
		there = pin_one(api, functions[i], errors);
	}
	dal_container_api_free(api);
}
