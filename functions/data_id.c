#include "functions/data_id.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

static void make(char id[DAL_DATA_ID_BYTES])
{
	unsigned char random[16];
	struct dal_buffer hex = {0};
	dal_random(random, sizeof(random));
	dal_hex_encode(dal_slice(random, sizeof(random)), &hex);
	memcpy(id, dal_buffer_cstr(&hex), DAL_DATA_ID_BYTES);
	dal_buffer_deinit(&hex);
}

static int parse(struct dal_slice text, char id[DAL_DATA_ID_BYTES])
{
	struct dal_buffer bytes = {0};
	text.size -= text.size > 0 && text.data[text.size - 1] == '\n';
	int result = text.size == DAL_DATA_ID_BYTES - 1 && dal_hex_decode(text, &bytes) ? 0
											: -EBADMSG;
	if (result == 0) {
		memcpy(id, text.data, text.size);
		id[text.size] = '\0';
	}
	dal_buffer_deinit(&bytes);
	return result;
}

int dal_data_id(const char *folder, char id[DAL_DATA_ID_BYTES])
{
	struct dal_buffer text = {0};
	if (!folder) {
		make(id);
		return 0;
	}
	char *path = dal_asprintf("%s/id", folder);
	int result = dal_file_read(path, 64, &text);
	if (result == -ENOENT) {
		make(id);
		dal_buffer_printf(&text, "%s\n", id);
		result = dal_file_write(path, dal_buffer_slice(&text), 0644);
	} else if (result == 0) {
		result = parse(dal_buffer_slice(&text), id);
	}
	dal_buffer_deinit(&text);
	free(path);
	return result;
}
