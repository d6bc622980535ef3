#include "engine/event/json_select.h"

#include "engine/event/json_select_scan.h"

/* The best of those that were built which this processor can run. */
int dal_json_select(struct dal_json *json, struct dal_slice text,
		    const struct dal_json_names *names)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
		return __builtin_cpu_supports("avx512bw")
			       ? dal_json_select_avx512(json, text, names)
			       : dal_json_select_avx2(json, text, names);
	}
#endif
	return dal_json_select_plain(json, text, names);
}
