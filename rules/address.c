/*
 * Addresses of IPv4 and IPv6, and blocks of them (RFC 4632, RFC 4291).
 */
#include <arpa/inet.h>

#include "rules/pattern_tree.h"

bool dal_address_read(struct dal_slice text, struct dal_block *address)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.size < 2 || text.size >= sizeof(copy) || memchr(text.data, '\0', text.size)) {
		return false;
	}
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	*address = (struct dal_block){.version_6 = memchr(copy, ':', text.size) != NULL};
	address->bits = address->version_6 ? 128 : 32;
	/* Strict: four decimals without leading zeros; no names, zones or ports. */
	return inet_pton(address->version_6 ? AF_INET6 : AF_INET, copy, address->address) == 1;
}

/* Of a byte that begins at bit `from`: its bits below `bits`. */
static uint8_t mask(unsigned from, unsigned bits)
{
	unsigned kept = bits > from ? bits - from : 0;
	return kept >= 8 ? 0xFF : (uint8_t)(0xFF00u >> kept);
}

void dal_block_cut(struct dal_block *block, uint8_t bits)
{
	for (unsigned i = 0; i < sizeof(block->address); i++) {
		block->address[i] &= mask(i * 8, bits);
	}
	block->bits = bits;
}

bool dal_block_holds(const struct dal_block *block, const struct dal_block *address)
{
	struct dal_block cut = *address;
	if (block->version_6 != address->version_6) {
		return false;
	}
	dal_block_cut(&cut, block->bits);
	return memcmp(cut.address, block->address, sizeof(cut.address)) == 0;
}

/* The first of the longest runs of zeros, if it is longer than one (RFC 5952, section 4.2). */
static void find_zeros(const unsigned groups[8], unsigned *first, unsigned *count)
{
	*first = 8;
	*count = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned end = i;
		while (end < 8 && groups[end] == 0) {
			end++;
		}
		if (end - i > *count) {
			*first = i;
			*count = end - i;
		}
	}
}

static void print_version_6(const uint8_t *address, struct dal_buffer *out)
{
	unsigned groups[8], zeros, zero_count;

	for (unsigned i = 0; i < 8; i++) {
		groups[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
	}
	find_zeros(groups, &zeros, &zero_count);
	for (unsigned i = 0; i < 8; i++) {
		if (i == zeros) {
			dal_buffer_text(out, "::");
			i += zero_count - 1;
		} else {
			bool first = i == 0 || i == zeros + zero_count;
			dal_buffer_printf(out, "%s%x", first ? "" : ":", groups[i]);
		}
	}
}

void dal_block_print(const struct dal_block *block, struct dal_buffer *out)
{
	const uint8_t *address = block->address;
	if (block->version_6) {
		print_version_6(address, out);
	} else {
		dal_buffer_printf(out, "%u.%u.%u.%u", address[0], address[1], address[2],
				  address[3]);
	}
	dal_buffer_printf(out, "/%u", block->bits);
}
