/*
 * Tries again where the sink was full: a thread that sleeps until there is such a stream.
 *
 * Nothing tells when a sink has room again, so it asks a hundred times a second.
 */
#include "connectors/ndjson.h"

#include <time.h>

#define PAUSE_NS (10 * 1000 * 1000)

bool dal_pacer_wait(struct dal_ndjson *stream)
{
	struct dal_ingress *ingress = stream->ingress;

	pthread_mutex_lock(&ingress->lock);
	bool quit = atomic_load(&ingress->quit);
	if (!quit) {
		stream->next_waiting = ingress->waiting;
		ingress->waiting = stream;
		pthread_cond_broadcast(&ingress->changed);
	}
	pthread_mutex_unlock(&ingress->lock);
	return !quit;
}

static void try_again(struct dal_ndjson *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->waiting = false;
	pthread_mutex_unlock(&stream->lock);
	dal_ndjson_pump(stream);
	dal_ndjson_unref(stream);
}

static void *pacer_run(void *data)
{
	static const struct timespec pause = {0, PAUSE_NS};
	struct dal_ingress *ingress = data;

	pthread_mutex_lock(&ingress->lock);
	for (;;) {
		struct dal_ndjson *stream = ingress->waiting, *next;
		bool quit = atomic_load(&ingress->quit);
		ingress->waiting = NULL;
		if (stream == NULL && quit) {
			break;
		}
		if (stream == NULL) {
			pthread_cond_wait(&ingress->changed, &ingress->lock);
			continue;
		}
		pthread_mutex_unlock(&ingress->lock);
		nanosleep(&pause, NULL);
		for (; stream != NULL; stream = next) {
			next = stream->next_waiting;
			try_again(stream);
		}
		pthread_mutex_lock(&ingress->lock);
	}
	pthread_mutex_unlock(&ingress->lock);
	return NULL;
}

void dal_pacer_start(struct dal_ingress *ingress)
{
	pthread_cond_init(&ingress->changed, NULL);
	int error = pthread_create(&ingress->pacer, NULL, pacer_run, ingress);
	DAL_ASSERT(error == 0);
}

void dal_pacer_stop(struct dal_ingress *ingress)
{
	pthread_mutex_lock(&ingress->lock);
	atomic_store(&ingress->quit, true);
	pthread_cond_broadcast(&ingress->changed);
	pthread_mutex_unlock(&ingress->lock);
	pthread_join(ingress->pacer, NULL);
	pthread_mutex_lock(&ingress->lock);
	while (atomic_load(&ingress->streams) > 0) {
		pthread_cond_wait(&ingress->changed, &ingress->lock);
	}
	pthread_mutex_unlock(&ingress->lock);
	pthread_cond_destroy(&ingress->changed);
}
