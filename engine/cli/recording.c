#include "engine/cli/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/cli/history.h"
#include "engine/cli/input.h"
#include "engine/cli/recorded.h"
#include "engine/cli/recording_text.h"

enum { STOPPED = 100, EVENTS_MAX = 1000 };

struct recording {
	const struct dal_command *command;
	const struct dal_recording_options *options;
	struct dal_app *app;
	bool is_file; /* the range names one */
	struct dal_moment from, to;
	bool has_to;
	struct dal_trial trial;
	struct dal_recorded events;
	struct dal_buffer line;
	bool too_many;
	int error; /* of the trial */
};

/* --- what is asked for --- */

/* "17..20", "17..", "..-1h", "17". False: it is none, so a file. */
static bool range_read(struct recording *r, const char *range)
{
	const char *dots = strstr(range, "..");
	char *head = dal_slice_dup(dal_slice(range, dots ? (size_t)(dots - range) : strlen(range)));
	const char *tail = dots ? dots + 2 : head;
	bool is = dots ? head[0] || tail[0] : dal_moment_parse(head, &r->from) && !r->from.is_time;

	is = is && dal_moment_parse(head[0] ? head : "1", &r->from);
	r->has_to = tail[0] != '\0';
	is = is && (!r->has_to || dal_moment_parse(tail, &r->to));
	if (is && r->has_to && !r->to.is_time) {
		r->to.offset++; /* up to and with it */
		r->to.is_start = false;
	}
	free(head);
	return is;
}

static int range_check(const struct recording *r)
{
	const char *range = r->options->range;

	if (!r->is_file || strcmp(range, "-") == 0 || access(range, R_OK) == 0) {
		return DAL_EXIT_DONE;
	}
	return dal_usage(r->command,
			 "\"%s\" is neither a range nor a file: write FROM..TO, each a position "
			 "(17, events/0/17), a time (2026-11-24T10:00:00Z) or a time back from now "
			 "(-1h), or the name of an NDJSON file of events",
			 range);
}

/* "recorded-17-20" of "17..20"; of a file its name. */
static char *name_make(const struct recording *r)
{
	const char *from = r->options->range, *slash = strrchr(from, '/');
	struct dal_buffer name = {0};
	char *text;

	dal_buffer_text(&name, r->is_file ? "" : "recorded-");
	from = r->is_file && slash ? slash + 1 : from;
	for (; *from; from++) {
		char c = *from >= 'A' && *from <= 'Z' ? (char)(*from + 'a' - 'A') : *from;
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (r->is_file && *from == '.') {
			break;
		}
		if (plain || (name.size > 0 && name.data[name.size - 1] != '-')) {
			dal_buffer_byte(&name, plain ? c : '-');
		}
	}
	while (name.size > 1 && name.data[name.size - 1] == '-') {
		name.size--;
	}
	if (name.size == 0) {
		dal_buffer_text(&name, "recorded");
	}
	text = dal_slice_dup(dal_buffer_slice(&name));
	dal_buffer_deinit(&name);
	return text;
}

/* --- events --- */

static bool is_within(const struct recording *r, const struct dal_log_record *record)
{
	return !r->has_to || dal_moment_after(&r->to, record);
}

static bool record_keep(struct recording *r, const struct dal_log_record *record)
{
	struct dal_error error;
	int kept;

	dal_buffer_clear(&r->line);
	dal_recorded_put(record, &r->line);
	kept = dal_recorded_add(&r->events, dal_buffer_slice(&r->line), r->app->name, &error);
	r->too_many = r->events.count > EVENTS_MAX;
	if (kept != 0) {
		fprintf(stderr, "dalamb test: an event is left out: %s\n", error.text);
	}
	return !r->too_many;
}

static int on_batch(void *own, const struct dal_log_batch *all)
{
	struct recording *r = own;
	struct dal_log_batch before = *all;
	size_t i = 0;

	while (i < all->count && dal_moment_after(&r->from, &all->records[i])) {
		i++;
	}
	before.count = i;
	r->error = i > 0 ? dal_trial_fold(&r->trial, &before) : 0;
	if (r->error < 0) {
		return STOPPED;
	}
	for (; i < all->count && is_within(r, &all->records[i]); i++) {
		if (!record_keep(r, &all->records[i])) {
			return STOPPED;
		}
	}
	return i < all->count ? STOPPED : 0;
}

static int history_read(struct recording *r)
{
	struct dal_history history;
	bool position = (!r->from.is_time && !r->from.is_start) || (r->has_to && !r->to.is_time);
	int status = dal_history_open(&history, r->command, r->app, r->options->url);

	if (status == DAL_EXIT_DONE && position && !history.one_sequence) {
		status = dal_usage(r->command, "this log has partitions, each with its own "
					       "positions: give FROM..TO as times");
	}
	if (status == DAL_EXIT_DONE) {
		status = dal_history_read(&history, r->has_to ? &r->to : NULL,
					  &(struct dal_history_reader){.each = on_batch, .own = r});
		status = status == STOPPED ? DAL_EXIT_DONE : status;
	}
	dal_history_close(&history);
	return status;
}

static int file_read(struct recording *r)
{
	const char *name = r->options->range;
	struct dal_input lines;
	struct dal_slice line;
	struct dal_error error;
	int opened = dal_input_open(&lines, name), status = DAL_EXIT_DONE;

	if (opened < 0) {
		return dal_fail(r->command, DAL_EXIT_UNREACHABLE, "%s: %s", name,
				strerror(-opened));
	}
	while (status == DAL_EXIT_DONE && !r->too_many && dal_input_next(&lines, &line)) {
		if (dal_recorded_add(&r->events, line, r->app->name, &error) != 0) {
			status = dal_fail(r->command, DAL_EXIT_NO, "%s:%zu: %s", lines.name,
					  lines.number, error.text);
		}
		r->too_many = r->events.count > EVENTS_MAX;
	}
	dal_input_close(&lines);
	return status;
}

static int events_read(struct recording *r)
{
	int status = r->is_file ? file_read(r) : history_read(r);

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	if (r->error < 0) {
		return dal_fail(r->command, DAL_EXIT_UNREACHABLE,
				"what came before can't be folded: %s", strerror(-r->error));
	}
	if (r->too_many) {
		return dal_fail(r->command, DAL_EXIT_NO,
				"these are more than %d events: a test of so many says nothing, "
				"name fewer",
				EVENTS_MAX);
	}
	if (r->events.count == 0) {
		return dal_fail(r->command, DAL_EXIT_NO, "there is no event in %s",
				r->options->range);
	}
	return DAL_EXIT_DONE;
}

/* --- the files --- */

static int file_make(const struct recording *r, const char *path, struct dal_slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t written;

	if (fd < 0) {
		return dal_fail(r->command, errno == EEXIST ? DAL_EXIT_NO : DAL_EXIT_UNREACHABLE,
				errno == EEXIST ? "%s is there already: say another --name"
						: "%s can't be made: %m",
				path);
	}
	while (text.size > 0 && (written = write(fd, text.data, text.size)) > 0) {
		text.data += written;
		text.size -= (size_t)written;
	}
	if (close(fd) != 0 || text.size > 0) {
		unlink(path);
		return dal_fail(r->command, DAL_EXIT_UNREACHABLE, "%s can't be written", path);
	}
	return DAL_EXIT_DONE;
}

static int files_make(const struct recording *r, const char *name)
{
	char *folder = dal_asprintf("%s/tests", r->app->folder);
	char *test = dal_asprintf("%s/%s_test.lua", folder, name);
	char *events = dal_asprintf("%s/%s.ndjson", folder, name);
	struct dal_buffer lua = {0}, ndjson = {0};
	bool inside;
	int status, made = dal_folder_make(folder, 0755);

	inside = dal_recording_text(&r->trial, &r->events, name, &lua, &ndjson);
	if (made < 0) {
		status = dal_fail(r->command, DAL_EXIT_UNREACHABLE, "%s can't be made: %s", folder,
				  strerror(-made));
	} else {
		status = file_make(r, test, dal_buffer_slice(&lua));
	}
	if (status == DAL_EXIT_DONE && !inside) {
		status = file_make(r, events, dal_buffer_slice(&ndjson));
		if (status != DAL_EXIT_DONE) {
			unlink(test);
		}
	}
	if (status == DAL_EXIT_DONE) {
		fprintf(stderr, "dalamb test: %zu event%s recorded in %s%s%s\n", r->events.count,
			r->events.count == 1 ? "" : "s", test, inside ? "" : " and ",
			inside ? "" : strrchr(events, '/') + 1);
	}
	dal_buffer_deinit(&lua);
	dal_buffer_deinit(&ndjson);
	free(folder);
	free(test);
	free(events);
	return status;
}

static int record(struct recording *r, char **file)
{
	struct dal_log_batch batch;
	int status = events_read(r), run;
	char *name;

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	if (r->trial.count > 0) {
		fprintf(stderr,
			"dalamb test: \"%s\" failed before these events: its entries may have been "
			"others\n",
			r->trial.effects[0].rule);
	}
	dal_trial_note(&r->trial);
	batch = dal_recorded_batch(&r->events);
	run = dal_trial_run(&r->trial, &batch);
	if (run < 0) {
		return dal_fail(r->command, DAL_EXIT_UNREACHABLE, "the events can't be run: %s",
				strerror(-run));
	}
	name = r->options->name ? dal_strdup(r->options->name) : name_make(r);
	if (!dal_name_valid(dal_slice_text(name))) {
		status = dal_usage(r->command,
				   "\"%s\" is no name: 1 to 64 of a-z, 0-9, '.', '_', '-'", name);
	} else {
		status = files_make(r, name);
	}
	if (status == DAL_EXIT_DONE) {
		*file = dal_asprintf("tests/%s_test.lua", name);
	}
	free(name);
	return status;
}

/* --- the whole --- */

static int app_load(struct recording *r, const char *folder)
{
	struct dal_errors errors = {0};
	int loaded = dal_app_load(&(struct dal_app_options){.folder = folder,
							    .data = r->options->data,
							    .offline = true},
				  &r->app, &errors, NULL);

	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	return loaded == 0 ? DAL_EXIT_DONE : DAL_EXIT_NO;
}

int dal_recording_make(const struct dal_command *command, const char *app,
		       const struct dal_recording_options *options, char **file)
{
	struct recording r = {.command = command, .options = options};
	int status, made;

	r.is_file = !range_read(&r, options->range);
	status = range_check(&r);
	if (status == DAL_EXIT_DONE) {
		status = app_load(&r, app);
	}
	if (status == DAL_EXIT_DONE) {
		made = dal_trial_init(&r.trial, r.app);
		status = made == 0 ? record(&r, file)
				   : dal_fail(command, DAL_EXIT_UNREACHABLE, "no Lua machine: %s",
					      strerror(-made));
		dal_trial_deinit(&r.trial);
	}
	dal_recorded_deinit(&r.events);
	dal_buffer_deinit(&r.line);
	dal_app_free(r.app);
	return status;
}
