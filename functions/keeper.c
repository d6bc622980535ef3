/* The keeper: finds the container engine, tidies up after an earlier dalamb, looks up images. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/container.h"
#include "functions/function.h"
#include "functions/limits.h"
#include "functions/network.h"
#include "functions/seccomp.h"

#define FORGET_US (600 * 1000000LL) /* an image that nobody has asked for since */

static void tell_changed(struct dal_container_driver *driver)
{
	dal_container_tell_take(driver, dal_container_event_new(DAL_CONTAINER_CHANGED, 0));
}

/* --- the engine --- */

/* What an earlier engine of this data folder started, and could not end. */
static int remove_orphans(struct dal_container_driver *driver, struct dal_error *error)
{
	char **ids = NULL;
	int result = dal_container_api_list(driver->api, driver->id, &ids, error);
	for (char **id = ids; result == 0 && *id; id++) {
		result = dal_container_api_remove(driver->api, *id, error);
	}
	dal_list_free(ids);
	return result;
}

/* An answer of the right kind, from an engine that can do what is needed. */
static int check_engine(struct dal_container_driver *driver, struct dal_error *error)
{
	struct dal_container_engine engine;
	int result = dal_container_api_engine(driver->lookup, &engine, error);
	if (result == 0 && !engine.podman) {
		dal_error_set(error,
			      "%s at %s can't put a container into a network namespace that "
			      "dalamb made, and joining another container's isn't supported yet: "
			      "use Podman (`containers { host = \"unix:///run/podman/podman.sock\" "
			      "}`), or declare a process with `command`",
			      engine.text, driver->host);
		return DAL_CONTAINER_REFUSED;
	}
	return result;
}

/* The engine's own filter, narrowed, in a file that it reads for each container. */
static int make_filter(struct dal_container_driver *driver, struct dal_error *error)
{
	struct dal_buffer filter = {0}, narrow = {0};
	const char *const *path = dal_seccomp_paths;
	int result = -ENOENT;
	for (; *path && result == -ENOENT; path++) {
		result = dal_file_read(*path, DAL_MIB, &filter);
	}
	if (result == 0) {
		result = dal_seccomp_narrow(dal_buffer_slice(&filter), &narrow);
	}
	if (result != 0) {
		dal_error_set(error,
			      "the container engine's seccomp filter %s can't be used (%s), and no "
			      "container starts without one: apt-get install "
			      "golang-github-containers-common",
			      path[-1], strerror(-result));
	} else {
		result = dal_file_write(driver->filter, dal_buffer_slice(&narrow), 0600);
	}
	dal_buffer_deinit(&filter);
	dal_buffer_deinit(&narrow);
	return result;
}

static int connect_engine(struct dal_container_driver *driver, bool first, struct dal_error *error)
{
	int result = check_engine(driver, error);
	if (result == 0 && first) {
		result = remove_orphans(driver, error);
		if (result == 0) {
			(void)dal_network_clear(driver->folder);
		}
	}
	if (result == 0) {
		result = dal_folder_make(driver->folder, 0700);
		if (result != 0) {
			dal_error_set(error, "the folder %s can't be made: %s", driver->folder,
				      strerror(-result));
		}
	}
	return result == 0 ? make_filter(driver, error) : result;
}

/* True if it says something else than before. */
static bool set_state(struct dal_container_driver *driver, bool connected, const char *obstacle)
{
	(void)pthread_mutex_lock(&driver->lock);
	bool changed = driver->connected != connected || strcmp(driver->obstacle, obstacle) != 0;
	driver->connected = connected;
	(void)snprintf(driver->obstacle, sizeof(driver->obstacle), "%s", obstacle);
	(void)pthread_mutex_unlock(&driver->lock);
	return changed;
}

void dal_container_lose(struct dal_container_driver *driver, const struct dal_error *error)
{
	if (set_state(driver, false, error->text)) {
		tell_changed(driver);
	}
	(void)pthread_mutex_lock(&driver->lock);
	(void)pthread_cond_broadcast(&driver->changed);
	(void)pthread_mutex_unlock(&driver->lock);
}

/* --- images --- */

/* The next that was not tried in this round; NULL: none. A copy of its name. */
static char *next_lookup(struct dal_container_driver *driver, size_t index)
{
	(void)pthread_mutex_lock(&driver->lock);
	struct dal_container_lookup *lookup = driver->lookups;
	while (lookup && index-- > 0) {
		lookup = lookup->next;
	}
	char *name = lookup ? dal_strdup(lookup->name) : NULL;
	(void)pthread_mutex_unlock(&driver->lock);
	return name;
}

/* Sets what is wrong with an image, or (NULL) forgets it. False if nothing has changed. */
static bool settle(struct dal_container_driver *driver, const char *name, const char *problem)
{
	bool changed = false;
	(void)pthread_mutex_lock(&driver->lock);
	struct dal_container_lookup **at = &driver->lookups, *lookup;
	while (*at && strcmp((*at)->name, name) != 0) {
		at = &(*at)->next;
	}
	lookup = *at;
	if (lookup && (!problem || lookup->asked_us + FORGET_US < dal_clock_monotonic_us())) {
		*at = lookup->next;
		free(lookup->name);
		free(lookup);
		changed = true;
	} else if (lookup && strcmp(lookup->problem, problem) != 0) {
		(void)snprintf(lookup->problem, sizeof(lookup->problem), "%s", problem);
		changed = true;
	}
	(void)pthread_mutex_unlock(&driver->lock);
	return changed;
}

/* True if it is still looked for. */
static bool look_up_take(struct dal_container_driver *driver, char *name)
{
	struct dal_image image = {0};
	struct dal_error error;
	int result = dal_container_api_image(driver->lookup, name, &image, &error);
	if (result == DAL_CONTAINER_AWAY) {
		dal_container_lose(driver, &error);
	} else if (result != 0) {
		dal_image_explain(name, result == DAL_CONTAINER_MISSING, &error);
	} else {
		result = dal_image_check(&image, &error);
	}
	if (result == 0) {
		struct dal_container_event *event = dal_container_event_new(DAL_CONTAINER_FOUND, 0);
		event->image = image;
		image = (struct dal_image){0};
		(void)settle(driver, name, NULL);
		dal_container_tell_take(driver, event);
	} else if (result != DAL_CONTAINER_AWAY && settle(driver, name, error.text)) {
		tell_changed(driver);
	}
	dal_image_deinit(&image);
	free(name);
	return result != 0;
}

/* True if some are still looked for. */
static bool look_up_all(struct dal_container_driver *driver)
{
	char *name;
	size_t missing = 0;
	while ((name = next_lookup(driver, missing)) != NULL) {
		missing += look_up_take(driver, name);
	}
	return missing > 0;
}

/* --- the thread --- */

static bool is_connected(struct dal_container_driver *driver)
{
	(void)pthread_mutex_lock(&driver->lock);
	bool connected = driver->connected;
	(void)pthread_mutex_unlock(&driver->lock);
	return connected;
}

/* True if there is something to try again. */
static bool work(struct dal_container_driver *driver, bool *first)
{
	struct dal_error error;
	if (!is_connected(driver)) {
		int result = connect_engine(driver, *first, &error);
		*first = *first && result != 0;
		if (set_state(driver, result == 0, result == 0 ? "" : error.text)) {
			tell_changed(driver);
		}
	}
	return !is_connected(driver) || look_up_all(driver);
}

static bool has_new_lookup(const struct dal_container_driver *driver)
{
	const struct dal_container_lookup *lookup = driver->lookups;
	while (lookup && lookup->problem[0] != '\0') {
		lookup = lookup->next;
	}
	return lookup != NULL;
}

static void wait(struct dal_container_driver *driver, bool again)
{
	int64_t until_us = dal_clock_monotonic_us() + DAL_LIMIT_CONTAINER_RETRY_MS * 1000;
	struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
	if (again) {
		(void)pthread_cond_timedwait(&driver->changed, &driver->lock, &until);
	} else if (driver->connected && !has_new_lookup(driver)) {
		(void)pthread_cond_wait(&driver->changed, &driver->lock);
	}
}

void *dal_container_keep(void *data)
{
	struct dal_container_driver *driver = data;
	bool first = true;
	(void)pthread_setname_np(pthread_self(), "containers");
	(void)pthread_mutex_lock(&driver->lock);
	while (!driver->quit) {
		(void)pthread_mutex_unlock(&driver->lock);
		bool again = work(driver, &first);
		(void)pthread_mutex_lock(&driver->lock);
		if (!driver->quit) {
			wait(driver, again);
		}
	}
	(void)pthread_mutex_unlock(&driver->lock);
	return NULL;
}
