#include "engine/http/router.h"

#include <errno.h>

#include "engine/base/memory.h"

struct leaf {
	const struct dal_http_route *route;
	void *data;
};

struct node {
	struct dal_slice segment; /* "{name}" under `parameter` */
	struct node **literals;
	size_t literal_count, literal_capacity;
	struct node *parameter;
	struct leaf *leaves; /* one a method */
	size_t leaf_count, leaf_capacity;
};

struct dal_http_router {
	struct node root;
};

struct dal_http_router *dal_http_router_new(void)
{
	return dal_calloc(1, sizeof(struct dal_http_router));
}

static void node_deinit(struct node *node)
{
	for (size_t i = 0; i < node->literal_count; i++) {
		node_deinit(node->literals[i]);
		free(node->literals[i]);
	}
	if (node->parameter != NULL) {
		node_deinit(node->parameter);
		free(node->parameter);
	}
	free(node->literals);
	free(node->leaves);
}

void dal_http_router_free(struct dal_http_router *router)
{
	if (router != NULL) {
		node_deinit(&router->root);
		free(router);
	}
}

/* Takes "/segment" from the front of a path. */
static bool next_segment(struct dal_slice *path, struct dal_slice *segment)
{
	size_t end = 1;

	if (path->size == 0 || path->data[0] != '/') {
		return false;
	}
	while (end < path->size && path->data[end] != '/') {
		end++;
	}
	*segment = dal_slice(path->data + 1, end - 1);
	*path = dal_slice(path->data + end, path->size - end);
	return true;
}

static struct node *find_literal(const struct node *node, struct dal_slice segment)
{
	for (size_t i = 0; i < node->literal_count; i++) {
		if (dal_slice_equal(node->literals[i]->segment, segment)) {
			return node->literals[i];
		}
	}
	return NULL;
}

static bool is_parameter(struct dal_slice segment)
{
	return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

static struct node *child_for(struct node *node, struct dal_slice segment)
{
	struct node *child = is_parameter(segment) ? node->parameter : find_literal(node, segment);

	if (child != NULL) {
		return child;
	}
	child = dal_calloc(1, sizeof(*child));
	child->segment = segment;
	if (is_parameter(segment)) {
		node->parameter = child;
	} else {
		DAL_GROW(node->literals, node->literal_count, node->literal_capacity);
		node->literals[node->literal_count++] = child;
	}
	return child;
}

static const struct leaf *find_leaf(const struct node *node, struct dal_slice method)
{
	for (size_t i = 0; i < node->leaf_count; i++) {
		if (dal_slice_is(method, node->leaves[i].route->method)) {
			return &node->leaves[i];
		}
	}
	return NULL;
}

int dal_http_router_add(struct dal_http_router *router, const struct dal_http_route *route,
			void *data, struct dal_error *error)
{
	struct dal_slice path = dal_slice_text(route->path), segment;
	struct node *node = &router->root;
	size_t parameters = 0, segments = 0;

	while (next_segment(&path, &segment)) {
		parameters += is_parameter(segment);
		segments++;
		node = child_for(node, segment);
	}
	if (path.size > 0 || segments == 0 || segments > DAL_HTTP_SEGMENTS ||
	    parameters > DAL_HTTP_PARAMETERS) {
		dal_error_set(
			error,
			"route %s %s: expected a path that starts with \"/\" and has at most %d "
			"segments, %d of them parameters",
			route->method, route->path, DAL_HTTP_SEGMENTS, DAL_HTTP_PARAMETERS);
		return -EINVAL;
	}
	if (find_leaf(node, dal_slice_text(route->method)) != NULL) {
		dal_error_set(error, "route %s %s is given twice: change one of the two paths",
			      route->method, route->path);
		return -EEXIST;
	}
	DAL_GROW(node->leaves, node->leaf_count, node->leaf_capacity);
	node->leaves[node->leaf_count++] = (struct leaf){route, data};
	return 0;
}

/* The node of a path that has leaves; recursion is as deep as the longest template. */
static const struct node *find_node(const struct node *node, struct dal_slice path,
				    struct dal_slice *raw, size_t depth)
{
	struct dal_slice segment;
	const struct node *found = NULL, *literal;

	if (path.size == 0) {
		return node->leaf_count > 0 ? node : NULL;
	}
	if (!next_segment(&path, &segment)) {
		return NULL;
	}
	literal = find_literal(node, segment);
	if (literal != NULL) {
		found = find_node(literal, path, raw, depth);
	}
	if (found == NULL && node->parameter != NULL && segment.size > 0 &&
	    depth < DAL_HTTP_PARAMETERS) {
		found = find_node(node->parameter, path, raw, depth + 1);
		if (found != NULL) {
			raw[depth] = segment;
		}
	}
	return found;
}

/* Names come from the route's own template: two routes may name the same segment differently. */
static void name_parameters(struct dal_http_match *match)
{
	struct dal_slice path = dal_slice_text(match->route->path), segment;

	match->count = 0;
	while (next_segment(&path, &segment)) {
		if (is_parameter(segment)) {
			match->names[match->count++] = dal_slice(segment.data + 1,
								 segment.size - 2);
		}
	}
}

int dal_http_router_find(const struct dal_http_router *router, struct dal_slice method,
			 struct dal_slice path, struct dal_http_match *match)
{
	const struct node *node = find_node(&router->root, path, match->raw, 0);
	const struct leaf *leaf;

	if (node == NULL) {
		return DAL_HTTP_NO_PATH;
	}
	leaf = find_leaf(node, method);
	if (leaf == NULL && dal_slice_is(method, "HEAD")) {
		leaf = find_leaf(node, dal_slice_text("GET"));
	}
	if (leaf == NULL) {
		return DAL_HTTP_NO_METHOD;
	}
	match->route = leaf->route;
	match->data = leaf->data;
	name_parameters(match);
	return 0;
}

void dal_http_router_allow(const struct dal_http_router *router, struct dal_slice path,
			   struct dal_buffer *out)
{
	struct dal_slice raw[DAL_HTTP_PARAMETERS];
	const struct node *node = find_node(&router->root, path, raw, 0);
	const char *separator = "";

	for (size_t i = 0; node != NULL && i < node->leaf_count; i++) {
		const char *method = node->leaves[i].route->method;
		dal_buffer_printf(out, "%s%s", separator, method);
		separator = ", ";
		if (strcmp(method, "GET") == 0 && find_leaf(node, dal_slice_text("HEAD")) == NULL) {
			dal_buffer_text(out, ", HEAD");
		}
	}
}
