/*
 * The connectors' way to the log: a sink (connectors/sink.h) that appends.
 */
#ifndef DAL_APP_INTAKE_H
#define DAL_APP_INTAKE_H

#include "connectors/sink.h"
#include "engine/log/log.h"

struct dal_sink dal_intake_sink(struct dal_log *log);

#endif
