#include "functions/spawn_message.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/memory.h"

#define VERSION 1

static void write_head(int kind, uint64_t id, struct dal_buffer *out)
{
	dal_buffer_byte(out, VERSION);
	dal_buffer_byte(out, (char)kind);
	dal_buffer_u64be(out, id);
}

static int read_head(struct dal_slice *message, int *kind, uint64_t *id)
{
	uint8_t version, byte;
	if (!dal_slice_take_u8(message, &version) || version != VERSION ||
	    !dal_slice_take_u8(message, &byte) || !dal_slice_take_u64be(message, id)) {
		return -EBADMSG;
	}
	*kind = byte;
	return 0;
}

static void write_list(char *const *list, struct dal_buffer *out)
{
	size_t count = 0;
	while (list && list[count]) {
		count++;
	}
	dal_buffer_varint(out, count);
	for (size_t i = 0; i < count; i++) {
		dal_buffer_sized(out, dal_slice_text(list[i]));
	}
}

static bool read_text(struct dal_slice *message, char **out)
{
	struct dal_slice text;
	if (!dal_slice_take_sized(message, &text)) {
		return false;
	}
	*out = dal_slice_dup(text);
	return true;
}

static bool read_list(struct dal_slice *message, char ***out)
{
	uint64_t count;
	if (!dal_slice_take_varint(message, &count) || count > message->size) {
		return false;
	}
	char **list = dal_calloc(count + 1, sizeof(*list));
	*out = list;
	for (uint64_t i = 0; i < count; i++) {
		if (!read_text(message, &list[i])) {
			return false;
		}
	}
	return true;
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++) {
		free(list[i]);
	}
	free(list);
}

void dal_spawn_deinit(struct dal_spawn *spawn)
{
	free((char *)spawn->name);
	free((char *)spawn->folder);
	free_list(spawn->paths);
	free_list(spawn->command);
	free_list(spawn->environment);
	*spawn = (struct dal_spawn){0};
}

void dal_spawn_write_start(const struct dal_spawn *spawn, struct dal_buffer *out)
{
	write_head(DAL_SPAWN_MESSAGE_START, spawn->id, out);
	dal_buffer_varint(out, spawn->sandbox);
	dal_buffer_varint(out, spawn->memory_bytes);
	dal_buffer_varint(out, spawn->tmp_bytes);
	dal_buffer_sized(out, dal_slice_text(spawn->name));
	dal_buffer_sized(out, dal_slice_text(spawn->folder));
	write_list(spawn->paths, out);
	write_list(spawn->command, out);
	write_list(spawn->environment, out);
}

static int read_start(struct dal_slice message, struct dal_spawn *spawn)
{
	uint64_t sandbox;
	char *name = NULL, *folder = NULL;
	bool good = dal_slice_take_varint(&message, &sandbox) &&
		    dal_slice_take_varint(&message, &spawn->memory_bytes) &&
		    dal_slice_take_varint(&message, &spawn->tmp_bytes) &&
		    read_text(&message, &name) && read_text(&message, &folder) &&
		    read_list(&message, &spawn->paths) && read_list(&message, &spawn->command) &&
		    read_list(&message, &spawn->environment) && spawn->command[0];
	spawn->name = name;
	spawn->folder = folder;
	if (!good) {
		dal_spawn_deinit(spawn);
		return -EBADMSG;
	}
	spawn->sandbox = sandbox != 0;
	return 0;
}

void dal_spawn_write_signal(uint64_t id, int signal, struct dal_buffer *out)
{
	write_head(DAL_SPAWN_MESSAGE_SIGNAL, id, out);
	dal_buffer_varint(out, (uint64_t)signal);
}

void dal_spawn_write_guard(struct dal_buffer *out)
{
	write_head(DAL_SPAWN_MESSAGE_GUARD, 0, out);
}

int dal_spawn_read_request(struct dal_slice message, struct dal_spawn_request *request)
{
	*request = (struct dal_spawn_request){0};
	int kind;
	uint64_t signal;
	if (read_head(&message, &kind, &request->spawn.id) != 0) {
		return -EBADMSG;
	}
	request->kind = (enum dal_spawn_message_kind)kind;
	switch (kind) {
	case DAL_SPAWN_MESSAGE_START:
		return read_start(message, &request->spawn);
	case DAL_SPAWN_MESSAGE_SIGNAL:
		if (!dal_slice_take_varint(&message, &signal)) {
			return -EBADMSG;
		}
		request->signal = (int)signal;
		return 0;
	case DAL_SPAWN_MESSAGE_GUARD:
		return 0;
	default:
		return -EBADMSG;
	}
}

void dal_spawn_write_notice(const struct dal_spawn_notice *notice, struct dal_buffer *out)
{
	write_head(DAL_SPAWN_MESSAGE_NOTICE + (int)notice->kind, notice->id, out);
	dal_buffer_varint(out, (uint64_t)notice->pid);
	dal_buffer_varint(out, (uint64_t)notice->code);
	dal_buffer_varint(out, (uint64_t)notice->signal);
	dal_buffer_varint(out, (uint64_t)notice->cpu_us);
	dal_buffer_varint(out, (uint64_t)notice->memory_mb);
	dal_buffer_sized(out, dal_slice_text(notice->text));
}

int dal_spawn_read_notice(struct dal_slice message, struct dal_spawn_notice *notice)
{
	*notice = (struct dal_spawn_notice){.descriptor = -1};
	int kind;
	uint64_t number[5];
	struct dal_slice text;
	if (read_head(&message, &kind, &notice->id) != 0 || kind < DAL_SPAWN_MESSAGE_NOTICE) {
		return -EBADMSG;
	}
	for (size_t i = 0; i < 5; i++) {
		if (!dal_slice_take_varint(&message, &number[i])) {
			return -EBADMSG;
		}
	}
	if (!dal_slice_take_sized(&message, &text) || text.size >= sizeof(notice->text)) {
		return -EBADMSG;
	}
	notice->kind = (enum dal_spawn_notice_kind)(kind - DAL_SPAWN_MESSAGE_NOTICE);
	notice->pid = (int)number[0];
	notice->code = (int)number[1];
	notice->signal = (int)number[2];
	notice->cpu_us = (int64_t)number[3];
	notice->memory_mb = (int64_t)number[4];
	if (text.size != 0) {
		memcpy(notice->text, text.data, text.size);
	}
	return 0;
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int dal_spawn_send(int socket, struct dal_slice message, int descriptor)
{
	union control control = {0};
	struct iovec part = {.iov_base = (char *)message.data, .iov_len = message.size};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	if (descriptor >= 0) {
		packet.msg_control = control.bytes;
		packet.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(socket, &packet, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int dal_spawn_receive(int socket, bool wait, struct dal_buffer *message, int *descriptor)
{
	union control control = {0};
	dal_buffer_clear(message);
	struct iovec part = {.iov_base = dal_buffer_reserve(message, DAL_SPAWN_MESSAGE_BYTES),
			     .iov_len = DAL_SPAWN_MESSAGE_BYTES};
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	*descriptor = -1;
	ssize_t size;
	do {
		size = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	} while (size < 0 && errno == EINTR);
	if (size < 0) {
		return errno == EAGAIN ? 1 : -errno;
	}
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
	if (header && header->cmsg_type == SCM_RIGHTS) {
		memcpy(descriptor, CMSG_DATA(header), sizeof(int));
	}
	message->size = (size_t)size;
	return size == 0 ? -EPIPE : 0;
}
