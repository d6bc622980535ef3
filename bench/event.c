#include "bench/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The string that begins behind this text. */
static struct dal_slice string_behind(const char *text, const char *before)
{
	const char *start = strstr(text, before) + strlen(before);

	return dal_slice(start, (size_t)(strchr(start, '"') - start));
}

void bench_event_make(struct bench_event *event, uint64_t n, uint64_t keys)
{
	uint64_t random = n * 6364136223846793005u + 1442695040888963407u;
	char *out = event->text;
	int size = snprintf(
		out, BENCH_EVENT_ROOM,
		"{\"specversion\":\"1.0\",\"id\":\"o%010" PRIu64
		"\",\"source\":\"/shop/web\",\"type\":\"order.placed\","
		"\"time\":\"2026-11-24T10:%02u:%02uZ\",\"data\":{\"customer\":\"c%07" PRIu64
		"\",\"total\":%u,\"country\":\"%s\",\"sku\":\"A-%04u\",\"note\":\"",
		n, (unsigned)(n / 60 % 60), (unsigned)(n % 60), (random >> 20) % keys,
		(unsigned)(random >> 33) % 2000, (random >> 50) % 3 ? "FR" : "DE",
		(unsigned)(n % 10000));
	const char *data;

	while (size < BENCH_EVENT_BYTES - 3) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		out[size++] = (char)('a' + (random >> 33) % 26);
	}
	memcpy(out + size, "\"}}", 4);
	event->size = (size_t)size + 3;
	event->id = string_behind(out, "\"id\":\"");
	event->time = string_behind(out, "\"time\":\"");
	event->customer = string_behind(out, "\"customer\":\"");
	data = strstr(out, "\"data\":") + strlen("\"data\":");
	event->data = dal_slice(data, (size_t)(out + event->size - 1 - data));
}
