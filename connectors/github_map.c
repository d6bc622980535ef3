#include "connectors/github_map.h"

#include "engine/base/clock.h"
#include "engine/event/path.h"

#define PATHS 3

/*
 * Paths into the payload. Of `subject` and `time` the first that is there counts; `type` gives the
 * parts behind the event's name, NULL its action; `source` is for events without a repository.
 */
struct row {
	const char *name;
	const char *subject[PATHS];
	const char *time[PATHS];
	const char *type[PATHS];
	const char *source;
};

#define NO_ACTION .type = {""}

static const struct row rows[] = {
	{"branch_protection_rule", {"rule.id"}, {"rule.updated_at"}},
	{"check_run", {"check_run.id"}, {"check_run.completed_at", "check_run.started_at"}},
	{"check_suite", {"check_suite.id"}, {"check_suite.updated_at"}},
	{"code_scanning_alert", {"alert.number"}},
	{"commit_comment", {"comment.id"}, {"comment.updated_at"}},
	{"content_reference", {"content_reference.id"}},
	{"create", {"ref"}, .type = {"ref_type"}},
	{"custom_property", {"definition.property_name"}},
	{"delete", {"ref"}, .type = {"ref_type"}},
	{"dependabot_alert", {"alert.id", "alert.number"}},
	{"deploy_key", {"key.id"}, {"key.deleted_at", "key.created_at"}},
	{"deployment", {"deployment.id"}, {"deployment.updated_at"}, NO_ACTION},
	{"deployment_protection_rule", {"deployment.id"}},
	{"deployment_review", {"workflow_run.id"}},
	{"deployment_status",
	 {"deployment_status.url"},
	 {"deployment_status.updated_at"},
	 {"deployment_status.state"}},
	{"discussion", {"discussion.id"}},
	{"discussion_comment", {"discussion.id"}, {"comment.updated_at"}},
	{"fork", {"forkee.url"}, {"forkee.created_at"}, NO_ACTION},
	{"github_app_authorization", NO_ACTION, .source = "sender.url"},
	{"gollum", NO_ACTION},
	{"installation",
	 {"installation.id"},
	 {"installation.updated_at"},
	 .source = "installation.account.url"},
	{"installation_repositories",
	 {"installation.id"},
	 {"installation.updated_at"},
	 .source = "installation.account.url"},
	{"installation_target", {"installation.id"}, .source = "account.url"},
	{"issue_comment", {"comment.id"}, {"comment.updated_at"}},
	{"issues", {"issue.number"}, {"issue.updated_at"}},
	{"label", {"label.name"}},
	{"marketplace_purchase",
	 {"marketplace_purchase.account.login"},
	 {"effective_date"},
	 .source = "sender.url"},
	{"member", {"member.login"}},
	{"membership", {"member.login"}, .type = {"scope", "action"}, .source = "team.url"},
	{"merge_group", {"merge_group.head_ref"}},
	{"meta", {"hook_id"}, {"hook.updated_at"}},
	{"milestone", {"milestone.number"}, {"milestone.updated_at"}},
	{"organization", {"membership.user.login"}, .source = "organization.url"},
	{"org_block", {"blocked_user.login"}, .source = "organization.url"},
	{"package", {"package.id"}, {"package.updated_at", "package.created_at"}},
	{"page_build", {"build.url"}, {"build.updated_at"}, NO_ACTION},
	{"project_card", {"project_card.id"}, {"project_card.updated_at"}},
	{"project_column", {"project_column.id"}, {"project_column.updated_at"}},
	{"project", {"project.id"}, {"project.updated_at"}},
	{"projects_v2", {"projects_v2.id"}, {"projects_v2.updated_at"}},
	{"projects_v2_item", {"projects_v2_item.id"}, {"projects_v2_item.updated_at"}},
	{"projects_v2_status_update",
	 {"projects_v2_status_update.id"},
	 {"projects_v2_status_update.updated_at"}},
	{"public", {"repository.name"}, {"repository.updated_at"}, NO_ACTION},
	{"pull_request", {"number"}, {"pull_request.updated_at"}},
	{"pull_request_review", {"review.id"}, {"review.submitted_at"}},
	{"pull_request_review_comment", {"comment.id"}, {"pull_request.updated_at"}},
	{"pull_request_review_thread", {"pull_request.id"}},
	{"push", {"ref"}, NO_ACTION},
	{"registry_package", {"registry_package.html_url"}, {"registry_package.updated_at"}},
	{"release", {"release.id"}, {"release.published_at", "release.created_at"}},
	{"repository", {"repository.name"}, {"repository.updated_at"}},
	{"repository_advisory",
	 {"repository_advisory.ghsa_id"},
	 {"repository_advisory.updated_at"}},
	{"repository_dispatch"},
	{"repository_import", {"repository.name"}, {"repository.updated_at"}, NO_ACTION},
	{"repository_ruleset", {"repository.name"}, {"repository.updated_at"}},
	{"repository_vulnerability_alert", {"alert.id"}},
	{"secret_scanning_alert", {"alert.number"}, {"alert.updated_at", "alert.created_at"}},
	{"secret_scanning_alert_location",
	 {"alert.number"},
	 {"alert.updated_at", "alert.created_at"}},
	{"security_advisory", {"security_advisory.ghsa_id"}, {"security_advisory.updated_at"}},
	{"security_and_analysis", NO_ACTION},
	{"sponsorship", {"sponsorship.sponsor.login"}},
	{"star", .time = {"starred_at"}},
	{"status", {"sha"}, {"updated_at"}, NO_ACTION},
	{"team", {"team.id"}, {"updated_at"}, .source = "team.url"},
	{"team_add", {"team.id"}},
	{"workflow_dispatch", {"workflow"}, NO_ACTION},
	{"workflow_job", {"workflow_job.name"}},
	{"workflow_run", {"workflow.name"}},
};

static const struct row *row_find(struct dal_slice name)
{
	static const struct row unknown = {NULL};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (dal_slice_is(name, rows[i].name)) {
			return &rows[i];
		}
	}
	return &unknown;
}

/* A value by keys with dots between. */
static uint32_t find(const struct dal_json *json, const char *path)
{
	struct dal_slice rest = dal_slice_text(path), step;
	uint32_t node = DAL_JSON_ROOT;

	while (dal_slice_cut(rest, '.', &step, &rest)) {
		node = dal_json_find(json, node, step);
	}
	return dal_json_find(json, node, rest);
}

/* Its text appended: false if it is absent, null, empty, or nothing that has a text. */
static bool put(const struct dal_json *json, const char *path, struct dal_buffer *out)
{
	size_t before = out->size;

	return dal_key_text(json, find(json, path), out) == 0 && out->size > before;
}

static void put_type(const struct dal_json *json, const struct row *row, struct dal_buffer *out)
{
	static const char *const action[PATHS] = {"action"};
	const char *const *path = row->type[0] != NULL ? row->type : action;

	for (size_t i = 0; i < PATHS && path[i] != NULL; i++) {
		size_t before = out->size;
		dal_buffer_byte(out, '.');
		if (!put(json, path[i], out)) {
			out->size = before;
		}
	}
}

static void put_source(const struct dal_json *json, const struct row *row, struct dal_buffer *out)
{
	static const char *const fallback[] = {"organization.url", "installation.account.url",
					       "enterprise.html_url", "sender.url"};

	if (put(json, "repository.url", out) || (row->source && put(json, row->source, out))) {
		return;
	}
	for (size_t i = 0; i < sizeof(fallback) / sizeof(*fallback); i++) {
		if (put(json, fallback[i], out)) {
			return;
		}
	}
	dal_buffer_text(out, "github.com"); /* what the mapping gives for advisories */
}

static struct dal_slice find_time(const struct dal_json *json, const struct row *row)
{
	int64_t time_us;

	for (size_t i = 0; i < PATHS && row->time[i] != NULL; i++) {
		uint32_t node = find(json, row->time[i]);
		if (node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING &&
		    dal_clock_parse(dal_json_string(json, node), &time_us)) {
			return dal_json_string(json, node);
		}
	}
	return dal_slice(NULL, 0);
}

void dal_github_map(struct dal_slice name, const struct dal_json *payload,
		    struct dal_github_event *event)
{
	const struct row *row = row_find(name);

	dal_buffer_text(&event->type, "com.github.");
	dal_buffer_slice_append(&event->type, name);
	put_type(payload, row, &event->type);
	put_source(payload, row, &event->source);
	for (size_t i = 0; i < PATHS && row->subject[i] != NULL; i++) {
		if (put(payload, row->subject[i], &event->subject)) {
			break;
		}
	}
	event->time = find_time(payload, row);
}

void dal_github_event_deinit(struct dal_github_event *event)
{
	dal_buffer_deinit(&event->type);
	dal_buffer_deinit(&event->source);
	dal_buffer_deinit(&event->subject);
}
