#include "functions/seccomp.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "engine/event/json.h"
#include "engine/event/json_write.h"

const char *const dal_seccomp_paths[] = {
	"/etc/containers/seccomp.json",
	"/usr/share/containers/seccomp.json",
	NULL,
};

/* Namespaces, mounts, key rings, and interfaces of the kernel known for their holes. clone comes
 * back below without its namespaces, socket with few families. */
static const char *const refused[] = {
	"unshare",     "setns",       "clone",          "clone3",         "mount",
	"umount",      "umount2",     "pivot_root",     "move_mount",     "open_tree",
	"fsopen",      "fsconfig",    "fsmount",        "fspick",         "mount_setattr",
	"chroot",      "socket",      "socketcall",     "keyctl",         "add_key",
	"request_key", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
};

/* CLONE_NEWTIME is not among the flags of clone. */
#define CLONE_NAMESPACES 0x7e020000
#define NO_SUCH_CALL 38 /* ENOSYS: the C library falls back to clone */

#ifdef __s390__
#define CLONE_FLAGS 1 /* the argument's place */
#else
#define CLONE_FLAGS 0
#endif

static bool is_refused(struct dal_slice name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (dal_slice_is(name, refused[i])) {
			return true;
		}
	}
	return false;
}

static bool text_is(const struct dal_json *json, uint32_t object, const char *key, const char *text)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));
	return node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING &&
	       dal_slice_is(dal_json_string(json, node), text);
}

static uint32_t array_of(const struct dal_json *json, uint32_t object, const char *key)
{
	uint32_t node = dal_json_find(json, object, dal_slice_text(key));
	return node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_ARRAY ? node
										    : DAL_JSON_NONE;
}

/* The names that stay; how many. */
static uint32_t put_names(struct dal_json_writer *w, const struct dal_json *json, uint32_t names)
{
	uint32_t kept = 0, node = names + 1;
	dal_json_begin_array(w);
	for (uint32_t i = 0; i < dal_json_count(json, names); i++) {
		if (dal_json_kind(json, node) == DAL_JSON_STRING &&
		    !is_refused(dal_json_string(json, node))) {
			dal_json_put_slice(w, dal_json_string(json, node));
			kept++;
		}
		node = dal_json_next(json, node);
	}
	dal_json_end_array(w);
	return kept;
}

/* One rule: the same with fewer names; nothing if none is left. What refuses stays as it is. */
static void put_rule(struct dal_json_writer *w, const struct dal_json *json, uint32_t rule)
{
	struct dal_buffer text = {0};
	struct dal_json_writer inner = {.out = &text};
	uint32_t node = rule + 1, kept = 0;
	bool allows = text_is(json, rule, "action", "SCMP_ACT_ALLOW");
	dal_json_begin_object(&inner);
	for (uint32_t i = 0; i < dal_json_count(json, rule); i++) {
		struct dal_slice key = dal_json_string(json, node);
		uint32_t value = dal_json_next(json, node);
		dal_json_key_slice(&inner, key);
		if (allows && dal_slice_is(key, "names")) {
			kept = put_names(&inner, json, value);
		} else {
			dal_json_put_raw(&inner, dal_json_raw(json, value));
		}
		node = dal_json_next(json, value);
	}
	dal_json_end_object(&inner);
	if (kept > 0 || !allows) {
		dal_json_put_raw(w, dal_buffer_slice(&text));
	}
	dal_buffer_deinit(&text);
}

/*
 * What programs need, and nothing that a network namespace does not hold: by vsock they would reach
 * the machine's hypervisor. Netlink is for getaddrinfo and if_nameindex.
 *
 * socketcall has its family in memory, where no filter can look, and libseccomp allows it along
 * with socket, unless a rule without arguments has refused it before; one that says what the
 * default says is left out, so this has an error of its own.
 */
static void put_socket(struct dal_json_writer *w)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
	struct dal_buffer text = {0};
	dal_buffer_printf(
		&text, "{\"names\":[\"socketcall\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d}",
		EAFNOSUPPORT);
	dal_json_put_raw(w, dal_buffer_slice(&text));
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		dal_buffer_clear(&text);
		dal_buffer_printf(&text,
				  "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
				  "{\"index\":0,\"value\":%d,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}"
				  "]}",
				  families[i]);
		dal_json_put_raw(w, dal_buffer_slice(&text));
	}
	dal_buffer_clear(&text);
	dal_buffer_printf(&text,
			  "{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
			  "{\"index\":0,\"value\":%d,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"},"
			  "{\"index\":2,\"value\":%d,\"valueTwo\":0,\"op\":\"SCMP_CMP_EQ\"}]}",
			  AF_NETLINK, NETLINK_ROUTE);
	dal_json_put_raw(w, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void put_clone(struct dal_json_writer *w)
{
	struct dal_buffer text = {0};
	dal_buffer_printf(&text,
			  "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{"
			  "\"index\":%d,\"value\":%d,\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}"
			  "]}",
			  CLONE_FLAGS, CLONE_NAMESPACES);
	dal_json_put_raw(w, dal_buffer_slice(&text));
	dal_buffer_clear(&text);
	dal_buffer_printf(&text,
			  "{\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d}",
			  NO_SUCH_CALL);
	dal_json_put_raw(w, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void put_rules(struct dal_json_writer *w, const struct dal_json *json, uint32_t rules)
{
	uint32_t node = rules + 1;
	dal_json_begin_array(w);
	put_socket(w);
	for (uint32_t i = 0; i < dal_json_count(json, rules); i++) {
		if (dal_json_kind(json, node) == DAL_JSON_OBJECT) {
			put_rule(w, json, node);
		}
		node = dal_json_next(json, node);
	}
	put_clone(w);
	dal_json_end_array(w);
}

static void put_filter(struct dal_json_writer *w, const struct dal_json *json, uint32_t rules)
{
	uint32_t node = DAL_JSON_ROOT + 1;
	dal_json_begin_object(w);
	for (uint32_t i = 0; i < dal_json_count(json, DAL_JSON_ROOT); i++) {
		uint32_t value = dal_json_next(json, node);
		dal_json_key_slice(w, dal_json_string(json, node));
		if (value == rules) {
			put_rules(w, json, rules);
		} else {
			dal_json_put_raw(w, dal_json_raw(json, value));
		}
		node = dal_json_next(json, value);
	}
	dal_json_end_object(w);
}

int dal_seccomp_narrow(struct dal_slice filter, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_writer w = {.out = out};
	int result = dal_json_parse(json, filter, DAL_JSON_LAST_WINS, NULL) == 0 &&
				     dal_json_kind(json, DAL_JSON_ROOT) == DAL_JSON_OBJECT
			     ? 0
			     : -EBADMSG;
	uint32_t rules = result == 0 ? array_of(json, DAL_JSON_ROOT, "syscalls") : DAL_JSON_NONE;
	if (rules == DAL_JSON_NONE ||
	    !text_is(json, DAL_JSON_ROOT, "defaultAction", "SCMP_ACT_ERRNO")) {
		result = -EBADMSG;
	} else {
		put_filter(&w, json, rules);
	}
	dal_json_free(json);
	return result;
}
