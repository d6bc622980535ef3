#include "connectors/media.h"

static struct dal_slice unquote(struct dal_slice value)
{
	if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
		return dal_slice(value.data + 1, value.size - 2);
	}
	return value;
}

/* The next parameter, up to a ';' outside of quotes. */
static struct dal_slice take_parameter(struct dal_slice *rest)
{
	bool quoted = false;
	size_t at = 0;

	while (at < rest->size && (quoted || rest->data[at] != ';')) {
		quoted ^= rest->data[at] == '"';
		at += quoted && rest->data[at] == '\\' && at + 1 < rest->size ? 2 : 1;
	}
	struct dal_slice parameter = dal_slice(rest->data, at);
	size_t used = at < rest->size ? at + 1 : at;
	*rest = dal_slice(rest->data + used, rest->size - used);
	return parameter;
}

struct dal_media dal_media_read(struct dal_slice header)
{
	struct dal_media media = {0};
	struct dal_slice rest, name, value;

	if (!dal_slice_cut(header, ';', &media.type, &rest)) {
		media.type = header;
		rest = dal_slice(NULL, 0);
	}
	media.type = dal_slice_trim(media.type);
	while (rest.size > 0) {
		struct dal_slice parameter = take_parameter(&rest);
		if (dal_slice_cut(parameter, '=', &name, &value) &&
		    dal_slice_equal_nocase(dal_slice_trim(name), dal_slice_text("charset"))) {
			media.charset = unquote(dal_slice_trim(value));
		}
	}
	return media;
}

bool dal_media_is(const struct dal_media *media, const char *type)
{
	return dal_slice_equal_nocase(media->type, dal_slice_text(type));
}

bool dal_media_is_json(const struct dal_media *media)
{
	struct dal_slice type, subtype;

	if (!dal_slice_cut(media->type, '/', &type, &subtype)) {
		return false;
	}
	if (dal_slice_equal_nocase(subtype, dal_slice_text("json"))) {
		return true;
	}
	return subtype.size >= 5 &&
	       dal_slice_equal_nocase(dal_slice(subtype.data + subtype.size - 5, 5),
				      dal_slice_text("+json"));
}

bool dal_media_is_utf8(const struct dal_media *media)
{
	return media->charset.size == 0 ||
	       dal_slice_equal_nocase(media->charset, dal_slice_text("utf-8"));
}
