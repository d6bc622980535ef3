/*
 * What an operator sets of the engine itself: the tables `app`, `log`, `http`, `limits`, and what
 * they come to.
 */
#ifndef DAL_APP_SETTINGS_H
#define DAL_APP_SETTINGS_H

#include "engine/app/app.h"
#include "engine/base/field.h"

extern const struct dal_declarable dal_app_declarable, dal_log_declarable, dal_http_declarable,
	dal_limits_declarable;
/* All that the files of an app may declare beside rules and projections; ends with NULL. */
extern const struct dal_declarable *const dal_app_declarables[];

/*
 * From the declarations of the app's set (over them the environment, over that the options),
 * defaults where nothing was said; into app->settings, which owns its strings.
 */
void dal_settings_read(struct dal_app *app, const struct dal_app_options *options,
		       struct dal_errors *errors);
void dal_settings_deinit(struct dal_settings *settings);
/* Is an address ("127.0.0.1:80", "[::1]:80", "localhost:80", "unix:...") one that only this machine
 * reaches? */
bool dal_settings_loopback(const char *listen);
/*
 * What the log is opened with: kind, path, topics and what Kafka needs; the rest of `options` stays
 * as the caller has it. One that is read_only already gets no data folder, and so is no member of
 * the group. All text is the app's.
 */
void dal_settings_log(const struct dal_app *app, struct dal_log_options *options);

#endif
