/* What the container driver says to an engine, and reads of what Podman 4.3.1 answered (answers/).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/container_json.h"

#define TEXT(literal) ((char *)(literal)) /* fields are of who owns them */

static struct dal_buffer recorded(const char *name)
{
	struct dal_buffer body = {0};
	char *path = dal_asprintf(ANSWERS "/%s.json", name);
	assert_int_equal(dal_file_read(path, 1 << 20, &body), 0);
	free(path);
	return body;
}

/* --- the request --- */

static char *write_spec(struct dal_function *function)
{
	static const char *const environment[] = {"A=1", "B=\"x\"", NULL};
	struct dal_buffer out = {0};
	dal_container_write_spec(
		&(struct dal_container_spec){
			.function = function,
			.environment = (char *const *)environment,
			.data_id = "0123456789abcdef0123456789abcdef",
			.namespace_path = "/run/dalamb/x/1",
			.filter_path = "/run/dalamb/x/.seccomp.json",
			.host_name = "thumbnail",
			.files = 1024,
			.user_processes = 4096,
		},
		&out);
	char *text = dal_strdup(dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
	return text;
}

static void the_whole_template(void **state)
{
	char *command[] = {TEXT("/bin/serve"), TEXT("now"), NULL},
	     *volumes[] = {TEXT("/data"), TEXT("/tmp"), NULL};
	struct dal_function function = {
		.name = TEXT("thumbnail"),
		.version = "0011223344556677",
		.image = {.name = TEXT("x"),
			  .id = TEXT("sha256:ab"),
			  .user = TEXT("65534:65534"),
			  .volumes = volumes},
		.command = command,
		.memory_bytes = 256000000,
		.tmp_bytes = 64000000,
		.cpu = 0.5,
	};
	char *spec = write_spec(&function);
	(void)state;
	assert_string_equal(
		spec,
		"{\"Image\":\"sha256:ab\",\"User\":\"65534:65534\",\"Hostname\":\"thumbnail\","
		"\"Env\":[\"A=1\",\"B=\\\"x\\\"\"],\"Cmd\":[\"/bin/serve\",\"now\"],"
		"\"StopTimeout\":0,\"Healthcheck\":{\"Test\":[\"NONE\"]},"
		"\"Labels\":{\"dalamb.data\":\"0123456789abcdef0123456789abcdef\","
		"\"dalamb.function\":\"thumbnail\",\"dalamb.version\":\"0011223344556677\"},"
		"\"HostConfig\":{\"NetworkMode\":\"ns:/run/dalamb/x/1\",\"CapDrop\":[\"ALL\"],"
		"\"SecurityOpt\":[\"no-new-privileges\",\"seccomp=/run/dalamb/x/.seccomp.json\"],"
		"\"ReadonlyRootfs\":true,\"IpcMode\":\"none\",\"CgroupnsMode\":\"private\","
		"\"Tmpfs\":{\"/tmp\":\"rw,nosuid,nodev,mode=1777,notmpcopyup,size=64000000\","
		"\"/run\":\"ro,nosuid,nodev,noexec,size=4096,notmpcopyup\","
		"\"/var/tmp\":\"ro,nosuid,nodev,noexec,size=4096,notmpcopyup\","
		"\"/dev/mqueue\":\"ro,nosuid,nodev,noexec,size=4096,notmpcopyup\","
		"\"/data\":\"ro,nosuid,nodev,noexec,size=4096,notmpcopyup\"},"
		"\"Memory\":256000000,\"MemorySwap\":256000000,\"PidsLimit\":1024,"
		"\"NanoCpus\":500000000,"
		"\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":1024,\"Hard\":1024},"
		"{\"Name\":\"nproc\",\"Soft\":4096,\"Hard\":4096},"
		"{\"Name\":\"core\",\"Soft\":0,\"Hard\":0}],"
		"\"LogConfig\":{\"Type\":\"none\"}}}");
	free(spec);
	/* Nothing is said of what was not declared. */
	command[0] = NULL;
	function.cpu = 0;
	spec = write_spec(&function);
	assert_null(strstr(spec, "\"Cmd\""));
	assert_null(strstr(spec, "NanoCpus"));
	free(spec);
}

/* --- answers --- */

static void reads_engines(void **state)
{
	struct dal_buffer body = recorded("version");
	struct dal_container_engine engine;
	(void)state;
	assert_int_equal(dal_container_read_engine(dal_buffer_slice(&body), &engine), 0);
	assert_true(engine.podman);
	assert_string_equal(engine.text, "Podman Engine 4.3.1");
	dal_buffer_deinit(&body);
	assert_int_equal(
		dal_container_read_engine(
			dal_slice_text("{\"Components\":[{\"Name\":\"Engine\"}],\"Version\":"
				       "\"20.10.24\"}"),
			&engine),
		0);
	assert_false(engine.podman);
	assert_string_equal(engine.text, "Engine 20.10.24");
	assert_int_equal(dal_container_read_engine(dal_slice_text("{}"), &engine), -EBADMSG);
	assert_int_equal(dal_container_read_engine(dal_slice_text("<html>"), &engine), -EBADMSG);
}

static void reads_images(void **state)
{
	struct dal_buffer body = recorded("image");
	struct dal_image image;
	(void)state;
	assert_int_equal(dal_container_read_image(dal_buffer_slice(&body), "recorded", &image), 0);
	assert_string_equal(image.name, "recorded");
	assert_int_equal(strncmp(image.id, "sha256:f70bd6bd", 15), 0);
	assert_string_equal(image.architecture, "amd64");
	assert_string_equal(image.system, "linux");
	assert_string_equal(image.user, "65534:65534"); /* it names "app:0" */
	assert_string_equal(image.volumes[0], "/data");
	assert_string_equal(image.volumes[1], "/var/cache");
	assert_null(image.volumes[2]);
	assert_string_equal(image.task_root, "/var/task");
	assert_string_equal(image.runtime_folder, "/srv");
	dal_image_deinit(&image);
	dal_buffer_deinit(&body);
	assert_int_equal(dal_container_read_image(dal_slice_text("{\"Config\":{}}"), "x", &image),
			 -EBADMSG);
	assert_int_equal(dal_container_read_image(dal_slice_text("[]"), "x", &image), -EBADMSG);
}

static void never_takes_root(void **state)
{
	static const char *const users[][2] = {
		{"", "65534:65534"},           {"0", "65534:65534"},
		{"0:0", "65534:65534"},        {"root", "65534:65534"},
		{"app", "65534:65534"},        {"1000", "1000:65534"},
		{"1000:0", "1000:65534"},      {"1000:1001", "1000:1001"},
		{"1000:staff", "1000:65534"},  {"00", "65534:65534"},
		{"4294967296", "65534:65534"}, {"-1", "65534:65534"},
		{"0:1001", "65534:1001"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		struct dal_image image;
		char *body = dal_asprintf("{\"Id\":\"sha256:1\",\"Config\":{\"User\":\"%s\"}}",
					  users[i][0]);
		assert_int_equal(dal_container_read_image(dal_slice_text(body), "x", &image), 0);
		assert_string_equal(image.user, users[i][1]);
		dal_image_deinit(&image);
		free(body);
	}
}

/* What Podman says where a control group's controller lacks: the container is there without it. */
static void reads_warnings(void **state)
{
#define ID "b01dface00112233445566778899aabbb01dface00112233445566778899aabb"
	char id[65], warning[64];
	struct dal_slice body = dal_slice_text(
		"{\"Id\":\"" ID "\",\"Warnings\":[\"Your kernel does not support memory limit "
		"capabilities or the cgroup is not mounted. Limitation discarded.\",\"another\"]}");
	(void)state;
	assert_int_equal(dal_container_read_created(body, id, warning, sizeof(warning)), 0);
	assert_string_equal(id, ID);
	assert_string_equal(warning,
			    "\"Your kernel does not support memory limit capabilities or the ");
	body = dal_slice_text("{\"Id\":\"" ID "\",\"Warnings\":null}");
	assert_int_equal(dal_container_read_created(body, id, warning, sizeof(warning)), 0);
	assert_string_equal(warning, "");
	body = dal_slice_text("{\"Id\":\"short\",\"Warnings\":[\"x\"]}");
	assert_int_equal(dal_container_read_created(body, id, warning, sizeof(warning)), -EBADMSG);
	assert_string_equal(warning, "");
}

static void reads_containers(void **state)
{
	struct dal_buffer list = recorded("list"), running = recorded("running"),
			  exited = recorded("exited"), created = recorded("created");
	struct dal_container_state found;
	char **ids, id[65], warning[64];
	(void)state;
	assert_int_equal(dal_container_read_ids(dal_buffer_slice(&list), &ids), 0);
	assert_int_equal(strncmp(ids[0], "72a2d493", 8), 0);
	assert_null(ids[1]);
	dal_list_free(ids);
	assert_int_equal(dal_container_read_ids(dal_slice_text("[]"), &ids), 0);
	assert_null(ids[0]);
	dal_list_free(ids);
	assert_int_equal(dal_container_read_ids(dal_slice_text("[{\"Id\":\"short\"}]"), &ids),
			 -EBADMSG);
	dal_list_free(ids);
	assert_int_equal(dal_container_read_created(dal_buffer_slice(&created), id, warning,
						    sizeof(warning)),
			 0);
	assert_int_equal(strncmp(id, "7e083c9b", 8), 0);
	assert_string_equal(warning, "");
	assert_int_equal(dal_container_read_state(dal_buffer_slice(&running), &found), 0);
	assert_true(found.running);
	assert_int_equal(found.pid, 16825);
	assert_int_equal(dal_container_read_state(dal_buffer_slice(&exited), &found), 0);
	assert_false(found.running);
	assert_int_equal(found.exit_code, 3);
	assert_int_equal(dal_container_read_state(dal_slice_text("{}"), &found), -EBADMSG);
	dal_buffer_deinit(&list);
	dal_buffer_deinit(&running);
	dal_buffer_deinit(&exited);
	dal_buffer_deinit(&created);
}

static void reads_refusals(void **state)
{
	struct dal_buffer body = recorded("missing");
	char text[64];
	(void)state;
	dal_container_read_message(dal_buffer_slice(&body), text, sizeof(text));
	assert_string_equal(text,
			    "failed to find image localhost/none:1: localhost/none:1: No suc");
	dal_container_read_message(dal_slice_text("plain\nwords"), text, sizeof(text));
	assert_string_equal(text, "plain words");
	dal_container_read_message(dal_slice(NULL, 0), text, sizeof(text));
	assert_string_equal(text, "");
	dal_buffer_deinit(&body);
}

/* --- images and versions --- */

static void refuses_other_machines(void **state)
{
	struct dal_image image = {
		.name = TEXT("x"), .system = TEXT("linux"), .architecture = TEXT("s390x")};
	struct dal_error error;
	struct utsname here;
	(void)state;
	(void)uname(&here);
	if (strcmp(here.machine, "x86_64") != 0) {
		skip();
	}
	assert_int_equal(dal_image_check(&image, &error), 1);
	assert_string_equal(error.text,
			    "the image x is for linux/s390x, and this machine is linux/x86_64: "
			    "build or pull it for this one (podman pull --arch, podman build "
			    "--arch)");
	image.architecture = TEXT("amd64");
	assert_int_equal(dal_image_check(&image, &error), 0);
	image.system = TEXT("windows");
	assert_int_equal(dal_image_check(&image, &error), 1);
}

static void versions_have_the_image(void **state)
{
	struct dal_image image = {.name = TEXT("x"), .id = TEXT("sha256:1")},
			 other = {.id = TEXT("sha256:2")};
	struct dal_function a = {.version = "0011223344556677"}, b = a, c = a;
	(void)state;
	dal_function_pin(&a, &image);
	dal_function_pin(&b, &image);
	dal_function_pin(&c, &other);
	assert_string_equal(a.version, b.version);
	assert_string_not_equal(a.version, c.version);
	assert_string_not_equal(a.version, "0011223344556677");
	assert_string_equal(a.image.id, "sha256:1");
	dal_image_deinit(&a.image);
	dal_image_deinit(&b.image);
	dal_image_deinit(&c.image);
}

/* --- where the engine is --- */

static char *host_of(const char *variable, const char *second, struct dal_errors *errors)
{
	const char *environment[] = {variable, second, NULL};
	return dal_containers_host(NULL, (char *const *)environment, errors);
}

static void finds_the_engine(void **state)
{
	struct dal_errors errors = {0};
	(void)state;
	char *host = host_of("CONTAINER_HOST=unix:///c", "DOCKER_HOST=unix:///d", &errors);
	assert_string_equal(host, "unix:///d");
	free(host);
	host = host_of("CONTAINER_HOST=unix:///c", "DALAMB_CONTAINERS_HOST=unix:///a", &errors);
	assert_string_equal(host, "unix:///a");
	free(host);
	host = host_of("CONTAINER_HOST=unix:///c", "DOCKER_HOST=", &errors);
	assert_string_equal(host, "unix:///c");
	free(host);
	host = host_of("X=1", NULL, &errors);
	assert_int_equal(host[0], '/');
	free(host);
	assert_int_equal(errors.count, 0);
	free(host_of("DALAMB_CONTAINERS_HOST=tcp://1.2.3.4:5", NULL, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.items[0].text,
			    "containers.host: \"tcp://1.2.3.4:5\" is no Unix socket: expected "
			    "\"unix:///run/podman/podman.sock\" or the like");
	dal_errors_deinit(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_template),      cmocka_unit_test(reads_engines),
		cmocka_unit_test(reads_warnings),          cmocka_unit_test(reads_images),
		cmocka_unit_test(never_takes_root),        cmocka_unit_test(reads_containers),
		cmocka_unit_test(reads_refusals),          cmocka_unit_test(refuses_other_machines),
		cmocka_unit_test(versions_have_the_image), cmocka_unit_test(finds_the_engine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
