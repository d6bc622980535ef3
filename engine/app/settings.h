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

/*
 * From the declarations of a set (over them the environment, over that the options), defaults where
 * nothing was said. Strings are owned by the settings.
 */
void dal_settings_read(const struct dal_rules *rules, const struct dal_app_options *options,
		       const char *data, struct dal_settings *settings, struct dal_errors *errors);
void dal_settings_deinit(struct dal_settings *settings);
/* Is an address ("127.0.0.1:80", "[::1]:80", "localhost:80", "unix:...") one that only this machine
 * reaches? */
bool dal_settings_loopback(const char *listen);

#endif
