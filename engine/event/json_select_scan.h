/*
 * The scan of json_select.h, compiled once for each instruction set. Private to engine/event.
 */
#ifndef DAL_EVENT_JSON_SELECT_SCAN_H
#define DAL_EVENT_JSON_SELECT_SCAN_H

#include "engine/event/json_select.h"

int dal_json_select_plain(struct dal_json *json, struct dal_slice text,
			  const struct dal_json_names *names);
int dal_json_select_avx2(struct dal_json *json, struct dal_slice text,
			 const struct dal_json_names *names);
int dal_json_select_avx512(struct dal_json *json, struct dal_slice text,
			   const struct dal_json_names *names);

#endif
