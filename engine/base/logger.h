/*
 * Lines for the operator: one JSON object a line on stderr, text when stderr is a terminal.
 *
 * Log once, where the propagation of an error stops; layers 0 to 2 don't log but report by their
 * results and callbacks. No secret, no event payload. Any thread; a line is written by one write().
 *
 *	dal_logger_write(DAL_LOGGER_WARN, "log", "disk nearly full: %llu bytes free", free);
 */
#ifndef DAL_BASE_LOGGER_H
#define DAL_BASE_LOGGER_H

enum dal_logger_level { DAL_LOGGER_DEBUG, DAL_LOGGER_INFO, DAL_LOGGER_WARN, DAL_LOGGER_ERROR };

void dal_logger_level_set(enum dal_logger_level lowest);
/* Text even where stderr is no terminal, or JSON even where it is one. Default: by isatty. */
void dal_logger_json_set(int json);
/* `part` is the folder ("log", "dispatch"); the text is one sentence without newline. */
void dal_logger_write(enum dal_logger_level level, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
