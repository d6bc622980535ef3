/* GitHub's webhooks: what is declared, and the route. */
#include "connectors/github_private.h"

#include "engine/base/memory.h"

static const struct dal_field fields[] = {
	{.name = "path",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "/hooks/github",
	 .doc = "The path that GitHub posts to."},
	{.name = "secret",
	 .kind = DAL_FIELD_SECRETS,
	 .required = true,
	 .doc = "The webhook's secret, or a list of them while one is exchanged for another."},
	{.name = NULL},
};

const struct dal_declarable dal_github_declarable = {
	.name = "github",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = fields,
	.doc = "GitHub webhooks become events of type com.github.<event>.<action>.",
};

static bool path_valid(const char *path)
{
	return path[0] == '/' && path[1] != '\0' && strpbrk(path, " ?#{}%") == NULL &&
	       strstr(path, "//") == NULL;
}

static bool check(const struct dal_declaration *declaration, struct dal_errors *errors)
{
	const struct dal_value *path = dal_declaration_get(declaration, "path");
	const struct dal_value *secret = dal_declaration_get(declaration, "secret");
	int line = path->line ? path->line : declaration->line;
	size_t before = errors->count + errors->dropped;

	if (path->text == NULL || !path_valid(path->text)) {
		dal_errors_add(errors, declaration->file, line,
			       "github: path: expected a path such as \"/hooks/github\"");
	}
	if (secret->count == 0) {
		dal_errors_add(errors, declaration->file, declaration->line,
			       "github: secret: a webhook without a secret is not served; write "
			       "secret = secret \"GITHUB_SECRET\"");
	}
	for (size_t i = 0; i < secret->count; i++) {
		if (secret->items[i].text_size == 0) {
			dal_errors_add(errors, declaration->file,
				       secret->line ? secret->line : declaration->line,
				       "github: secret: it is empty");
		}
	}
	return errors->count + errors->dropped == before;
}

struct dal_github *dal_github_new(const struct dal_declaration *declaration,
				  const struct dal_sink *sink, struct dal_errors *errors)
{
	const struct dal_value *secret = dal_declaration_get(declaration, "secret");

	if (!check(declaration, errors)) {
		return NULL;
	}
	struct dal_github *github = dal_calloc(1, sizeof(*github));
	github->sink = *sink;
	github->path = dal_strdup(dal_declaration_get(declaration, "path")->text);
	github->secrets = dal_calloc(secret->count, sizeof(*github->secrets));
	github->secret_count = secret->count;
	for (size_t i = 0; i < secret->count; i++) {
		github->secrets[i] = dal_strdup(secret->items[i].text);
	}
	github->gatherer.body_bytes = DAL_LIMIT_WEBHOOK_BYTES;
	github->gatherer.held_bytes = DAL_GATHER_BYTES;
	github->gatherer.too_large = ", more than GitHub sends";
	github->route = (struct dal_http_route){"POST",        github->path,
						DAL_HTTP_SELF, DAL_LIMIT_WEBHOOK_BYTES,
						NULL,          dal_github_take};
	dal_counts_init(&github->counts, "github");
	return github;
}

void dal_github_free(struct dal_github *github)
{
	if (github == NULL) {
		return;
	}
	for (size_t i = 0; i < github->secret_count; i++) {
		explicit_bzero(github->secrets[i], strlen(github->secrets[i]));
		free(github->secrets[i]);
	}
	free(github->secrets);
	free(github->path);
	free(github);
}

int dal_github_routes(struct dal_github *github, struct dal_http_server *server,
		      struct dal_error *error)
{
	return dal_http_server_add(server, &github->route, 1, github, error);
}
