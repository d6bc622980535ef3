#include <errno.h>
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/stream/checkpoint.h"
#include "engine/stream/worker_private.h"

#define CHECKPOINT_US (300ll * 1000000)
#define CATCH_UP_US (10ll * 1000000)
#define IDLE_US (1000000ll)
#define HINT_US (1000000ll)
#define NOTES_MAX 65536

struct note {
	struct dal_worker_note note;
	struct note *next;
	char bytes[];
};

/* --- from other threads --- */

void dal_worker_wake(struct dal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->woken = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void dal_worker_post(struct dal_worker *worker, const struct dal_worker_note *note)
{
	struct note *copy = dal_malloc(sizeof(*copy) + note->row.size + note->tries.size);

	copy->note = *note;
	copy->next = NULL;
	if (note->row.size > 0) {
		memcpy(copy->bytes, note->row.data, note->row.size);
	}
	copy->note.row.data = copy->bytes;
	if (note->tries.size > 0) {
		memcpy(copy->bytes + note->row.size, note->tries.data, note->tries.size);
	}
	copy->note.tries.data = copy->bytes + note->row.size;
	pthread_mutex_lock(&worker->lock);
	while (worker->note_count >= NOTES_MAX && !worker->stopping) {
		pthread_cond_wait(&worker->room, &worker->lock);
	}
	*worker->notes_tail = copy;
	worker->notes_tail = &copy->next;
	worker->note_count++;
	worker->woken = true;
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
}

void dal_worker_wait(struct dal_worker *worker, struct dal_worker_waiter *waiter)
{
	bool reached, over;

	pthread_mutex_lock(&worker->lock);
	reached = dal_position_has(&worker->status.next, &waiter->place);
	over = worker->stopping;
	if (!reached && !over) {
		waiter->next = worker->waiters;
		worker->waiters = waiter;
		worker->woken = true; /* its deadline may be the nearest */
		pthread_cond_signal(&worker->wake);
	}
	pthread_mutex_unlock(&worker->lock);
	if (reached || over) {
		waiter->done(waiter, reached);
	}
}

void dal_worker_status(struct dal_worker *worker, struct dal_worker_status *status)
{
	struct dal_position end = {0}, next = {0};
	bool idle;

	dal_log_end(worker->log, worker->options.lane.number, &end);
	pthread_mutex_lock(&worker->lock);
	*status = worker->status;
	dal_position_copy(&next, &worker->status.next);
	idle = worker->idle;
	pthread_mutex_unlock(&worker->lock);
	status->next = next;
	status->end = end;
	status->behind_us = idle ? dal_clock_now_us() : status->behind_us;
	dal_position_advance(&status->end, &next); /* it was read first, and is older */
}

void dal_worker_status_deinit(struct dal_worker_status *status)
{
	dal_position_deinit(&status->next);
	dal_position_deinit(&status->end);
}

void dal_worker_position(struct dal_worker *worker, struct dal_position *next)
{
	pthread_mutex_lock(&worker->lock);
	dal_position_copy(next, &worker->status.next);
	pthread_mutex_unlock(&worker->lock);
}

bool dal_worker_building(struct dal_worker *worker)
{
	bool building;

	pthread_mutex_lock(&worker->lock);
	building = worker->status.building;
	pthread_mutex_unlock(&worker->lock);
	return building;
}

/* --- the thread --- */

static bool stopping(struct dal_worker *worker)
{
	bool yes;

	pthread_mutex_lock(&worker->lock);
	yes = worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	return yes;
}

static void notes_take(struct dal_worker *worker)
{
	struct note *note, *next;

	pthread_mutex_lock(&worker->lock);
	note = worker->notes;
	worker->notes = NULL;
	worker->notes_tail = &worker->notes;
	worker->note_count = 0;
	pthread_cond_broadcast(&worker->room);
	pthread_mutex_unlock(&worker->lock);
	for (; note; note = next) {
		next = note->next;
		switch (note->note.kind) {
		case DAL_NOTE_DELIVERED:
			dal_lane_delivered(worker->lane, note->note.row);
			break;
		case DAL_NOTE_RETRY:
			dal_lane_retry(worker->lane, note->note.row, note->note.attempts,
				       note->note.due_us, note->note.tries);
			break;
		case DAL_NOTE_APPENDED:
			dal_lane_appended(worker->lane, note->note.sequence);
			break;
		}
		free(note);
	}
}

/* Takes the waiters that are done with out of the list: reached, or too late. */
static struct dal_worker_waiter *waiters_take(struct dal_worker *worker, bool all)
{
	struct dal_worker_waiter **link = &worker->waiters, *taken = NULL;
	int64_t now = dal_clock_monotonic_us();

	while (*link) {
		struct dal_worker_waiter *waiter = *link;
		if (all || dal_position_has(&worker->status.next, &waiter->place) ||
		    waiter->deadline_us <= now) {
			*link = waiter->next;
			waiter->next = taken;
			taken = waiter;
		} else {
			link = &waiter->next;
		}
	}
	return taken;
}

/* Makes what is committed known, and answers who waited for it. */
static void publish(struct dal_worker *worker, bool all)
{
	struct dal_worker_waiter *waiter, *next;
	const struct dal_lane_halt *halt = dal_lane_halt(worker->lane);
	const struct dal_position *folded = dal_lane_position(worker->lane);

	pthread_mutex_lock(&worker->lock);
	dal_position_advance(&worker->status.next, folded);
	worker->status.refused = dal_lane_refused(worker->lane);
	worker->status.repeats = dal_lane_repeated(worker->lane);
	worker->status.events = dal_lane_events(worker->lane);
	worker->status.appended_us = dal_lane_appended_us(worker->lane);
	worker->status.undelivered = dal_lane_undelivered(worker->lane);
	worker->status.dead = dal_lane_dead(worker->lane);
	worker->status.halted = halt != NULL;
	if (halt) {
		worker->status.halt = *halt;
	}
	waiter = waiters_take(worker, all);
	pthread_mutex_unlock(&worker->lock);
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->done(waiter, dal_position_has(folded, &waiter->place));
	}
}

/* Nobody waits for a thread that is gone, also if it broke. */
static void end_waiting(struct dal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->stopping = worker->ended = true;
	pthread_cond_broadcast(&worker->room);
	pthread_cond_broadcast(&worker->boundary);
	pthread_mutex_unlock(&worker->lock);
	publish(worker, true);
}

static int64_t nearest_deadline(struct dal_worker *worker, int64_t until)
{
	for (struct dal_worker_waiter *w = worker->waiters; w; w = w->next) {
		until = w->deadline_us < until ? w->deadline_us : until;
	}
	return until;
}

static void sleep_until_woken(struct dal_worker *worker)
{
	int64_t until = dal_clock_monotonic_us() + IDLE_US;
	struct timespec at;

	pthread_mutex_lock(&worker->lock);
	until = nearest_deadline(worker, until);
	at = (struct timespec){until / 1000000, until % 1000000 * 1000};
	while (!worker->woken && !worker->stopping &&
	       pthread_cond_timedwait(&worker->wake, &worker->lock, &at) != ETIMEDOUT) {
	}
	worker->woken = false;
	pthread_mutex_unlock(&worker->lock);
}

int dal_worker_checkpoint(struct dal_worker *worker)
{
	int r;

	if (dal_log_kind(worker->log) != DAL_LOG_EMBEDDED) {
		return 0; /* a lost state delivers again there, and the start says so */
	}
	r = dal_checkpoint_append(worker->log, worker->lane, worker->options.lane.app);
	worker->checkpoint_us = dal_clock_monotonic_us();
	worker->checkpoint_events = dal_lane_events(worker->lane) + 1; /* itself is no news */
	worker->checkpoint_sequence = dal_lane_sequence(worker->lane);
	return r == DAL_LOG_DISK || r == DAL_LOG_FULL ? 0 : r;
}

static bool checkpoint_news(const struct dal_worker *worker)
{
	return dal_lane_events(worker->lane) > worker->checkpoint_events ||
	       dal_lane_sequence(worker->lane) != worker->checkpoint_sequence;
}

/* Delivery may begin: all that was on the log is folded in, or a plain restart took long enough. */
static int catch_up(struct dal_worker *worker)
{
	bool reached = dal_position_reached(dal_lane_position(worker->lane), &worker->start_end);
	bool late = !worker->status.rebuilding &&
		    dal_clock_monotonic_us() - worker->started_us > CATCH_UP_US;

	if (worker->status.caught_up || (!reached && !late)) {
		return 0;
	}
	pthread_mutex_lock(&worker->lock);
	worker->status.caught_up = true;
	pthread_mutex_unlock(&worker->lock);
	if (worker->options.caught_up) {
		worker->options.caught_up(worker->options.own);
	}
	return worker->options.lane.outbox ? dal_worker_checkpoint(worker) : 0;
}

static int housekeeping(struct dal_worker *worker)
{
	int r = catch_up(worker);

	if (r == 0 && worker->status.caught_up && worker->options.lane.outbox &&
	    dal_clock_monotonic_us() - worker->checkpoint_us > CHECKPOINT_US &&
	    checkpoint_news(worker)) {
		r = dal_worker_checkpoint(worker);
	}
	return r;
}

/* Reading pauses while too much is undelivered; not while it catches up: those rows are on disk. */
static bool paused(struct dal_worker *worker)
{
	uint64_t max = worker->options.rows_max ? worker->options.rows_max : DAL_LIMIT_ROWS;
	bool yes = worker->status.caught_up && dal_lane_undelivered(worker->lane) >= max;

	if (yes != worker->status.paused) {
		pthread_mutex_lock(&worker->lock);
		worker->status.paused = yes;
		pthread_mutex_unlock(&worker->lock);
	}
	return yes;
}

/* A past event that the batch needs can't be read while no broker answers: it is tried again, and
 * others are heard in between. */
static int process(struct dal_worker *worker, const struct dal_log_batch *batch)
{
	int r;

	while ((r = dal_lane_process(worker->lane, batch)) == -EHOSTUNREACH && !stopping(worker)) {
		publish(worker, false);
		sleep_until_woken(worker);
		notes_take(worker);
	}
	return r == -EHOSTUNREACH ? -ECANCELED : r;
}

/* Has it read all that it knows of? For how long it has not is told by status. */
static void idle_set(struct dal_worker *worker, bool read)
{
	struct dal_position end = {0};
	bool idle = false;

	if (!read) {
		dal_log_end(worker->log, worker->options.lane.number, &end);
		idle = dal_position_reached(dal_lane_position(worker->lane), &end);
		dal_position_deinit(&end);
	}
	pthread_mutex_lock(&worker->lock);
	if (worker->idle && !idle) {
		worker->status.behind_us = dal_clock_now_us();
	}
	worker->idle = idle;
	pthread_mutex_unlock(&worker->lock);
}

static int work(struct dal_worker *worker, struct dal_log_batch *batch, bool *read)
{
	struct dal_place place;
	struct dal_error why;
	int r = DAL_LOG_END;

	*read = false;
	notes_take(worker);
	if (!dal_lane_halt(worker->lane) && !paused(worker)) {
		r = dal_log_read(worker->reader, DAL_LIMIT_WORKER_BATCH_EVENTS,
				 DAL_LIMIT_WORKER_BATCH_BYTES, batch);
	}
	if (r < 0) {
		return r;
	}
	if (r == DAL_LOG_LOST) {
		dal_log_reader_lost(worker->reader, &place, &why);
		dal_lane_lost(worker->lane, &place, &why);
		dal_logger_write(DAL_LOGGER_ERROR, "worker", "lane %u stands still: %s",
				 worker->options.lane.number, why.text);
	}
	if (r == 0) {
		*read = true;
		idle_set(worker, true);
		r = process(worker, batch);
	} else {
		dal_lane_pass(worker->lane, &batch->position);
		r = dal_lane_commit(worker->lane);
		idle_set(worker, false);
	}
	dal_log_batch_release(batch);
	return r < 0 ? r : 0;
}

/* Where the lane stands, for who watches from outside. */
static void hint(struct dal_worker *worker)
{
	int64_t now = dal_clock_monotonic_us();

	if (now - worker->hint_us >= HINT_US) {
		dal_log_committed(worker->log, worker->options.lane.number,
				  dal_lane_position(worker->lane));
		worker->hint_us = now;
	}
}

static int step(struct dal_worker *worker, struct dal_log_batch *batch)
{
	uint64_t sequence = dal_lane_sequence(worker->lane);
	bool read;
	int r = work(worker, batch, &read);

	if (r < 0) {
		return r;
	}
	publish(worker, false);
	hint(worker);
	if (worker->options.committed) {
		worker->options.committed(worker->options.own,
					  dal_lane_sequence(worker->lane) != sequence);
	}
	r = housekeeping(worker);
	if (r == 0 && !read) {
		sleep_until_woken(worker);
	}
	return r;
}

static bool on_progress(void *own, const char *projection, uint64_t done, uint64_t end)
{
	struct dal_worker *worker = own;
	bool go_on;

	pthread_mutex_lock(&worker->lock);
	snprintf(worker->status.projection, sizeof(worker->status.projection), "%s", projection);
	worker->status.build_done = done;
	worker->status.build_end = end;
	go_on = !worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	publish(worker, false); /* deadlines pass while it builds, too */
	return go_on;
}

int dal_worker_build(struct dal_worker *worker)
{
	int r = dal_lane_build(worker->lane, on_progress, worker);

	pthread_mutex_lock(&worker->lock);
	worker->status.building = false;
	pthread_mutex_unlock(&worker->lock);
	return r == DAL_LANE_HALTED ? 0 : r;
}

int dal_worker_reader_open(struct dal_worker *worker)
{
	dal_log_reader_free(worker->reader);
	worker->reader = NULL;
	return dal_log_follow(worker->log, worker->options.lane.number,
			      dal_lane_position(worker->lane), &worker->reader);
}

static void *run(void *own)
{
	struct dal_worker *worker = own;
	struct dal_log_batch batch = {0};
	int r = dal_worker_build(worker);

	if (r == 0) {
		r = dal_worker_reader_open(worker);
	}
	while (r == 0 && !stopping(worker)) {
		r = step(worker, &batch);
		r = r == 0 ? dal_worker_stand(worker) : r;
	}
	if (r == 0 || r == -ECANCELED) {
		int committed;
		notes_take(worker);
		committed = dal_lane_commit(worker->lane);
		r = committed < 0 ? committed : r;
	}
	if (r == 0 && worker->options.lane.outbox && worker->status.caught_up &&
	    checkpoint_news(worker)) {
		r = dal_worker_checkpoint(worker);
	}
	end_waiting(worker);
	dal_log_batch_release(&batch);
	if (r < 0 && r != -ECANCELED && worker->options.broken) {
		worker->options.broken(worker->options.own, r);
	}
	return NULL;
}

/* --- life --- */

int dal_worker_new(const struct dal_worker_options *options, struct dal_worker **out,
		   struct dal_errors *errors)
{
	struct dal_worker *worker = dal_calloc(1, sizeof(*worker));
	pthread_condattr_t attributes;
	int r;

	worker->options = *options;
	worker->log = options->lane.log;
	worker->notes_tail = &worker->notes;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->wake, &attributes);
	pthread_cond_init(&worker->boundary, &attributes);
	pthread_cond_init(&worker->room, NULL);
	pthread_condattr_destroy(&attributes);
	r = dal_lane_new(&options->lane, &worker->lane, errors);
	if (r != 0) {
		dal_worker_free(worker);
		return r;
	}
	dal_log_end(worker->log, options->lane.number, &worker->start_end);
	worker->started_us = dal_clock_monotonic_us();
	worker->status.rebuilding = dal_lane_rebuilding(worker->lane);
	dal_worker_generation_known(worker);
	worker->status.building = true;
	dal_position_copy(&worker->status.next, dal_lane_position(worker->lane));
	worker->status.undelivered = dal_lane_undelivered(worker->lane);
	worker->status.dead = dal_lane_dead(worker->lane);
	*out = worker;
	return 0;
}

int dal_worker_start(struct dal_worker *worker)
{
	int r = pthread_create(&worker->thread, NULL, run, worker);

	worker->running = r == 0;
	return -r;
}

void dal_worker_stop(struct dal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	pthread_cond_signal(&worker->wake);
	pthread_cond_broadcast(&worker->room);
	pthread_cond_broadcast(&worker->boundary);
	pthread_mutex_unlock(&worker->lock);
	if (worker->running) {
		pthread_join(worker->thread, NULL);
		worker->running = false;
	} else if (worker->lane) {
		end_waiting(worker); /* it never ran */
	}
}

void dal_worker_free(struct dal_worker *worker)
{
	struct note *note, *next;

	if (!worker) {
		return;
	}
	dal_worker_stop(worker);
	for (note = worker->notes; note; note = next) {
		next = note->next;
		free(note);
	}
	dal_log_reader_free(worker->reader);
	dal_position_deinit(&worker->status.next);
	dal_position_deinit(&worker->start_end);
	dal_lane_free(worker->lane);
	pthread_cond_destroy(&worker->wake);
	pthread_cond_destroy(&worker->room);
	pthread_cond_destroy(&worker->boundary);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
