/*
 * A stamp of an app's files: another one means that something was changed. It looks at names, sizes
 * and times, and reads no file. Thread: none.
 */
#ifndef DAL_APP_STAMP_H
#define DAL_APP_STAMP_H

#include <stdint.h>

/* Of dalamb.lua, rules, lib, and functions with what is in it. */
uint64_t dal_app_stamp(const char *folder);

#endif
