/*
 * A log in memory with several lanes, for tests of what stands on one: partition k of each topic is
 * lane k, marks are by topic, offsets begin at 0 and have gaps, a time passes for its readers
 * before there is something (dal_log_read does not wait). It is of kind DAL_LOG_KAFKA.
 *
 * Any thread appends; a thread of its own answers appends and says that there is more. What was
 * appended is there until it is closed.
 */
#ifndef DAL_TESTS_UNIT_LOG_LANES_LOG_H
#define DAL_TESTS_UNIT_LOG_LANES_LOG_H

#include "engine/log/log.h"

struct lanes_log_options {
	uint16_t lanes;
	const char *const
		*topics; /* beside `events` and `system`: foreign; NULL-terminated, or NULL */
	/* Every so many-th offset of a partition, and the last of it, is one without a record (as
	 * the end of a transaction is); 0: none. */
	uint64_t gap;
	bool lazy;        /* a reader's first read has nothing yet */
	int64_t clock_us; /* append times count from here, one apart; 0: the wall clock */
	/* Records that others write to this topic must be keyed by their data.key: else they are
	 * refused, or halt the lane. */
	const char *keyed;
	bool halt_on_wrong_key;
	void (*on_advance)(void *own);
	void *own;
};

void lanes_log_open(const struct lanes_log_options *options, struct dal_log **log);
/* The broker is away: appends end with DAL_LOG_AWAY, dal_log_at and readers of the past fail, lanes
 * have nothing to read; or it is back. */
void lanes_log_away(struct dal_log *log, bool away);
/* Nobody more may browse; or they may again. */
void lanes_log_busy(struct dal_log *log, bool busy);
/* Lanes have nothing to read, as while the group does not give all partitions; or they go on. */
void lanes_log_pause(struct dal_log *log, bool paused);
/* What others write: untrusted JSON; or, with a reason, what the log has refused already. Returns
 * its offset. */
uint64_t lanes_log_write(struct dal_log *log, const char *topic, uint16_t partition,
			 const char *text, const char *refused);
/* The same with a key, not refused. */
uint64_t lanes_log_write_keyed(struct dal_log *log, const char *topic, uint16_t partition,
			       const char *key, const char *text);
/* Retention: what stands before this offset is gone. */
void lanes_log_forget(struct dal_log *log, const char *topic, uint16_t partition, uint64_t first);

#endif
