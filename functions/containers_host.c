/* Where is the container engine? */
#include <sys/stat.h>

#include "engine/base/memory.h"
#include "functions/functions.h"

static const char *const usual[] = {
	"/run/podman/podman.sock",
	"/run/docker.sock",
	"/var/run/docker.sock",
};

static const char *variable(char *const *environment, const char *name)
{
	size_t size = strlen(name);
	for (; environment && *environment; environment++) {
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=') {
			return (*environment)[size + 1] ? *environment + size + 1 : NULL;
		}
	}
	return NULL;
}

static const char *find_usual(void)
{
	struct stat stat_of;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (stat(usual[i], &stat_of) == 0 && S_ISSOCK(stat_of.st_mode)) {
			return usual[i];
		}
	}
	return usual[0];
}

/* What an operator wrote for dalamb, in the environment or a file; NULL: nothing. */
static char *declared(const struct dal_declaration *containers, char *const *environment,
		      struct dal_errors *errors)
{
	struct dal_declaration over;
	dal_declaration_init(&over, &dal_containers_declarable, "", "environment", 0);
	dal_declaration_environment(&over, environment, errors);
	const struct dal_value *value = dal_declaration_get(&over, "host");
	const char *file = "environment";
	if (!value->written && containers && !containers->invalid) {
		value = dal_declaration_get(containers, "host");
		file = containers->file;
	}
	char *host = value->written ? dal_strdup(value->text) : NULL;
	if (host && strncmp(host, "unix:///", 8) != 0 && host[0] != '/') {
		dal_errors_add(errors, file, value->line,
			       "containers.host: \"%s\" is no Unix socket: expected "
			       "\"unix:///run/podman/podman.sock\" or the like",
			       host);
	}
	dal_declaration_deinit(&over);
	return host;
}

char *dal_containers_host(const struct dal_declaration *containers, char *const *environment,
			  struct dal_errors *errors)
{
	char *host = declared(containers, environment, errors);
	const char *others = host ? NULL : variable(environment, "DOCKER_HOST");
	if (!host && !others) {
		others = variable(environment, "CONTAINER_HOST");
	}
	return host ? host : dal_strdup(others ? others : find_usual());
}
