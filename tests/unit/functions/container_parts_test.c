/* Frames, filters of system calls, control groups, networks, ids: what containers are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/cgroup.h"
#include "functions/data_id.h"
#include "functions/frames.h"
#include "functions/network.h"
#include "functions/proc.h"
#include "functions/seccomp.h"

static char folder[] = "/tmp/dalamb-parts-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char *path = dal_asprintf("%s/%s", folder, name), *end = strrchr(path, '/');
	*end = '\0';
	assert_int_equal(dal_folder_make(path, 0755), 0);
	*end = '/';
	assert_int_equal(dal_file_write(path, dal_slice_text(text), 0600), 0);
	free(path);
}

/* --- frames --- */

/* The pieces in brackets, of input that comes `step` bytes at a time. */
static void assert_pieces(const char *bytes, size_t size, size_t step, const char *joined)
{
	struct dal_frames frames = {0};
	struct dal_buffer out = {0};
	for (size_t at = 0; at < size; at += step) {
		struct dal_slice piece,
			from = dal_slice(bytes + at, size - at < step ? size - at : step);
		while (dal_frames_next(&frames, &from, &piece)) {
			assert_true(piece.size > 0);
			dal_buffer_slice_append(&out, piece);
		}
		assert_int_equal(from.size, 0);
	}
	assert_string_equal(dal_buffer_cstr(&out), joined);
	dal_buffer_deinit(&out);
}

static void frames_in_any_pieces(void **state)
{
	static const char bytes[] = "\1\0\0\0\0\0\0\6hello\n\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\4err\n";
	(void)state;
	for (size_t step = 1; step <= sizeof(bytes) - 1; step++) {
		assert_pieces(bytes, sizeof(bytes) - 1, step, "hello\nerr\n");
	}
	assert_pieces(bytes, 11, 11, "hel"); /* cut off */
	assert_pieces(bytes, 5, 5, "");
}

static void frames_over_256_bytes(void **state)
{
	char bytes[8 + 300] = {1, 0, 0, 0, 0, 0, 1, 44}, text[301] = "";
	(void)state;
	memset(bytes + 8, 'x', 300);
	memset(text, 'x', 300);
	assert_pieces(bytes, sizeof(bytes), 100, text);
}

/* --- seccomp --- */

static void narrows_filters(void **state)
{
	struct dal_buffer out = {0};
	(void)state;
	assert_int_equal(
		dal_seccomp_narrow(
			dal_slice_text("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[1],"
				       "\"syscalls\":["
				       "{\"names\":[\"read\",\"unshare\",\"clone\"],\"action\":"
				       "\"SCMP_ACT_ALLOW\",\"args\":[]},"
				       "{\"names\":[\"keyctl\"],\"action\":\"SCMP_ACT_ALLOW\"},"
				       "{\"names\":[\"socketcall\",\"socketpair\"],\"action\":"
				       "\"SCMP_ACT_ALLOW\"},"
				       "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\","
				       "\"args\":[{\"index\":0,\"value\":16}]},"
				       "{\"names\":[\"setns\"],\"action\":\"SCMP_ACT_ERRNO\"}]}"),
			&out),
		0);
	assert_string_equal(
		dal_buffer_cstr(&out),
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[1],\"syscalls\":["
		"{\"names\":[\"socketcall\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":97},"
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		"\"value\":1,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		"\"value\":2,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		"\"value\":10,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		"\"value\":16,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"},{\"index\":2,\"value\":0,"
		"\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]},"
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[]},"
		"{\"names\":[\"socketpair\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"setns\"],\"action\":\"SCMP_ACT_ERRNO\"},"
		"{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,"
		"\"value\":2114060288,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]},"
		"{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}");
	dal_buffer_deinit(&out);
}

static void refuses_what_is_no_filter(void **state)
{
	static const char *const others[] = {
		"",
		"[]",
		"{}",
		"{\"syscalls\":[]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}",
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":{}}"};
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct dal_buffer out = {0};
		assert_int_equal(dal_seccomp_narrow(dal_slice_text(others[i]), &out), -EBADMSG);
		dal_buffer_deinit(&out);
	}
}

/* --- control groups --- */

static void reads_version_1(void **state)
{
	struct dal_cgroup cgroup;
	(void)state;
	write_file("cpuacct/a/b/cpuacct.usage", "2500000\n");
	write_file("memory/a/b/memory.max_usage_in_bytes", "10485761\n");
	write_file("memory/a/b/memory.oom_control",
		   "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	dal_cgroup_open(folder, "9:name=systemd:/s\n4:memory:/a/b\n2:cpu,cpuacct:/a/b\n0::/u\n",
			&cgroup);
	assert_int_equal(dal_cgroup_cpu_us(&cgroup), 2500);
	assert_int_equal(dal_cgroup_peak_memory_mb(&cgroup), 11);
	assert_int_equal(dal_cgroup_kills(&cgroup), 2);
	dal_cgroup_close(&cgroup);
	assert_int_equal(dal_cgroup_cpu_us(&cgroup), -1);
}

static void reads_version_2(void **state)
{
	struct dal_cgroup cgroup;
	(void)state;
	write_file("u/cpu.stat", "usage_usec 1234\nuser_usec 1000\n");
	write_file("u/memory.events", "low 0\noom 1\noom_kill 1\noom_group_kill 0\n");
	dal_cgroup_open(folder, "0::/u\n", &cgroup);
	assert_int_equal(dal_cgroup_cpu_us(&cgroup), 1234);
	assert_int_equal(dal_cgroup_peak_memory_mb(&cgroup), -1); /* an older kernel */
	assert_int_equal(dal_cgroup_kills(&cgroup), 1);
	dal_cgroup_forget_peak(&cgroup);
	dal_cgroup_close(&cgroup);
	write_file("u/memory.peak", "1048576\n");
	dal_cgroup_open(folder, "0::/u\n", &cgroup);
	assert_int_equal(dal_cgroup_peak_memory_mb(&cgroup), 1);
	dal_cgroup_close(&cgroup);
}

static void reads_no_group(void **state)
{
	struct dal_cgroup cgroup;
	(void)state;
	dal_cgroup_open(folder, "", &cgroup);
	assert_int_equal(dal_cgroup_cpu_us(&cgroup), -1);
	assert_int_equal(dal_cgroup_peak_memory_mb(&cgroup), -1);
	assert_int_equal(dal_cgroup_kills(&cgroup), -1);
	dal_cgroup_close(&cgroup);
}

/* --- networks --- */

static void networks_have_a_listener_and_nothing_else(void **state)
{
	const char *step;
	int first, second;
	char *networks = dal_asprintf("%s/networks", folder);
	char *one = dal_asprintf("%s/1", networks), *two = dal_asprintf("%s/2", networks);
	(void)state;
	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(dal_folder_make(networks, 0700), 0);
	assert_int_equal(dal_network_new(one, &first, &step), 0);
	assert_int_equal(dal_network_new(two, &second, &step), 0); /* the same port, apart */
	assert_int_equal(dal_network_new(two, &second, &step), -EEXIST);
	assert_string_equal(step, two);
	/* Ours is still the machine's: nobody listens there. */
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(9001),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), -1);
	(void)close(client);
	(void)close(first);
	dal_network_remove(one);
	assert_int_equal(access(one, F_OK), -1);
	assert_int_equal(dal_network_clear(networks), 1); /* what a killed engine leaves */
	assert_int_equal(rmdir(networks), 0);
	assert_int_equal(dal_network_clear(networks), -ENOENT);
	free(one);
	free(two);
	free(networks);
}

/* --- ids, processes --- */

static void ids_are_kept(void **state)
{
	char id[DAL_DATA_ID_BYTES], again[DAL_DATA_ID_BYTES];
	(void)state;
	assert_int_equal(dal_data_id(folder, id), 0);
	assert_int_equal(strspn(id, "0123456789abcdef"), 32);
	assert_int_equal(dal_data_id(folder, again), 0);
	assert_string_equal(id, again);
	assert_int_equal(dal_data_id(NULL, again), 0); /* a passing one */
	assert_string_not_equal(id, again);
	/* A copy is another folder. */
	struct dal_buffer text = {0};
	char *file = dal_asprintf("%s/id", folder), *copy = dal_asprintf("%s/copy", folder);
	assert_int_equal(dal_file_read(file, 256, &text), 0);
	write_file("copy/id", dal_buffer_cstr(&text));
	assert_int_equal(dal_data_id(copy, again), 0);
	assert_string_not_equal(id, again);
	assert_int_equal(dal_data_id(copy, id), 0);
	assert_string_equal(id, again);
	dal_buffer_deinit(&text);
	free(copy);
	free(file);
	write_file("id", "../../etc 1\n");
	assert_int_equal(dal_data_id(folder, id), -EBADMSG);
	assert_int_equal(dal_data_id("/proc/none", id), -ENOENT);
}

static void on_signal(int number)
{
	(void)number;
}

static void knows_handlers(void **state)
{
	(void)state;
	(void)signal(SIGTERM, SIG_DFL);
	assert_false(dal_proc_catches(getpid(), SIGTERM));
	(void)signal(SIGTERM, on_signal);
	assert_true(dal_proc_catches(getpid(), SIGTERM));
	(void)signal(SIGTERM, SIG_DFL);
	assert_false(dal_proc_catches(0, SIGTERM));
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *stat_of, int kind, struct FTW *place)
{
	(void)stat_of;
	(void)kind;
	(void)place;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_in_any_pieces),
		cmocka_unit_test(frames_over_256_bytes),
		cmocka_unit_test(narrows_filters),
		cmocka_unit_test(refuses_what_is_no_filter),
		cmocka_unit_test(reads_version_1),
		cmocka_unit_test(reads_version_2),
		cmocka_unit_test(reads_no_group),
		cmocka_unit_test(networks_have_a_listener_and_nothing_else),
		cmocka_unit_test(ids_are_kept),
		cmocka_unit_test(knows_handlers),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
