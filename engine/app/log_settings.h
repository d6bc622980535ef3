/*
 * The table `log`: where events are kept, and on Kafka which topics are read and how they are
 * keyed. Private to settings.c. Main thread.
 */
#ifndef DAL_APP_LOG_SETTINGS_H
#define DAL_APP_LOG_SETTINGS_H

#include "engine/app/app.h"

/* Into app->settings; also looks whether the topics that rules name are there. */
void dal_log_settings_read(struct dal_app *app, const struct dal_app_options *options,
			   char *const *environment, struct dal_errors *errors);
void dal_log_settings_deinit(struct dal_settings *settings);

#endif
