/* Fixed limits of one instance and of what a function may declare. What operators may change is in
 * engine/base/limits.h. */
#ifndef DAL_FUNCTIONS_LIMITS_H
#define DAL_FUNCTIONS_LIMITS_H

#include "engine/base/limits.h"

#define DAL_LIMIT_FUNCTION_PATHS 32
#define DAL_LIMIT_FUNCTION_INSTANCES 1000                   /* `max` of one function */
#define DAL_LIMIT_FUNCTION_FILES 1024                       /* open descriptors, as on AWS */
#define DAL_LIMIT_FUNCTION_PROCESSES 1024                   /* processes and threads, as on AWS */
#define DAL_LIMIT_FUNCTION_ALLOWANCE_BYTES (128 * DAL_MIB)  /* on top of `memory`, see sandbox.c */
#define DAL_LIMIT_FUNCTION_ENVIRONMENT_BYTES (64 * DAL_KIB) /* with command and paths */
#define DAL_LIMIT_ERROR_TYPE_BYTES 256
#define DAL_LIMIT_ERROR_MESSAGE_BYTES (8 * DAL_KIB)
#define DAL_LIMIT_ERROR_TRACE_BYTES (64 * DAL_KIB)
#define DAL_LIMIT_FUNCTION_DEPTH 64 /* of folders below its own */
#define DAL_LIMIT_FUNCTION_FILES_DIGESTED 10000
#define DAL_LIMIT_FUNCTION_DIGESTED_BYTES (64 * DAL_MIB)
#define DAL_LIMIT_STOP_MS 2000         /* from SIGTERM to SIGKILL */
#define DAL_LIMIT_KILLED_MS 5000       /* from SIGKILL to being given up */
#define DAL_LIMIT_CONTAINER_REQUESTS 4 /* to the container engine at once */
#define DAL_LIMIT_CONTAINER_REQUEST_MS 15000
#define DAL_LIMIT_CONTAINER_START_MS 60000 /* up to its program: many may start at once */
#define DAL_LIMIT_CONTAINER_LOOKUP_MS 5000 /* where a person or dispatch waits */
#define DAL_LIMIT_CONTAINER_RETRY_MS 1000
#define DAL_LIMIT_CONTAINER_MEMORY_MIN_BYTES (16 * 1000 * 1000)
#define DAL_LIMIT_START_BACKOFF_MIN_MS 100 /* after a failed init, doubles */
#define DAL_LIMIT_START_BACKOFF_MAX_MS 10000

#endif
