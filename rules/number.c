#include "rules/number.h"

#include <endian.h>

#include "engine/base/digest.h"

#define DIGITS 19
/* Far beyond what the JSON reader lets through; keeps the sums below inside an int. */
#define EXPONENT_MAX 100000000

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What follows an 'e'. */
static int read_exponent(const char *at, const char *end)
{
	bool negative = at < end && *at == '-';
	int value = 0;
	at += at < end && (*at == '-' || *at == '+');
	for (; at < end; at++) {
		value = value < EXPONENT_MAX ? value * 10 + (*at - '0') : value;
	}
	return negative ? -value : value;
}

static struct dal_slice read_tail(const char *at, const char *end)
{
	while (end > at && !(is_digit(end[-1]) && end[-1] != '0')) {
		end--;
	}
	return dal_slice(at, (size_t)(end - at));
}

static const uint64_t powers[DIGITS + 1] = {UINT64_C(1),
					    UINT64_C(10),
					    UINT64_C(100),
					    UINT64_C(1000),
					    UINT64_C(10000),
					    UINT64_C(100000),
					    UINT64_C(1000000),
					    UINT64_C(10000000),
					    UINT64_C(100000000),
					    UINT64_C(1000000000),
					    UINT64_C(10000000000),
					    UINT64_C(100000000000),
					    UINT64_C(1000000000000),
					    UINT64_C(10000000000000),
					    UINT64_C(100000000000000),
					    UINT64_C(1000000000000000),
					    UINT64_C(10000000000000000),
					    UINT64_C(100000000000000000),
					    UINT64_C(1000000000000000000),
					    UINT64_C(10000000000000000000)};

/* Are these eight bytes digits? Each in '0' to '9', and none carries when 6 is added. */
static bool eight_digits(uint64_t word)
{
	uint64_t high = UINT64_C(0xf0f0f0f0f0f0f0f0);
	return ((word & high) | ((word + UINT64_C(0x0606060606060606)) & high) >> 4) ==
	       UINT64_C(0x3333333333333333);
}

/* Their value: neighbours are joined to pairs, pairs to fours, fours to eight. The first byte is
 * the lowest. */
static uint64_t value_of_eight(uint64_t word)
{
	word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) * (10 * 256 + 1) >> 8;
	word = (word & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 65536 + 1) >> 16;
	return (word & UINT64_C(0x0000ffff0000ffff)) * ((UINT64_C(10000) << 32) + 1) >> 32;
}

/* A run of digits: the first DIGITS of all runs into the mantissa, the rest is the tail. */
static const char *read_digits(const char *at, const char *end, struct dal_number *number,
			       int *digits)
{
	uint64_t mantissa = number->mantissa;
	int count = *digits;

	while (end - at >= 8 && count + 8 <= DIGITS && (count > 0 || *at != '0')) {
		uint64_t word;
		memcpy(&word, at, sizeof(word));
		word = le64toh(word);
		if (!eight_digits(word)) {
			break;
		}
		mantissa = mantissa * 100000000 + value_of_eight(word);
		count += 8;
		at += 8;
	}
	for (; at < end && is_digit(*at) && count < DIGITS; at++) {
		mantissa = mantissa * 10 + (uint64_t)(*at - '0');
		count += mantissa != 0;
	}
	number->mantissa = mantissa;
	*digits = count;
	if (at < end && is_digit(*at) && !number->tail.data) {
		number->tail.data = at;
	}
	while (at < end && is_digit(*at)) {
		at++;
	}
	return at;
}

struct dal_number dal_number_read(struct dal_slice text)
{
	struct dal_number number = {.sign = 1};
	const char *at = text.data, *end = at + text.size;
	int digits = 0;

	if (at < end && *at == '-') {
		number.sign = -1;
		at++;
	}
	const char *whole = at;
	at = read_digits(at, end, &number, &digits);
	number.exponent = digits > 0 ? (int32_t)(at - whole) : 0;
	if (at < end && *at == '.') {
		const char *point = at++;
		if (digits == 0) { /* zeros behind the point move it */
			while (at < end && *at == '0') {
				at++;
			}
			number.exponent = (int32_t)(point + 1 - at);
		}
		at = read_digits(at, end, &number, &digits);
	}
	if (digits == 0) {
		return (struct dal_number){0};
	}
	if (number.tail.data) {
		number.tail = read_tail(number.tail.data, at);
	}
	number.mantissa *= powers[DIGITS - digits];
	number.exponent += at < end ? read_exponent(at + 1, end) : 0;
	return number;
}

/* The next digit of a tail, '0' behind its end, where zeros are all that could follow. */
static char next_digit(struct dal_slice *tail)
{
	char c = '0';
	if (tail->size > 0 && tail->data[0] == '.') {
		tail->data++;
		tail->size--;
	}
	if (tail->size > 0) {
		c = *tail->data++;
		tail->size--;
	}
	return c;
}

static int compare_tails(struct dal_slice a, struct dal_slice b)
{
	while (a.size > 0 || b.size > 0) {
		char x = next_digit(&a), y = next_digit(&b);
		if (x != y) {
			return x < y ? -1 : 1;
		}
	}
	return 0;
}

int dal_number_compare(const struct dal_number *a, const struct dal_number *b)
{
	if (a->sign != b->sign) {
		return a->sign < b->sign ? -1 : 1;
	}
	if (a->exponent != b->exponent) {
		return a->exponent < b->exponent ? -a->sign : a->sign;
	}
	if (a->mantissa != b->mantissa) {
		return a->mantissa < b->mantissa ? -a->sign : a->sign;
	}
	return a->sign * compare_tails(a->tail, b->tail);
}

uint64_t dal_number_hash(const struct dal_number *number, uint64_t seed)
{
	uint64_t words[2] = {number->mantissa,
			     (uint64_t)(uint32_t)number->exponent << 8 | (uint8_t)number->sign};
	/* Numbers that differ in their tails alone are rare enough to share a hash. */
	return dal_hash64(dal_slice(words, sizeof(words)), seed);
}

void dal_number_print(const struct dal_number *number, struct dal_buffer *out)
{
	if (number->sign == 0) {
		dal_buffer_byte(out, '0');
		return;
	}
	struct dal_buffer digits = {0};
	dal_buffer_printf(&digits, "%llu", (unsigned long long)number->mantissa);
	for (size_t i = 0; i < number->tail.size; i++) {
		if (number->tail.data[i] != '.') {
			dal_buffer_byte(&digits, number->tail.data[i]);
		}
	}
	while (digits.data[digits.size - 1] == '0') {
		digits.size--;
	}
	dal_buffer_text(out, number->sign < 0 ? "-" : "");
	if (number->exponent >= (int)digits.size && number->exponent <= 18) {
		dal_buffer_slice_append(out, dal_buffer_slice(&digits));
		for (int i = (int)digits.size; i < number->exponent; i++) {
			dal_buffer_byte(out, '0');
		}
	} else if (number->exponent > 0 && number->exponent < (int)digits.size) {
		dal_buffer_append(out, digits.data, (size_t)number->exponent);
		dal_buffer_byte(out, '.');
		dal_buffer_append(out, digits.data + number->exponent,
				  digits.size - (size_t)number->exponent);
	} else {
		dal_buffer_printf(out, "0.%s", dal_buffer_cstr(&digits));
		if (number->exponent != 0) {
			dal_buffer_printf(out, "e%d", number->exponent);
		}
	}
	dal_buffer_deinit(&digits);
}
